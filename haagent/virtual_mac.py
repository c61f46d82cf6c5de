"""IO shell: virtual MACs: a macvlan above the interface of each virtual router that wants one.

It is up on the master alone, so that a backup neither takes nor sends a frame with that MAC. Its mode is
`bridge`: in the others a master's advertisements, which carry the same MAC, would not reach the interface
below. What was made here carries a tag (its alias), by which the next agent removes what a killed one left.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from pyroute2 import IPRoute, NetlinkError
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from haagent.config import AgentConfig, VirtualRouterConfig
from haagent.errors import HostError
from haagent.host import Interface
from haagent.pipe import MacvlanSetup
from haagent.vrrp.pdu import virtual_mac

TAG = "haagent: virtual MAC"
_RTM_NEWLINK = 16
_REQUEST_ACK = 0x1 | 0x4
_IFF_UP = 0x1
_SYSCTL = Path("/proc/sys/net")
# It answers for its own addresses alone, and takes what will be answered through the interface below.
_IPV4 = {"arp_ignore": "1", "rp_filter": "2"}
# No interface identifier is made of the virtual MAC (RFC 9568 section 7.4), and nothing else is sent from it.
_IPV6 = {"addr_gen_mode": "1", "accept_ra": "0", "autoconf": "0", "accept_dad": "0"}
_NO_IPV6 = {"addr_gen_mode": "1", "accept_ra": "0", "autoconf": "0", "accept_dad": "0"}


def alias(group: str) -> str:
    """What an interface of this group carries."""
    return f"{TAG}, group {group}" if group else TAG


def create(
    config: AgentConfig, interfaces: Mapping[str, Interface], group: str = ""
) -> dict[str, MacvlanSetup]:
    """The macvlans that the virtual routers of a group want, down, by the router's name."""
    wanted = [router for router in config.virtual_router if router.virtual_mac != "off"]
    for router in wanted:
        _require_room(router, interfaces)
    tag = alias(group)
    return {router.name: _create(router, interfaces[router.interface].index, tag) for router in wanted}


def remove_all(group: str = "") -> list[str]:
    """Delete every interface that carries the group's tag, as a killed agent leaves them; their names."""
    removed = []
    with IPRoute() as route:
        for link in route.get_links():
            if link.get_attr("IFLA_IFALIAS") != alias(group):
                continue
            try:
                route.link("del", index=link["index"])
            except NetlinkError:
                continue  # it went by itself
            removed.append(link.get_attr("IFLA_IFNAME"))
    return removed


def _require_room(router: VirtualRouterConfig, interfaces: Mapping[str, Interface]) -> None:
    """Two owners of a MAC, or an address also behind another one, would fight for it."""
    mac = virtual_mac(router.vrid, router.family)
    base = interfaces[router.interface].index
    for name, interface in interfaces.items():
        if interface.mac == mac and interface.below == base:
            raise HostError(
                f"{router.name}: {name} has the virtual MAC {mac} already (does keepalived run here? else:"
                f" ip link del {name})"
            )
    there = {address.ip for address in interfaces[router.interface].addresses}
    for vip in router.vips:
        if vip.ip in there:
            raise HostError(
                f"{router.name}: {vip!s} is configured on {router.interface} by somebody else, so that its"
                " own MAC would answer beside the virtual one"
            )


def _create(router: VirtualRouterConfig, base: int, tag: str) -> MacvlanSetup:
    name = f"vrrp{router.family}.{router.vrid}.{base}"
    mac = virtual_mac(router.vrid, router.family)
    with IPRoute() as route:
        try:
            route.link("add", ifname=name, kind="macvlan", link=base, macvlan_mode="bridge", address=mac)
            index = route.link_lookup(ifname=name)[0]
            route.link("set", index=index, ifalias=tag)
        except NetlinkError as error:
            why = os.strerror(error.code)
            raise HostError(f"{router.name}: no macvlan {name} on {router.interface}: {why}") from error
    _configure(f"ipv4/conf/{name}", _IPV4)
    _configure(f"ipv6/conf/{name}", _IPV6)
    return MacvlanSetup(name=name, index=index, mac=mac, up=_message(index, _IFF_UP), down=_message(index, 0))


def _configure(where: str, values: Mapping[str, str]) -> None:
    for key, value in values.items():
        path = _SYSCTL / where / key
        try:
            path.write_text(value)
        except FileNotFoundError:
            continue  # a kernel without IPv6
        except OSError as error:
            raise HostError(f"{path} cannot be set to {value}: {error.strerror}") from error


def _message(index: int, flags: int) -> bytes:
    """The netlink message that sets an interface up or down, ready to send."""
    message = ifinfmsg()
    message["index"] = index
    message["flags"] = flags
    message["change"] = _IFF_UP
    message["header"]["type"] = _RTM_NEWLINK
    message["header"]["flags"] = _REQUEST_ACK
    message["attrs"] = []
    message.encode()
    return bytes(message.data)
