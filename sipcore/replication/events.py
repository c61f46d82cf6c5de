"""Sans-IO: what a replication session tells the link."""

from dataclasses import dataclass

from sipcore.role import Role


@dataclass(slots=True)
class PeerUp:
    """The peer has proved itself and said its name."""

    node: str


@dataclass(slots=True)
class PeerRole:
    """The peer's role or epoch changed."""

    role: Role
    epoch: int


@dataclass(slots=True)
class NewerMaster:
    """The peer is MASTER with an epoch above ours while this node is MASTER too."""

    epoch: int


@dataclass(slots=True)
class Synced:
    """This node holds all that the peer had (or no more: a new snapshot began)."""

    synced: bool


@dataclass(slots=True)
class PeerSynced:
    """The peer holds all that this node had (or no more)."""

    synced: bool


@dataclass(slots=True)
class Acked:
    """The peer has applied this node's log up to `sequence`."""

    sequence: int


Event = PeerUp | PeerRole | NewerMaster | Synced | PeerSynced | Acked
