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

    @property
    def link_local(self) -> ipaddress.IPv6Address | None:
        """The first link-local IPv6 address that is no /128: the source of an IPv6 virtual router."""
        return next(
            (
                a.ip
                for a in self.addresses
                if isinstance(a, ipaddress.IPv6Interface) and a.is_link_local and a.network.prefixlen < 128
            ),
            None,
        )

    def source(self, family: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """Where the advertisements of this family (4 or 6) come from."""
        return self.primary if family == 4 else self.link_local


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
        if router.source is not None and router.source.ip not in [a.ip for a in interface.addresses]:
            raise ConfigError(f"{key}.source: {router.source!s} is not an address of {router.interface}")
        if interface.source(router.family) is None:
            kind = "IPv4" if router.family == 4 else "link-local IPv6"
            raise ConfigError(
                f"{key}.interface: {router.interface!r} has no {kind} address to advertise from"
            )
        own_link_local = router.family == 6  # an IPv6 virtual router has a link-local address itself
        networks = [a.network for a in interface.addresses if own_link_local or not a.ip.is_link_local]
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
