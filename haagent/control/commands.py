"""Sans-IO: the operator's commands to the node."""

from dataclasses import dataclass


@dataclass(slots=True)
class Switchover:
    """Hand the role to the peer in a planned way: it takes first, then this node lets go."""

    by: str = "operator"


@dataclass(slots=True)
class Failover:
    """Make this node the master; `force` also without sync, or against a master that cannot be asked."""

    force: bool = False
    by: str = "operator"


@dataclass(slots=True)
class PauseTakeovers:
    """Maintenance: take over only when asked to, for `seconds` or until resumed."""

    seconds: float | None = None
    by: str = "operator"


@dataclass(slots=True)
class ResumeTakeovers:
    """The maintenance is over."""

    by: str = "operator"


Command = Switchover | Failover | PauseTakeovers | ResumeTakeovers
