"""Sans-IO: VRRP off the wire: the checks of RFC 9568 and RFC 3768 section 7.1 in order, each failure named.

Deviations: both forms of the IPv4 checksum are accepted (with a pseudo-header as keepalived and FRR read RFC
5798, without as RFC 9568 says); what follows the message is ignored. Authentication by a password in clear
(RFC 2338) is there for interoperation with version 2 and proves nothing; IPsec AH is not spoken.
"""

import struct
from collections.abc import Mapping
from enum import StrEnum
from hmac import compare_digest
from ipaddress import ip_address
from typing import Literal, NamedTuple

import msgspec

from haagent.vrrp.authentication import EXTENSION_TYPE, TRAILER_SIZE, Keys, Verifier
from haagent.vrrp.pdu import (
    AUTH_NONE,
    AUTH_PASSWORD,
    GROUP,
    GROUP6,
    HEADER,
    PASSWORD_SIZE,
    PROTOCOL,
    TTL,
    TYPE_ADVERTISEMENT,
    VERSION_2,
    VERSION_3,
    checksum,
    pseudo_header,
)
from haagent.vrrp.router import PRIORITY_OWNER, Advertisement

MAX_INTERVAL_CS = 0xFFF
GROUPS = frozenset((GROUP.packed, GROUP6.packed))

_IP = struct.Struct("!BBHHHBBH4s4s")


