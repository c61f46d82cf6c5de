"""Sans-IO: ADVERTISEMENTs onto the wire: VRRP version 3 (RFC 9568 section 5.2) and 2 (RFC 3768 section 5.3).

A Template is a packet whose priority is still open. It is made once per change by `haagent.vrrp.frames`; the
guard fills in a priority in 2 microseconds, so that health checks may ask for any.
"""

import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

import msgspec

PROTOCOL = 112
TTL = 255  # section 5.1.1.3: a router would have lowered it, so the sender is on this link
VERSION_2, VERSION_3 = 2, 3
TYPE_ADVERTISEMENT = 1
GROUP = IPv4Address("224.0.0.18")  # section 5.1.1.2
GROUP6 = IPv6Address("ff02::12")  # section 5.1.2.2
AUTH_NONE, AUTH_PASSWORD = 0, 1  # RFC 2338 section 5.3.6; RFC 3768 kept the field, for interoperation
PASSWORD_SIZE = 8
PRIORITY_AT, CHECKSUM_AT = 2, 6

HEADER = struct.Struct("!BBBBHH")
HEADER_V2 = struct.Struct("!BBBBBBH")
_PSEUDO = struct.Struct("!4s4sBBH")
_PSEUDO6 = struct.Struct("!16s16sIBBBB")


class Template(msgspec.Struct, array_like=True, frozen=True):
    """An ADVERTISEMENT without its priority; `to` is empty when `head` is an Ethernet and IP header."""

    to: str
    head: bytes
    pdu: bytes  # priority and checksum are 0
    pseudo: bytes  # what the checksum covers beside the message

    def packet(self, priority: int) -> bytes:
        """What is sent with this priority."""
        pdu = bytearray(self.pdu)
        pdu[PRIORITY_AT] = priority
        struct.pack_into("!H", pdu, CHECKSUM_AT, checksum(self.pseudo + pdu))
        return self.head + pdu


def encode(
    *,
    version: int,
    vrid: int,
    interval: float,
    addresses: Sequence[IPv4Address | IPv6Address],
    password: bytes | None = None,
) -> bytes:
    """The VRRP message with priority 0 and checksum 0; `interval` in seconds."""
    first = version << 4 | TYPE_ADVERTISEMENT
    body = b"".join(address.packed for address in addresses)
    if version == VERSION_3:
        return HEADER.pack(first, vrid, 0, len(addresses), max(1, min(4095, round(interval * 100))), 0) + body
    kind = AUTH_NONE if password is None else AUTH_PASSWORD
    header = HEADER_V2.pack(first, vrid, 0, len(addresses), kind, round(interval), 0)
    return header + body + (password or b"").ljust(PASSWORD_SIZE, b"\0")  # RFC 3768 section 5.3.10


def virtual_mac(vrid: int, family: int) -> str:
    """Section 7.3: of an IPv4 (4) or an IPv6 (6) virtual router."""
    return f"00:00:5e:00:{1 if family == 4 else 2:02x}:{vrid:02x}"


def pseudo_header(source: bytes, destination: bytes, length: int) -> bytes:
    """Of IPv4 as RFC 5798 section 5.2.8 was read, of IPv6 as RFC 8200 section 8.1 says."""
    if len(source) == 4:
        return _PSEUDO.pack(source, destination, 0, PROTOCOL, length)
    return _PSEUDO6.pack(source, destination, length, 0, 0, 0, PROTOCOL)


def checksum(data: bytes | bytearray) -> int:
    """RFC 1071; 0 over data whose checksum field is right."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
