"""The validation ladder of RFC 9568 section 7.1: a rung per test, checklist numbers in brackets."""

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether

from haagent.vrrp.frames import Checksum
from haagent.vrrp.packet import AdvertisementReader, Datagram, Discard, Terms, decode
from haagent.vrrp.pdu import checksum
from haagent.vrrp.router import Advertisement
from tests.kit.vrrp_packets import advertisement, datagram6

VRIDS = {51: Terms()}
SOURCE = IPv4Address("10.88.0.11")
VIPS = [IPv4Address("10.88.0.100"), IPv4Address("10.88.0.101")]


def packet(style: Checksum = "rfc5798") -> bytearray:
    frame = advertisement(
        vrid=51, priority=254, interval=0.1, mac="02:00:00:00:00:0a", source=SOURCE, vips=VIPS, style=style
    )
    return bytearray(frame[14:])


def with_pdu(**fields: int) -> bytes:
    """Our advertisement with octets of the VRRP header changed, and a checksum (RFC 9568 form) that fits."""
    changed = packet()
    for name, value in fields.items():
        changed[
            20 + {"first": 0, "vrid": 1, "priority": 2, "count": 3, "interval_high": 4, "interval": 5}[name]
        ] = value
    changed[26:28] = b"\0\0"
    changed[26:28] = struct.pack("!H", checksum(bytes(changed[20 : 28 + 4 * changed[23]])))
    return bytes(changed)


def test_a_good_packet_is_read() -> None:
    addresses = tuple(vip.packed for vip in VIPS)
    assert decode(bytes(packet()), VRIDS) == Advertisement(51, 254, 0.1, int(SOURCE), addresses, True)


@pytest.mark.parametrize("style", ["rfc5798", "rfc9568"])
def test_both_forms_of_the_checksum_are_accepted(style: Checksum) -> None:
    """[9, 15]"""
    read = decode(bytes(packet(style)), VRIDS)
    assert isinstance(read, Advertisement)
    assert read.with_pseudo_header is (style == "rfc5798")


@pytest.mark.parametrize("ttl", [0, 3, 64, 254])
def test_ttl_other_than_255_is_discarded_first_of_all(ttl: int) -> None:
    """[11]"""
    broken = packet()
    broken[8], broken[20] = ttl, 0
    assert decode(bytes(broken), VRIDS) is Discard.TTL


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"first": 0x21}, Discard.VERSION),  # [12]
        ({"first": 0x32}, Discard.TYPE),  # [13]
        ({"vrid": 52}, Discard.VRID),  # [16]
        ({"count": 0}, Discard.COUNT),  # [17]
        ({"interval": 0}, Discard.INTERVAL),  # [18]
        ({"interval": 0, "interval_high": 0xF0}, Discard.INTERVAL),  # [18, 20]
    ],
)
def test_a_wrong_field_is_discarded_with_its_reason(fields: dict[str, int], reason: Discard) -> None:
    assert decode(with_pdu(**fields), VRIDS) is reason


def test_a_packet_that_is_not_complete_is_discarded() -> None:
    """[14]"""
    whole = packet()
    whole[23] = 3  # one address more than there is
    assert decode(bytes(whole), VRIDS) is Discard.LENGTH
    assert decode(bytes(IP(src=str(SOURCE), dst="224.0.0.18", ttl=255, proto=112)), VRIDS) is Discard.LENGTH


def test_a_wrong_checksum_is_discarded_before_the_vrid_is_looked_at() -> None:
    """[15, 16]"""
    broken = packet()
    broken[21] = 99
    assert decode(bytes(broken), VRIDS) is Discard.CHECKSUM


def test_the_reserved_nibble_is_ignored() -> None:
    """[20]"""
    read = decode(with_pdu(interval_high=0xA1, interval=0x2C), VRIDS)
    assert isinstance(read, Advertisement)
    assert read.interval == 3.0


@pytest.mark.parametrize("priority", [0, 1, 255])
def test_any_priority_is_read_also_the_owners(priority: int) -> None:
    """[21, 22]"""
    read = decode(with_pdu(priority=priority), VRIDS)
    assert isinstance(read, Advertisement)
    assert read.priority == priority


def test_another_interval_than_ours_is_no_reason_to_discard() -> None:
    """[23]"""
    assert isinstance(decode(with_pdu(interval=77), VRIDS), Advertisement)