class Discard(StrEnum):
    """Why a packet was not taken, in the order of the checks."""

    IP_HEADER = "ip_header"
    TTL = "ttl"
    VERSION = "version"
    TYPE = "type"
    LENGTH = "length"
    CHECKSUM = "checksum"
    VRID = "vrid"
    OWN = "own"  # ours come back (a loop, or another host with our address)
    DESTINATION = "destination"
    STRANGER = "stranger"  # not one of the peers
    OWNER = "owner"  # version 2: an address owner listens to nobody
    AUTH_TYPE = "auth_type"
    AUTH = "auth"
    UNSIGNED = "unsigned"  # HMAC trailer: there is none
    SIGNATURE = "signature"  # wrong, or by a key that we do not have
    REPLAY = "replay"
    COUNT = "count"
    FIRST_ADDRESS = "first_address"  # IPv6: not the link-local one
    VIPS = "vips"
    INTERVAL = "interval"


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What one virtual router takes; addresses are packed as on the wire."""

    version: int = VERSION_3
    interval: float = 1.0  # version 2: another one is refused
    password: bytes | None = None  # version 2
    addresses: frozenset[bytes] = frozenset()  # our VIPs as they are advertised; empty: not compared
    mismatch: Literal["rfc", "drop", "accept"] = "accept"  # what is done when theirs are others
    owner: bool = False
    unicast: bool = False
    allowed: frozenset[bytes] = frozenset()  # senders; empty: any (multicast only)
    min_ttl: int = TTL
    keys: Keys | None = None


STRICT = Terms()


class Datagram(NamedTuple):
    """A packet without its IP header."""

    ttl: int
    source: bytes
    destination: bytes
    pdu: bytes


class AdvertisementReader:
    """Reads the packets of one interface and family; counts by reason what it did not take.

    `mismatches` counts what was taken although its sender is configured otherwise than we are.
    """

    def __init__(self, terms: Mapping[int, Terms], own: bytes = b"") -> None:
        self._terms: Mapping[int, Terms] = {}
        self._own = own
        self.discards = dict.fromkeys(Discard, 0)
        self.mismatches = {"vips": 0, "interval": 0}
        self._verifiers: dict[int, Verifier] = {}
        self.renew(terms)

    def renew(self, terms: Mapping[int, Terms]) -> None:
        """Read by other terms from now on; what signed senders have said already is not forgotten."""
        self._terms, before = terms, self._verifiers
        self._verifiers = {
            vrid: Verifier(of.keys, before.get(vrid)) for vrid, of in terms.items() if of.keys is not None
        }

    def read(self, packet: bytes | Datagram, utc: float = 0.0) -> Advertisement | Discard:
        """The advertisement in a packet (IPv4: header first), or why there is none; never raises.

        `utc` is the wall clock, for signed advertisements.
        """
        datagram = packet if isinstance(packet, Datagram) else ipv4(packet)
        result = datagram if isinstance(datagram, Discard) else decode(datagram, self._terms, self._own)
        if self._verifiers and isinstance(datagram, Datagram) and not isinstance(result, Discard):
            result = self._verify(datagram, result, utc)
        if isinstance(result, Discard):
            self.discards[result] += 1
            return result
        terms = self._terms[result.vrid]
        if terms.addresses and frozenset(result.addresses) != terms.addresses:
            self.mismatches["vips"] += 1
        if abs(result.interval - terms.interval) > 1e-6:
            self.mismatches["interval"] += 1
        return result

    def _verify(self, datagram: Datagram, advert: Advertisement, utc: float) -> Advertisement | Discard:
        verifier = self._verifiers.get(advert.vrid)
        size = _size(datagram)
        if verifier is None or size is None:
            return advert
        pdu = datagram.pdu
        trailer = pdu[size:] if _is_signed(pdu, size) else b""
        refusal = verifier.check(datagram.source, pdu[:size], trailer, utc)
        return advert if refusal is None else Discard(refusal)


def decode(packet: bytes | Datagram, terms: Mapping[int, Terms], own: bytes = b"") -> Advertisement | Discard:
    """Section 7.1 from top to bottom."""
    datagram = packet if isinstance(packet, Datagram) else ipv4(packet)
    if isinstance(datagram, Discard):
        return datagram
    pdu = datagram.pdu
    mine = terms.get(pdu[1]) if len(pdu) > 1 else None
    with_pseudo_header = _check_message(datagram, mine or STRICT, any_version=mine is None)
    if isinstance(with_pseudo_header, Discard):
        return with_pseudo_header
    if mine is None:
        return Discard.VRID
    refusal = _check_sender(datagram, mine, own)
    if refusal is not None:
        return refusal
    return _check_contents(datagram, mine, with_pseudo_header)


def _check_message(  # noqa: PLR0911 - the ladder of the RFC, one rung after the other
    datagram: Datagram, terms: Terms, *, any_version: bool
) -> bool | Discard:
    """The message for itself; True or False: whether its checksum covers a pseudo-header."""
    ttl, source, destination, pdu = datagram
    if ttl < terms.min_ttl:
        return Discard.TTL
    if not pdu:
        return Discard.LENGTH
    version = pdu[0] >> 4
    if version != terms.version and not (any_version and version in (VERSION_2, VERSION_3)):
        return Discard.VERSION
    if pdu[0] & 0x0F != TYPE_ADVERTISEMENT:
        return Discard.TYPE
    size = _size(datagram)
    if size is None:
        return Discard.LENGTH
    if len(source) == 16:
        covered = pdu if _is_signed(pdu, size) else pdu[:size]  # a trailer is covered over IPv6 alone
        good = checksum(pseudo_header(source, destination, len(covered)) + covered) == 0
        return True if good else Discard.CHECKSUM
    pdu = pdu[:size]
    if version == VERSION_3 and checksum(pseudo_header(source, destination, size) + pdu) == 0:
        return True
    return False if checksum(pdu) == 0 else Discard.CHECKSUM


def _check_sender(datagram: Datagram, terms: Terms, own: bytes) -> Discard | None:
    """Who speaks, to whom, and whether we may listen."""
    _, source, destination, pdu = datagram
    if source == own:
        return Discard.OWN
    if destination not in ((own,) if terms.unicast else GROUPS):
        return Discard.DESTINATION
    if source not in terms.allowed and (terms.allowed or terms.unicast):
        return Discard.STRANGER
    return _check_version_2(pdu, terms) if terms.version == VERSION_2 else None


def _check_version_2(pdu: bytes, terms: Terms) -> Discard | None:
    """RFC 3768 section 7.1: not as an owner, and only with the authentication that is configured."""
    if terms.owner:
        return Discard.OWNER
    if pdu[4] != (AUTH_NONE if terms.password is None else AUTH_PASSWORD):
        return Discard.AUTH_TYPE
    at = HEADER.size + 4 * pdu[3]
    if terms.password is not None and not compare_digest(pdu[at : at + PASSWORD_SIZE], terms.password):
        return Discard.AUTH
    return None


def _check_contents(  # noqa: PLR0911 - the ladder of the RFC, one rung after the other
    datagram: Datagram, terms: Terms, with_pseudo_header: bool
) -> Advertisement | Discard:
    """Addresses and interval."""
    _, source, _, pdu = datagram
    _, vrid, priority, count, interval_cs, _ = HEADER.unpack_from(pdu)
    sender = int.from_bytes(source)
    if count == 0:  # erratum 8299
        return Discard.COUNT
    octets = len(source)
    end = HEADER.size + octets * count
    addresses = tuple(pdu[at : at + octets] for at in range(HEADER.size, end, octets))
    if octets == 16 and not ip_address(pdu[HEADER.size : HEADER.size + 16]).is_link_local:  # erratum 8300
        return Discard.FIRST_ADDRESS
    if terms.addresses and frozenset(addresses) != terms.addresses and _refuses(terms, priority):
        return Discard.VIPS
    if terms.version == VERSION_2:
        if pdu[5] != round(terms.interval):
            return Discard.INTERVAL  # RFC 3768 section 7.1
        return Advertisement(vrid, priority, float(pdu[5]), sender, addresses, False)
    interval_cs &= MAX_INTERVAL_CS  # the upper nibble is reserved: ignored (section 5.2.6)
    if interval_cs == 0:  # erratum 8301
        return Discard.INTERVAL
    return Advertisement(vrid, priority, interval_cs / 100, sender, addresses, with_pseudo_header)


def _refuses(terms: Terms, priority: int) -> bool:
    """RFC 3768: other addresses are dropped unless they are the owner's; RFC 9568: they are logged."""
    if terms.mismatch == "rfc":
        return terms.version == VERSION_2 and priority != PRIORITY_OWNER
    return terms.mismatch == "drop"


def _size(datagram: Datagram) -> int | None:
    """The octets of the message, or None when they are not all there."""
    pdu = datagram.pdu
    if len(pdu) < HEADER.size:
        return None
    size = HEADER.size + len(datagram.source) * pdu[3]
    if pdu[0] >> 4 == VERSION_2:
        size += PASSWORD_SIZE  # RFC 3768 section 5.3.10: there also without authentication
    return size if len(pdu) >= size else None


def _is_signed(pdu: bytes, size: int) -> bool:
    """Whether the HMAC trailer follows the message."""
    return len(pdu) == size + TRAILER_SIZE and pdu[size] == EXTENSION_TYPE


def ipv4(packet: bytes) -> Datagram | Discard:
    """TTL, source, destination and payload of an IPv4 packet of our protocol that is whole."""
    if len(packet) < _IP.size:
        return Discard.IP_HEADER
    first, _, length, _, fragment, ttl, protocol, _, source, destination = _IP.unpack_from(packet)
    header = (first & 0x0F) * 4
    if first >> 4 != 4 or header < _IP.size or not header <= length <= len(packet):
        return Discard.IP_HEADER
    if protocol != PROTOCOL or fragment & 0x3FFF:  # more fragments, or not the first
        return Discard.IP_HEADER
    return Datagram(ttl, source, destination, packet[header:length])
