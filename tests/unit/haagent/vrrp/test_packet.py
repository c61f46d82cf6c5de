"""The validation ladder of RFC 9568 section 7.1: a rung per test, checklist numbers in brackets."""

import struct
from ipaddress import IPv4Address

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether

from haagent.vrrp.frames import Checksum, advertisement
from haagent.vrrp.packet import AdvertisementReader, Discard, checksum, decode
from haagent.vrrp.router import Advertisement

VRIDS = {51}
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
    addresses = tuple(int(vip) for vip in VIPS)
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
    assert decode(bytes(packet()), VRIDS, int(SOURCE)) is Discard.OWN


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
