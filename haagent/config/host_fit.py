"""Sans-IO: whether a configuration fits the host's interfaces."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from haagent.config.sections import AgentConfig
from haagent.errors import ConfigError

IPInterface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


@dataclass(slots=True)
class HostInterface:
    """What the host says of one interface: its addresses with their networks."""

    addresses: tuple[IPInterface, ...]

    @property
    def primary(self) -> ipaddress.IPv4Address | None:
        """The first IPv4 address that is no /32: the source of our advertisements (RFC 9568 section 7.2)."""
        return next(
            (
                a.ip
                for a in self.addresses
                if isinstance(a, ipaddress.IPv4Interface) and a.network.prefixlen < 32
            ),
            None,
        )


def check_against_host(config: AgentConfig, interfaces: Mapping[str, HostInterface]) -> None:
    """Raise ConfigError when the configuration does not fit the host's interfaces (by name)."""
    for index, router in enumerate(config.virtual_router):
        key = f"virtual_router[{index}]"
        interface = interfaces.get(router.interface)
        if interface is None:
            there = ", ".join(sorted(interfaces))
            raise ConfigError(
                f"{key}.interface: {router.interface!r} is not an interface of this host ({there})"
            )
        if interface.primary is None:
            raise ConfigError(f"{key}.interface: {router.interface!r} has no IPv4 address to advertise from")
        networks = [a.network for a in interface.addresses if not a.ip.is_link_local]
        networks = [network for network in networks if network.prefixlen < network.max_prefixlen]
        for vip in router.vips:
            if not any(vip.ip in network for network in networks):
                known = ", ".join(map(str, networks))
                raise ConfigError(f"{key}.vips: {vip!s} is in no network of {router.interface} ({known})")
    _check_peer_address(config, interfaces)


def _check_peer_address(config: AgentConfig, interfaces: Mapping[str, HostInterface]) -> None:
    if config.peer is None:
        return
    here = {address.ip for interface in interfaces.values() for address in interface.addresses}
    if config.peer.local.ip not in here:
        raise ConfigError(f"peer.local: {config.peer.local!s} is not an address of this host")
