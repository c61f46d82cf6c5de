"""IO shell: what this host must have before the agent starts, and the addresses that an earlier one left.

pyroute2 is used before the event loop runs (its synchronous form refuses to run inside one).
"""

import fcntl
import ipaddress
import os
import signal
import socket
import time
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pyroute2 import IPRoute, NetlinkError
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg

from haagent.config import HostInterface, IPInterface
from haagent.errors import HostError
from haagent.realtime import missing_capabilities
from haagent.vip.step import ADDRESS_TAG, address_spec

NEEDED = ("CAP_NET_ADMIN", "CAP_NET_RAW")
ORPHAN_SECONDS = 3.0
_RTM_NEWADDR, _RTM_DELADDR = 20, 21
_REQUEST_ACK = 0x1 | 0x4
_CREATE_REPLACE = 0x400 | 0x100
_NODAD, _NOPREFIXROUTE = 0x02, 0x200
_FOREVER = 0xFFFFFFFF
_USABLE = 0x1 | 0x10000  # IFF_UP, IFF_LOWER_UP

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(slots=True, kw_only=True)
class Interface(HostInterface):
    """One interface as it is now."""

    index: int
    mac: str
    mtu: int = 1500
    usable: bool = True  # up, with carrier
    below: int = 0  # the index of the interface that it stands on
    alias: str = ""


def require_capabilities() -> None:
    """Say which privilege is missing, and how to get it."""
    missing = missing_capabilities(NEEDED)
    if missing:
        raise HostError(
            f"needs {' and '.join(missing)}; run as root, "
            f"or give the service AmbientCapabilities={' '.join(NEEDED)}"
        )


def lock(run_dir: Path) -> IO[str]:
    """One agent on a node: the lock lives as long as the file object (and the process)."""
    run_dir.mkdir(parents=True, exist_ok=True)
    path = run_dir / "agent.lock"
    file = _try_lock(path)
    if file is None:
        owner = path.read_text(encoding="ascii").strip() or "unknown"
        raise HostError(f"{path}: another agent runs on this node (pid {owner})")
    write_owner(file, os.getpid())
    return file


def guard_lock(run_dir: Path) -> IO[str]:
    """Held by control and its guard; a guard whose control was killed is asked to leave, then made to."""
    path = run_dir / "guard.lock"
    file = _try_lock(path)
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        if file is not None:
            return file
        os.kill(int(path.read_text(encoding="ascii")), signal_number)
        end = time.monotonic() + ORPHAN_SECONDS
        while file is None and time.monotonic() < end:
            time.sleep(0.01)
            file = _try_lock(path)
    if file is None:
        raise HostError(f"{path}: the guard of an earlier agent does not end")
    return file


def write_owner(file: IO[str], pid: int) -> None:
    """Write who holds the lock into it."""
    file.truncate(0)
    file.write(f"{pid}\n")
    file.flush()


def _try_lock(path: Path) -> IO[str] | None:
    file = path.open("a", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def interfaces() -> dict[str, Interface]:
    """Every interface of this host by its name."""
    with IPRoute() as route:
        links = {link["index"]: link for link in route.get_links()}
        addresses: dict[int, list[IPInterface]] = {index: [] for index in links}
        for message in route.get_addr():
            value = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            address = ipaddress.ip_interface(f"{value}/{message['prefixlen']}")
            if message["index"] in addresses:
                addresses[message["index"]].append(address)
    return {
        link.get_attr("IFLA_IFNAME"): Interface(
            tuple(addresses[index]),
            index=index,
            mac=link.get_attr("IFLA_ADDRESS") or "",
            mtu=link.get_attr("IFLA_MTU") or 1500,
            usable=link["flags"] & _USABLE == _USABLE,
            below=link.get_attr("IFLA_LINK") or 0,
            alias=link.get_attr("IFLA_IFALIAS") or "",
        )
        for index, link in links.items()
    }


def address_messages(vip: Address, index: int) -> tuple[bytes, bytes]:
    """The netlink messages that add and remove one VIP, ready to send."""
    add = _message(vip, index, _RTM_NEWADDR, _REQUEST_ACK | _CREATE_REPLACE)
    return add, _message(vip, index, _RTM_DELADDR, _REQUEST_ACK)


def own_addresses() -> set[str]:
    """Every address that carries our tag."""
    with IPRoute() as route:
        tagged = [message for message in route.get_addr() if message.get_attr("IFA_PROTO") == ADDRESS_TAG]
    return {str(message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")) for message in tagged}


def remove_leftovers(others: Container[str] = ()) -> list[str]:
    """Remove every address that carries our tag, as an agent that was killed leaves them.

    `others`: VIPs of the node's other groups.
    """
    removed = []
    with IPRoute() as route:
        for message in route.get_addr():
            if message.get_attr("IFA_PROTO") != ADDRESS_TAG:
                continue
            value = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            if str(value) in others:
                continue
            try:
                route.addr("del", index=message["index"], address=value, prefixlen=message["prefixlen"])
            except NetlinkError:
                continue  # it went by itself
            removed.append(str(value))
    return removed


def _message(vip: Address, index: int, kind: int, flags: int) -> bytes:
    spec = address_spec(vip)
    message = ifaddrmsg()
    message["family"] = socket.AF_INET if vip.version == 4 else socket.AF_INET6
    message["prefixlen"] = spec.prefix
    message["index"] = index
    message["header"]["type"] = kind
    message["header"]["flags"] = flags
    attributes: list[tuple[str, Any]] = [("IFA_LOCAL", str(vip)), ("IFA_ADDRESS", str(vip))]
    if kind == _RTM_NEWADDR:
        attributes.append(("IFA_FLAGS", _NOPREFIXROUTE | (_NODAD if spec.nodad else 0)))
        attributes.append(("IFA_PROTO", spec.tag))
        if spec.preferred_lifetime is not None:
            lifetime = {"ifa_preferred": spec.preferred_lifetime, "ifa_valid": _FOREVER}
            attributes.append(("IFA_CACHEINFO", {**lifetime, "cstamp": 0, "tstamp": 0}))
    message["attrs"] = attributes
    message.encode()
    return bytes(message.data)
