"""Sans-IO: VRRPv3 over IPv4 off the wire: the checks of RFC 9568 section 7.1 in order, each failure named.

Deviations: both forms of the IPv4 checksum are accepted (with a pseudo-header as keepalived and FRR read RFC
5798, without as RFC 9568 says); what follows the addresses is ignored; unicast is not accepted.
"""

import struct
from collections.abc import Container
from enum import StrEnum
from ipaddress import IPv4Address

from haagent.vrrp.router import Advertisement

PROTOCOL = 112
TTL = 255  # section 5.1.1.3: a router would have lowered it, so the sender is on this link
VERSION = 3
TYPE_ADVERTISEMENT = 1
GROUP = int(IPv4Address("224.0.0.18"))  # section 5.1.1.2
MAX_INTERVAL_CS = 0xFFF

_IP = struct.Struct("!BBHHHBBHII")
_VRRP = struct.Struct("!BBBBHH")
_PSEUDO = struct.Struct("!IIBBH")


class Discard(StrEnum):
    """Why a packet was not taken, in the order of the checks."""

    IP_HEADER = "ip_header"
    TTL = "ttl"
    VERSION = "version"
    TYPE = "type"
    LENGTH = "length"
    CHECKSUM = "checksum"
    VRID = "vrid"
    COUNT = "count"
    INTERVAL = "interval"
    DESTINATION = "destination"
    OWN = "own"  # ours come back (a loop, or another host with our address)


class AdvertisementReader:
    """Reads the packets of one interface; `discards` counts what it did not take, by reason."""

    def __init__(self, vrids: Container[int], own_address: int = 0) -> None:
        self._vrids = vrids
        self._own_address = own_address
        self.discards = dict.fromkeys(Discard, 0)

    def read(self, packet: bytes) -> Advertisement | Discard:
        """The advertisement in an IPv4 packet (header first), or why there is none; never raises."""
        result = decode(packet, self._vrids, self._own_address)
        if isinstance(result, Discard):
            self.discards[result] += 1
        return result


def decode(  # noqa: PLR0911 - the ladder of the RFC, one rung after the other
    packet: bytes, vrids: Container[int], own_address: int = 0
) -> Advertisement | Discard:
    """Section 7.1 from top to bottom."""
    header = _ip_payload(packet)
    if isinstance(header, Discard):
        return header
    ttl, source, destination, pdu = header
    if ttl != TTL:
        return Discard.TTL
    if not pdu:
        return Discard.LENGTH
    if pdu[0] >> 4 != VERSION:
        return Discard.VERSION
    if pdu[0] & 0x0F != TYPE_ADVERTISEMENT:
        return Discard.TYPE
    if len(pdu) < _VRRP.size or len(pdu) < _VRRP.size + 4 * pdu[3]:
        return Discard.LENGTH
    _, vrid, priority, count, interval_cs, _ = _VRRP.unpack_from(pdu)
    pdu = pdu[: _VRRP.size + 4 * count]
    with_pseudo_header = checksum(pseudo_header(source, destination, len(pdu)) + pdu) == 0
    if not with_pseudo_header and checksum(pdu) != 0:
        return Discard.CHECKSUM
    if vrid not in vrids:
        return Discard.VRID
    if count == 0:  # erratum 8299
        return Discard.COUNT
    interval_cs &= MAX_INTERVAL_CS  # the upper nibble is reserved: ignored (section 5.2.6)
    if interval_cs == 0:  # erratum 8301
        return Discard.INTERVAL
    if destination != GROUP:
        return Discard.DESTINATION
    if source == own_address:
        return Discard.OWN
    addresses = struct.unpack_from(f"!{count}I", pdu, _VRRP.size)
    return Advertisement(vrid, priority, interval_cs / 100, source, addresses, with_pseudo_header)


def pseudo_header(source: int, destination: int, length: int) -> bytes:
    """RFC 5798 section 5.2.8, for IPv4."""
    return _PSEUDO.pack(source, destination, 0, PROTOCOL, length)


def checksum(data: bytes) -> int:
    """RFC 1071; 0 over data whose checksum field is right."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _ip_payload(packet: bytes) -> tuple[int, int, int, bytes] | Discard:
    """TTL, source, destination and payload of an IPv4 packet of our protocol that is whole."""
    if len(packet) < _IP.size:
        return Discard.IP_HEADER
    first, _, length, _, fragment, ttl, protocol, _, source, destination = _IP.unpack_from(packet)
    header = (first & 0x0F) * 4
    if first >> 4 != 4 or header < _IP.size or not header <= length <= len(packet):
        return Discard.IP_HEADER
    if protocol != PROTOCOL or fragment & 0x3FFF:  # more fragments, or not the first
        return Discard.IP_HEADER
    return ttl, source, destination, packet[header:length]
