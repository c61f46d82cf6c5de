"""Sans-IO: what the node needs to know, taken from the configuration and the host."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from haagent.witness.said import WitnessSettings

if TYPE_CHECKING:  # the guard gets settings that control has made, and does not load the config's parser
    from haagent.config import AgentConfig


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """One virtual router; times are seconds."""

    name: str
    vrid: int
    interface: str
    priority: int
    source: str  # the interface's address that our advertisements come from
    interval: float
    preempt: bool
    lease: float | None
    version: int = 3
    preempt_delay: float = 0.0
    macvlan: str | None = None  # the interface with the virtual MAC

    @property
    def links(self) -> tuple[str, ...]:
        """The interfaces without which it can serve nobody."""
        return (self.interface,) if self.macvlan is None else (self.interface, self.macvlan)

    @property
    def address(self) -> int:
        """The source as a number: ties are broken on it."""
        return int(ip_address(self.source))


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """The second path; `hello` is the interval of the fast hello or None."""

    key: bytes
    two_paths: bool = True
    hello: float | None = None


@dataclass(frozen=True, slots=True)
class Announcing:
    """When a master announces its addresses: at once, at these times after, and then ever again."""

    repeats: tuple[float, ...] = (0.05, 0.2, 1.0)  # any announcement may be lost on the way
    refresh: float | None = None


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """One node."""

    node: str
    routers: tuple[RouterSettings, ...]
    peer: PeerSettings | None = None
    has_core: bool = False
    announcing: Announcing = Announcing()
    startup_delay: float = 0.0
    witness: WitnessSettings | None = None


def node_settings(
    config: "AgentConfig",
    sources: Mapping[str, IPv4Address | IPv6Address],
    key: bytes | None,
    macvlans: Mapping[str, str],
) -> NodeSettings:
    """Join the configuration with source address and macvlan of each virtual router, and the peer's key."""
    routers = tuple(
        RouterSettings(
            name=router.name,
            vrid=router.vrid,
            interface=router.interface,
            priority=router.priority,
            source=str(sources[router.name]),
            interval=router.advert_interval,
            preempt=router.preempt,
            lease=router.lease or None,
            version=router.version,
            preempt_delay=router.preempt_delay,
            macvlan=macvlans.get(router.name),
        )
        for router in config.virtual_router
    )
    peer = None
    if config.peer is not None and key is not None:
        peer = PeerSettings(key=key, two_paths=config.peer.two_paths, hello=config.peer.hello or None)
    return NodeSettings(
        config.node,
        routers,
        peer,
        has_core=config.core is not None,
        announcing=Announcing(config.announce.repeats, config.announce.refresh or None),
        startup_delay=config.startup_delay,
        witness=_witness(config),
    )


def _witness(config: "AgentConfig") -> WitnessSettings | None:
    witness = config.witness
    if witness is None:
        return None
    strict = witness.when_away == "stand-still"
    return WitnessSettings(lease=float(witness.lease), timeout=float(witness.timeout), strict=strict)
