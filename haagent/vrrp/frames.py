"""Sans-IO: the packets of one virtual router, built by scapy once per change and sent as bytes.

Deviations from RFC 9568: unless `virtual_mac` is on, frames leave from the interface's own MAC address (as
keepalived does by default; clients learn by gratuitous ARP). The addresses of an IPv4 virtual router may have
IPv6 addresses beside them that no advertisement names; these are announced with the router flag clear.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

from scapy.layers.inet import IP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from haagent.vrrp.authentication import TRAILER_SIZE
from haagent.vrrp.pdu import (
    GROUP,
    GROUP6,
    PROTOCOL,
    TTL,
    VERSION_3,
    Template,
    encode,
    pseudo_header,
)

Checksum = Literal["rfc5798", "rfc9568"]
Address = IPv4Address | IPv6Address

GROUP_MAC = "01:00:5e:00:00:12"  # RFC 1112 section 6.4
GROUP6_MAC = "33:33:00:00:00:12"  # RFC 2464 section 7
INTERNETWORK_CONTROL = 0xC0  # as keepalived marks its advertisements
ALL_NODES = "ff02::1"
ALL_NODES_MAC = "33:33:00:00:00:01"
BROADCAST = "ff:ff:ff:ff:ff:ff"
ZERO_MAC = "00:00:00:00:00:00"
ARP_REQUEST, ARP_REPLY = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A virtual router as its advertisements show it; `source` decides about their family."""

    vrid: int
    interval: float
    mac: str
    source: Address
    vips: Sequence[Address]
    version: int = VERSION_3
    style: Checksum = "rfc5798"
    password: bytes | None = None
    signed: bool = False  # the guard appends an HMAC trailer

    @property
    def carried(self) -> list[Address]:
        """Section 5.2.9: one family per packet, an IPv6 link-local address first."""
        carried = [vip for vip in self.vips if vip.version == self.source.version]
        return sorted(carried, key=lambda vip: not vip.is_link_local) if self.source.version == 6 else carried


def multicast(sender: Sender) -> Template:
    """The ADVERTISEMENT to the group, section 5, as an Ethernet frame."""
    pdu = _pdu(sender)
    if sender.source.version == 6:
        ether = Ether(src=sender.mac, dst=GROUP6_MAC)
        header = IPv6(src=str(sender.source), dst=str(GROUP6), hlim=TTL, tc=INTERNETWORK_CONTROL, nh=PROTOCOL)
    else:
        ether = Ether(src=sender.mac, dst=GROUP_MAC)
        header = IP(
            src=str(sender.source), dst=str(GROUP), ttl=TTL, tos=INTERNETWORK_CONTROL, proto=PROTOCOL, id=0
        )
    room = pdu + bytes(_trailer(sender))
    head = bytes(ether / header / Raw(room))[: -len(room)]
    group = GROUP6 if sender.source.version == 6 else GROUP
    return Template("", head, pdu, _pseudo(sender, group, len(pdu)))


def unicast(sender: Sender, peer: Address) -> Template:
    """The ADVERTISEMENT to one peer; the kernel finds the way and writes the header."""
    pdu = _pdu(sender)
    return Template(str(peer), b"", pdu, _pseudo(sender, peer, len(pdu)))


def announce(vip: Address, mac: str, *, router: bool = False) -> tuple[bytes, ...]:
    """What tells every host on the link that the address is now behind this MAC.

    `router`: RFC 9568 section 6.4.2 sets the router flag for the addresses of an IPv6 virtual router.
    """
    address = str(vip)
    if vip.version == 4:
        return (
            _gratuitous_arp(address, mac, ARP_REQUEST, ZERO_MAC),
            _gratuitous_arp(address, mac, ARP_REPLY, BROADCAST),
        )
    frame = (
        Ether(src=mac, dst=ALL_NODES_MAC)
        / IPv6(src=address, dst=ALL_NODES, hlim=255)
        / ICMPv6ND_NA(tgt=address, R=int(router), S=0, O=1)
        / ICMPv6NDOptDstLLAddr(lladdr=mac)
    )
    return (bytes(frame),)


def _pdu(sender: Sender) -> bytes:
    return encode(
        version=sender.version,
        vrid=sender.vrid,
        interval=sender.interval,
        addresses=sender.carried,
        password=sender.password,
    )


def _pseudo(sender: Sender, destination: Address, length: int) -> bytes:
    """Version 2 has none (RFC 3768 section 5.3.8), version 3 over IPv4 by configuration."""
    if sender.source.version == 4 and (sender.version != VERSION_3 or sender.style == "rfc9568"):
        return b""
    covered = length + (_trailer(sender) if sender.source.version == 6 else 0)
    return pseudo_header(sender.source.packed, destination.packed, covered)


def _trailer(sender: Sender) -> int:
    return TRAILER_SIZE if sender.signed else 0


def _gratuitous_arp(address: str, mac: str, operation: int, target_mac: str) -> bytes:
    """The request form is RFC 5227's ARP announcement; some equipment learns from replies only."""
    arp = ARP(op=operation, hwsrc=mac, psrc=address, hwdst=target_mac, pdst=address)
    return bytes(Ether(src=mac, dst=BROADCAST) / arp)
