"""ADVERTISEMENTs as the agent sends them, for the tests of those who read them."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

from haagent.vrrp.frames import Checksum, Sender, multicast
from haagent.vrrp.packet import Datagram, Terms

ANY_VRID = dict.fromkeys(range(256), Terms())
ETHERNET, IPV4, IPV6 = 14, 20, 40  # octets of their headers


def advertisement(
    *,
    vrid: int,
    priority: int,
    interval: float,
    source: IPv4Address | IPv6Address,
    vips: Sequence[IPv4Address | IPv6Address],
    mac: str = "02:00:00:00:00:0a",
    style: Checksum = "rfc5798",
    version: int = 3,
    password: bytes | None = None,
) -> bytes:
    """The whole frame."""
    sender = Sender(
        vrid=vrid,
        interval=interval,
        mac=mac,
        source=source,
        vips=vips,
        style=style,
        version=version,
        password=password,
    )
    return multicast(sender).packet(priority)


def datagram6(frame: bytes) -> Datagram:
    """What the kernel would hand over of a frame with an IPv6 packet."""
    header, pdu = frame[ETHERNET : ETHERNET + IPV6], frame[ETHERNET + IPV6 :]
    return Datagram(header[7], header[8:24], header[24:40], pdu)
