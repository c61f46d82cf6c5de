"""Sans-IO: what counts as one source: an IPv4 address, or an IPv6 /64, which one host alone may fill."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@lru_cache(maxsize=65536)
def source_of(host: str) -> str:
    """The key of a source: "192.0.2.1", or "2001:db8::/64" for any address in it."""
    if ":" not in host:
        return host
    address = ipaddress.IPv6Address(host.partition("%")[0])
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))


class AllowList:
    """Peers that no rate limit and no ban touches; the answer is remembered per address."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._networks = tuple(networks)
        self._has = lru_cache(maxsize=16384)(self._look_up)

    def __contains__(self, host: str) -> bool:
        return bool(self._networks) and self._has(host)

    def overlaps(self, source: str) -> bool:
        """Whether anybody of this source (an address or a /64) is on it."""
        wanted = ipaddress.ip_network(source)
        return any(wanted.overlaps(network) for network in self._networks)

    def _look_up(self, host: str) -> bool:
        address = ipaddress.ip_address(host)
        return any(address in network for network in self._networks)
