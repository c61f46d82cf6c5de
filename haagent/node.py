"""Sans-IO: one node: joins virtual routers, peer, SIP core, links, lease and operator into role and epoch.

Every input takes `now` (monotonic seconds) and returns the effects in the order in which to carry them out;
`deadline` is when to call `on_timer` next. All virtual routers of a node move together.
"""

from enum import IntEnum

from haagent.control.commands import Command
from haagent.effects import Effect, NodeRole
from haagent.settings import NodeSettings
from haagent.vrrp.router import Advertisement


class CoreState(IntEnum):
    """What the SIP core says of itself, from worst to best."""

    DEAD = 0
    STARTING = 1
    READY = 2  # could serve, but does not hold all of the master's records
    SYNCED = 3
    NONE = 4  # no core is configured


class Node:
    """The one decision of a machine."""

    def __init__(self, settings: NodeSettings, *, epoch: int = 0) -> None:
        """`epoch`: the highest that this node has known (from disk)."""
        self.role = NodeRole.INIT
        self.epoch = epoch
        self.reason = "not started"
        self.since: float | None = None

    @property
    def deadline(self) -> float | None:
        """When to call `on_timer` next."""
        raise NotImplementedError

    def on_startup(self, now: float) -> list[Effect]:
        """Begin; links and core should have been told before (a link not told of counts as up)."""
        raise NotImplementedError

    def on_shutdown(self, now: float) -> list[Effect]:
        """Planned stop: hand over if a ready peer is there, else priority 0; ends with the effect Stopped."""
        raise NotImplementedError

    def on_timer(self, now: float) -> list[Effect]:
        """Do what is due."""
        raise NotImplementedError

    def on_advertisement(self, router: str, advert: Advertisement, now: float) -> list[Effect]:
        """A valid advertisement for a virtual router of ours (never our own)."""
        raise NotImplementedError

    def on_link(self, interface: str, up: bool, now: float) -> list[Effect]:
        """An interface has lost or found its carrier."""
        raise NotImplementedError

    def on_core(self, state: CoreState, now: float) -> list[Effect]:
        """The SIP core's state has changed."""
        raise NotImplementedError

    def on_priority(self, router: str, priority: int, now: float) -> list[Effect]:
        """Health checks have changed the effective priority."""
        raise NotImplementedError

    def on_command(self, command: Command, now: float) -> list[Effect]:
        """An operator's command; exactly one CommandAnswered is among the effects."""
        raise NotImplementedError

    def on_vip_lost(self, router: str, now: float) -> list[Effect]:
        """Someone else removed one of our addresses."""
        raise NotImplementedError

    def on_lease_lapsed(self, router: str, now: float) -> list[Effect]:
        """The kernel's lease ran out before it was renewed."""
        raise NotImplementedError

    def on_stall(self, gap: float, now: float) -> list[Effect]:
        """The loop was `gap` seconds late: call it when gap exceeds `stall_limit`, before reading sockets."""
        raise NotImplementedError

    def on_peer_connected(self, nonce: bytes, now: float) -> list[Effect]:
        """The TCP connection stands; `nonce`: 32 fresh random bytes."""
        raise NotImplementedError

    def on_peer_bytes(self, data: bytes, now: float) -> list[Effect]:
        """Bytes of the TCP connection."""
        raise NotImplementedError

    def on_peer_closed(self, now: float, *, by_peer: bool) -> list[Effect]:
        """The connection is gone; by_peer: end of stream or reset, so the other process has ended."""
        raise NotImplementedError

    def on_hello(self, datagram: bytes, now: float) -> list[Effect]:
        """A datagram on the hello port."""
        raise NotImplementedError
