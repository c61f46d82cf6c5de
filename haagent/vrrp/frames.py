"""Sans-IO: the Ethernet frames of one virtual router, built by scapy once per change and sent as bytes.

Deviations from RFC 9568: frames leave from the interface's own MAC address, not from the virtual one (as
keepalived does by default; clients learn by gratuitous ARP); neighbour advertisements have the router flag
clear, since a SIP server is a host.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

from scapy.layers.inet import IP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.layers.vrrp import VRRPv3

from haagent.vrrp.packet import PROTOCOL, TTL, checksum
from haagent.vrrp.timers import centiseconds

Checksum = Literal["rfc5798", "rfc9568"]

GROUP = "224.0.0.18"
GROUP_MAC = "01:00:5e:00:00:12"  # RFC 1112 section 6.4
INTERNETWORK_CONTROL = 0xC0  # as keepalived marks its advertisements
ALL_NODES = "ff02::1"
ALL_NODES_MAC = "33:33:00:00:00:01"
BROADCAST = "ff:ff:ff:ff:ff:ff"
ZERO_MAC = "00:00:00:00:00:00"
IP_HEADER_SIZE = 20
ARP_REQUEST, ARP_REPLY = 1, 2


@dataclass(frozen=True, slots=True)
class FrameSet:
    """Everything that one virtual router may send."""

    advertisements: dict[int, bytes]  # by priority; 0 is among them
    announcements: tuple[bytes, ...]  # gratuitous ARP (both forms) and neighbour advertisements


def build_frames(
    *,
    vrid: int,
    priorities: Iterable[int],
    interval: float,
    mac: str,
    source: IPv4Address,
    vips: Sequence[IPv4Address | IPv6Address],
    style: Checksum = "rfc5798",
) -> FrameSet:
    """All frames of a virtual router; priority 0 is added."""
    carried = [vip for vip in vips if vip.version == 4]  # section 5.2.9: one family per packet
    advertisements = {
        priority: advertisement(
            vrid=vrid, priority=priority, interval=interval, mac=mac, source=source, vips=carried, style=style
        )
        for priority in {0, *priorities}
    }
    announcements = tuple(frame for vip in vips for frame in announce(vip, mac))
    return FrameSet(advertisements, announcements)


def advertisement(
    *,
    vrid: int,
    priority: int,
    interval: float,
    mac: str,
    source: IPv4Address,
    vips: Sequence[IPv4Address | IPv6Address],
    style: Checksum = "rfc5798",
) -> bytes:
    """One ADVERTISEMENT to the group, section 5."""
    vrrp = VRRPv3(
        vrid=vrid,
        priority=priority,
        ipcount=len(vips),
        adv=centiseconds(interval),
        addrlist=[str(vip) for vip in vips],
    )
    ip = IP(src=str(source), dst=GROUP, ttl=TTL, tos=INTERNETWORK_CONTROL, proto=PROTOCOL, id=0)
    if style == "rfc9568":  # scapy knows only the form with a pseudo-header
        vrrp.chksum = 0
        vrrp.chksum = checksum(bytes(ip / vrrp)[IP_HEADER_SIZE:])
    return bytes(Ether(src=mac, dst=GROUP_MAC) / ip / vrrp)


def announce(vip: IPv4Address | IPv6Address, mac: str) -> tuple[bytes, ...]:
    """What tells every host on the link that the address is now behind this MAC."""
    address = str(vip)
    if vip.version == 4:
        return (
            _gratuitous_arp(address, mac, ARP_REQUEST, ZERO_MAC),
            _gratuitous_arp(address, mac, ARP_REPLY, BROADCAST),
        )
    frame = (
        Ether(src=mac, dst=ALL_NODES_MAC)
        / IPv6(src=address, dst=ALL_NODES, hlim=255)
        / ICMPv6ND_NA(tgt=address, R=0, S=0, O=1)
        / ICMPv6NDOptDstLLAddr(lladdr=mac)
    )
    return (bytes(frame),)


def _gratuitous_arp(address: str, mac: str, operation: int, target_mac: str) -> bytes:
    """The request form is RFC 5227's ARP announcement; some equipment learns from replies only."""
    arp = ARP(op=operation, hwsrc=mac, psrc=address, hwdst=target_mac, pdst=address)
    return bytes(Ether(src=mac, dst=BROADCAST) / arp)