def test_unicast_is_not_accepted() -> None:
    inner = bytes(packet("rfc9568")[20:])
    sent = bytes(IP(src=str(SOURCE), dst="10.88.0.12", ttl=255, proto=112) / inner)
    assert decode(sent, VRIDS) is Discard.DESTINATION


def test_what_follows_the_addresses_is_ignored() -> None:
    inner = bytes(packet("rfc9568")[20:]) + b"trailer!"
    sent = bytes(IP(src=str(SOURCE), dst="224.0.0.18", ttl=255, proto=112) / inner)
    assert isinstance(decode(sent, VRIDS), Advertisement)


def test_our_own_packet_coming_back_is_discarded() -> None:
    assert decode(bytes(packet()), VRIDS, SOURCE.packed) is Discard.OWN


def test_every_truncation_is_discarded() -> None:
    whole = bytes(packet())
    for size in range(len(whole)):
        assert isinstance(decode(whole[:size], VRIDS), Discard)


def test_a_fragment_and_a_foreign_protocol_are_no_vrrp() -> None:
    fragment, foreign = packet(), packet()
    fragment[6] = 0x20
    foreign[9] = 17
    assert decode(bytes(fragment), VRIDS) is Discard.IP_HEADER
    assert decode(bytes(foreign), VRIDS) is Discard.IP_HEADER


def test_the_reader_counts_by_reason() -> None:
    reader = AdvertisementReader(VRIDS)
    reader.read(b"")
    reader.read(with_pdu(vrid=7))
    reader.read(with_pdu(vrid=7))
    reader.read(bytes(packet()))
    assert {k: v for k, v in reader.discards.items() if v} == {Discard.IP_HEADER: 1, Discard.VRID: 2}


def test_the_ethernet_frame_carries_what_section_5_1_asks_for() -> None:
    """[1, 2, 3]"""
    frame = Ether(
        advertisement(vrid=51, priority=1, interval=1.0, mac="02:00:00:00:00:0a", source=SOURCE, vips=VIPS)
    )
    assert (frame.src, frame.dst) == ("02:00:00:00:00:0a", "01:00:5e:00:00:12")
    ip = frame[IP]
    assert (ip.src, ip.dst, ip.ttl, ip.tos, ip.proto) == (str(SOURCE), "224.0.0.18", 255, 0xC0, 112)


def version_2(interval: float = 1.0, priority: int = 100, password: bytes | None = None) -> bytes:
    frame = advertisement(
        vrid=51,
        priority=priority,
        interval=interval,
        source=SOURCE,
        vips=VIPS,
        version=2,
        password=password,
    )
    return frame[14:]


OURS = frozenset(vip.packed for vip in VIPS)


def test_version_2_wants_exactly_our_interval() -> None:
    """[23, 27]"""
    terms = {51: Terms(version=2, interval=2.0)}
    assert decode(version_2(interval=1.0), terms) is Discard.INTERVAL
    read = decode(version_2(interval=2.0), terms)
    assert isinstance(read, Advertisement)
    assert read.interval == 2.0


def test_version_2_is_no_version_3_and_the_reverse() -> None:
    """[12]"""
    assert decode(version_2(), VRIDS) is Discard.VERSION
    assert decode(bytes(packet()), {51: Terms(version=2)}) is Discard.VERSION


def test_an_owner_of_version_2_listens_to_nobody() -> None:
    """[21]: RFC 3768 section 7.1; in version 3 erratum 8298 has it processed."""
    assert decode(version_2(), {51: Terms(version=2, owner=True)}) is Discard.OWNER
    assert isinstance(decode(bytes(packet()), {51: Terms(owner=True)}), Advertisement)


def test_version_2_without_its_authentication_data_is_not_complete() -> None:
    """[14]"""
    whole = bytearray(version_2())
    whole[2:4] = struct.pack("!H", len(whole) - 1)
    assert decode(bytes(whole[:-1]), {51: Terms(version=2)}) is Discard.LENGTH


