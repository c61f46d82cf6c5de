"""IO shell: what this host must have before the agent starts, and the addresses that an earlier one left.

pyroute2 is used before the event loop runs (its synchronous form refuses to run inside one).
"""

import fcntl
import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pyroute2 import IPRoute, NetlinkError
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg

from haagent.errors import ConfigError, HostError
from haagent.realtime import missing_capabilities

TAG = 0x51  # IFA_PROTO of every address that the agent adds
NEEDED = ("CAP_NET_ADMIN", "CAP_NET_RAW")
_RTM_NEWADDR, _RTM_DELADDR = 20, 21
_REQUEST_ACK = 0x1 | 0x4
_CREATE_REPLACE = 0x400 | 0x100
_NODAD, _NOPREFIXROUTE = 0x02, 0x200
_FOREVER = 0xFFFFFFFF

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface as it is now."""

    name: str
    index: int
    mac: str
    networks: tuple[Network, ...]
    addresses: tuple[Address, ...]  # without the VIPs; IPv4 first

    @property
    def primary(self) -> ipaddress.IPv4Address:
        """The source of our advertisements (RFC 9568 section 6.1)."""
        for address in self.addresses:
            if isinstance(address, ipaddress.IPv4Address):
                return address
        raise HostError(f"interface {self.name} has no IPv4 address: VRRP has no source address to send from")


@dataclass(frozen=True, slots=True)
class AddressMessages:
    """The netlink messages of one VIP, ready to send."""

    address: Address
    interface: str
    add: bytes
    remove: bytes


def require_capabilities() -> None:
    """Say which privilege is missing, and how to get it."""
    missing = missing_capabilities(NEEDED)
    if missing:
        raise HostError(
            f"needs {' and '.join(missing)}; run as root or give the service AmbientCapabilities={' '.join(NEEDED)}"
        )


def lock(run_dir: Path) -> IO[str]:
    """One agent on a node: the lock lives as long as the file object (and the process)."""
    run_dir.mkdir(parents=True, exist_ok=True)
    path = run_dir / "agent.lock"
    file = path.open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        raise HostError(f"{path}: another agent runs on this node (pid {owner})") from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def interface(name: str, ours: Iterable[Address]) -> Interface:
    """Look the interface up; addresses of `ours` are not counted as the host's own."""
    vips = set(ours)
    with IPRoute() as route:
        indexes = route.link_lookup(ifname=name)
        if not indexes:
            raise ConfigError(
                f"virtual_router.interface: {name!r} is not on this host; it has {_names(route)}"
            )
        (link,) = route.get_links(indexes[0])
        networks, addresses = set(), []
        for message in route.get_addr(index=indexes[0]):
            value = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            address = ipaddress.ip_address(value)
            if address in vips:
                continue
            addresses.append(address)
            networks.add(ipaddress.ip_network(f"{value}/{message['prefixlen']}", strict=False))
        addresses.sort(key=lambda a: a.version)
        return Interface(name, indexes[0], link.get_attr("IFLA_ADDRESS"), tuple(networks), tuple(addresses))


def require_in_network(vip: Address, where: Interface) -> None:
    """A VIP outside of the interface's networks would never be reached."""
    if not any(vip in network for network in where.networks if network.version == vip.version):
        networks = ", ".join(sorted(str(network) for network in where.networks)) or "none"
        raise ConfigError(f"virtual_router.vips: {vip} is not in the networks of {where.name} ({networks})")


def address_messages(vip: Address, where: Interface) -> AddressMessages:
    """What adds and removes one VIP: a host address, tagged; IPv6 without DAD and never a source by itself."""
    return AddressMessages(
        vip,
        where.name,
        _message(vip, where.index, _RTM_NEWADDR, _REQUEST_ACK | _CREATE_REPLACE),
        _message(vip, where.index, _RTM_DELADDR, _REQUEST_ACK),
    )


def remove_leftovers() -> list[str]:
    """Remove every address that carries our tag, as an agent that was killed leaves them."""
    removed = []
    with IPRoute() as route:
        for message in route.get_addr():
            if message.get_attr("IFA_PROTO") != TAG:
                continue
            value = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            try:
                route.addr("del", index=message["index"], address=value, prefixlen=message["prefixlen"])
            except NetlinkError:
                continue  # it went by itself
            removed.append(str(value))
    return removed


def _message(vip: Address, index: int, kind: int, flags: int) -> bytes:
    message = ifaddrmsg()
    message["family"] = 2 if vip.version == 4 else 10
    message["prefixlen"] = vip.max_prefixlen
    message["index"] = index
    message["header"]["type"] = kind
    message["header"]["flags"] = flags
    attributes: list[tuple[str, Any]] = [("IFA_LOCAL", str(vip)), ("IFA_ADDRESS", str(vip))]
    if kind == _RTM_NEWADDR:
        attributes.append(("IFA_FLAGS", _NOPREFIXROUTE | (_NODAD if vip.version == 6 else 0)))
        attributes.append(("IFA_PROTO", TAG))
        if vip.version == 6:
            lifetime = {"ifa_preferred": 0, "ifa_valid": _FOREVER, "cstamp": 0, "tstamp": 0}
            attributes.append(("IFA_CACHEINFO", lifetime))
    message["attrs"] = attributes
    message.encode()
    return bytes(message.data)


def _names(route: Any) -> str:
    return ", ".join(sorted(link.get_attr("IFLA_IFNAME") for link in route.get_links()))
