"""Sans-IO: advertisements as a neighbour sends them, read leniently, to see the wrong ones too."""

import ipaddress
import struct
from dataclasses import dataclass

from haagent.peer.messages import Hello

PROTOCOL = 112
_IPV4, _IPV6 = 0x0800, 0x86DD


@dataclass(slots=True, frozen=True)
class HeardAdvertisement:
    """One VRRP packet off the wire."""

    mac: str
    source: str
    ttl: int
    version: int
    vrid: int
    priority: int
    interval: float  # seconds
    addresses: tuple[str, ...]

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.source else 4


def sources(hello: Hello) -> tuple[str, ...]:
    """Where a peer says that its advertisements come from, IPv4 and IPv6."""
    ipv4 = tuple(str(ipaddress.ip_address(one)) for one in hello.addresses)
    return (*ipv4, *(str(ipaddress.ip_address(one)) for one in hello.addresses6))


def read(frame: bytes) -> HeardAdvertisement | None:
    """The VRRP packet in an Ethernet frame; None when it holds none, or one that is cut off."""
    if len(frame) < 14:
        return None
    (kind,) = struct.unpack_from("!H", frame, 12)
    packet = frame[14:]
    if kind == _IPV4 and len(packet) >= 20 and packet[9] == PROTOCOL:
        header, ttl, source = (packet[0] & 0x0F) * 4, packet[8], packet[12:16]
    elif kind == _IPV6 and len(packet) >= 40 and packet[6] == PROTOCOL:
        header, ttl, source = 40, packet[7], packet[8:24]
    else:
        return None
    pdu = packet[header:]
    size = len(source)
    if len(pdu) < 8 or len(pdu) < 8 + pdu[3] * size or pdu[0] & 0x0F != 1:
        return None
    version = pdu[0] >> 4
    interval = float(pdu[5]) if version == 2 else (struct.unpack_from("!H", pdu, 4)[0] & 0xFFF) / 100
    places = range(8, 8 + pdu[3] * size, size)
    return HeardAdvertisement(
        mac=frame[6:12].hex(":"),
        source=str(ipaddress.ip_address(source)),
        ttl=ttl,
        version=version,
        vrid=pdu[1],
        priority=pdu[2],
        interval=interval,
        addresses=tuple(str(ipaddress.ip_address(pdu[at : at + size])) for at in places),
    )