@pytest.mark.parametrize(
    ("version", "mismatch", "priority", "taken"),
    [
        (3, "rfc", 100, True),
        (3, "drop", 100, False),
        (2, "rfc", 100, False),
        (2, "rfc", 255, True),
        (2, "accept", 100, True),
    ],
)
def test_other_addresses_are_dropped_or_counted(
    version: int, mismatch: Literal["rfc", "drop", "accept"], priority: int, taken: bool
) -> None:
    """[24]"""
    terms = Terms(version=version, addresses=frozenset((b"\x0a\x58\x00\x63",)), mismatch=mismatch)
    sent = with_pdu(priority=priority, interval=100) if version == 3 else version_2(priority=priority)
    reader = AdvertisementReader({51: terms})
    assert isinstance(reader.read(sent), Advertisement) is taken
    assert reader.mismatches["vips"] == int(taken)
    assert reader.discards[Discard.VIPS] == int(not taken)
    same = AdvertisementReader({51: Terms(version=version, addresses=OURS, mismatch="drop")})
    assert isinstance(same.read(sent), Advertisement)
    assert same.mismatches["vips"] == 0


def test_another_interval_is_counted() -> None:
    """[23]"""
    reader = AdvertisementReader({51: Terms(interval=1.0)})
    reader.read(bytes(packet()))
    assert reader.mismatches["interval"] == 1


def test_who_is_not_allowed_is_a_stranger_also_to_the_group() -> None:
    allowed = Terms(allowed=frozenset((SOURCE.packed,)))
    assert isinstance(decode(bytes(packet()), {51: allowed}), Advertisement)
    other = Terms(allowed=frozenset((b"\x0a\x58\x00\x0c",)))
    assert decode(bytes(packet()), {51: other}) is Discard.STRANGER


def unicast_packet(to: str, ttl: int = 255) -> bytes:
    inner = bytes(packet("rfc9568")[20:])
    return bytes(IP(src=str(SOURCE), dst=to, ttl=ttl, proto=112) / inner)


def test_a_unicast_router_takes_packets_to_itself_from_its_peers_alone() -> None:
    terms = {51: Terms(unicast=True, allowed=frozenset((SOURCE.packed,)))}
    own = IPv4Address("10.88.0.12").packed
    assert isinstance(decode(unicast_packet("10.88.0.12"), terms, own), Advertisement)
    assert decode(unicast_packet("10.88.0.100"), terms, own) is Discard.DESTINATION
    assert decode(bytes(packet()), terms, own) is Discard.DESTINATION
    nobody = {51: Terms(unicast=True)}
    assert decode(unicast_packet("10.88.0.12"), nobody, own) is Discard.STRANGER


def test_the_least_ttl_of_unicast_is_configured() -> None:
    allowed = frozenset((SOURCE.packed,))
    own = IPv4Address("10.88.0.12").packed
    far = {51: Terms(unicast=True, allowed=allowed, min_ttl=63)}
    assert isinstance(decode(unicast_packet("10.88.0.12", ttl=63), far, own), Advertisement)
    assert decode(unicast_packet("10.88.0.12", ttl=62), far, own) is Discard.TTL


def ipv6(*vips: str) -> Datagram:
    frame = advertisement(
        vrid=51,
        priority=100,
        interval=0.5,
        source=IPv6Address("fe80::11"),
        vips=[IPv6Address(vip) for vip in vips],
    )
    return datagram6(frame)


def test_ipv6_is_read_with_the_pseudo_header_and_without_it_refused() -> None:
    """[9, 15]"""
    good = ipv6("fe80::51", "fd88::100")
    addresses = (IPv6Address("fe80::51").packed, IPv6Address("fd88::100").packed)
    assert decode(good, VRIDS) == Advertisement(51, 100, 0.5, int(IPv6Address("fe80::11")), addresses, True)
    bare = bytearray(good.pdu)
    bare[6:8] = b"\0\0"
    bare[6:8] = struct.pack("!H", checksum(bytes(bare)))
    assert decode(good._replace(pdu=bytes(bare)), VRIDS) is Discard.CHECKSUM


def test_ipv6_with_another_first_address_than_a_link_local_one_is_refused() -> None:
    """[19]"""
    assert decode(ipv6("fd88::100"), VRIDS) is Discard.FIRST_ADDRESS


def test_ipv6_keeps_to_hop_limit_group_and_whole_messages() -> None:
    """[2, 11, 14]"""
    good = ipv6("fe80::51")
    assert decode(good._replace(ttl=64), VRIDS) is Discard.TTL
    assert decode(good._replace(destination=IPv6Address("ff02::13").packed), VRIDS) is Discard.CHECKSUM
    for size in range(len(good.pdu)):
        assert isinstance(decode(good._replace(pdu=good.pdu[:size]), VRIDS), Discard)
