"""What keepalived 2.2.7 really sends (data/ORIGIN.md), read by us and by scapy as the oracle."""

from ipaddress import IPv4Address, ip_address
from pathlib import Path

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.vrrp import VRRPv3
from scapy.utils import rdpcap

from haagent.vrrp.packet import Discard, Terms, decode
from haagent.vrrp.router import Advertisement
from tests.kit.vrrp_packets import ANY_VRID, advertisement, datagram6

DATA = Path(__file__).parent / "data"
GROUP = "224.0.0.18"


def ipv4_packets(name: str) -> list[IP]:
    return [frame[IP] for frame in rdpcap(str(DATA / name)) if IP in frame and frame[IP].proto == 112]


@pytest.mark.parametrize("name", ["v3_ipv4.pcap", "v3_vmac.pcap"])
def test_every_advertisement_of_keepalived_is_read_as_scapy_reads_it(name: str) -> None:
    packets = [packet for packet in ipv4_packets(name) if packet.dst == GROUP]
    assert packets
    for packet in packets:
        read = decode(bytes(packet), ANY_VRID)
        assert isinstance(read, Advertisement)
        oracle = packet[VRRPv3]
        assert (read.vrid, read.priority, round(read.interval * 100)) == (
            oracle.vrid,
            oracle.priority,
            oracle.adv,
        )
        assert len(read.addresses) == oracle.ipcount
        assert read.with_pseudo_header


def test_what_we_build_is_what_keepalived_builds() -> None:
    """The whole VRRP message, octet for octet."""
    frames = [frame for frame in rdpcap(str(DATA / "v3_ipv4.pcap")) if IP in frame and frame[IP].dst == GROUP]
    for frame in frames:
        theirs = frame[VRRPv3]
        ours = advertisement(
            vrid=theirs.vrid,
            priority=theirs.priority,
            interval=theirs.adv / 100,
            mac=frame.src,
            source=IPv4Address(frame[IP].src),
            vips=[ip_address(address) for address in theirs.addrlist],
        )
        length = 8 + 4 * theirs.ipcount
        assert ours[34 : 34 + length] == bytes(frame[IP])[20 : 20 + length]
        assert (ours[22], ours[15]) == (frame[IP].ttl, frame[IP].tos)


def test_unicast_and_version_2_are_discarded_with_their_reasons_where_they_are_not_configured() -> None:
    assert {decode(bytes(p), ANY_VRID) for p in ipv4_packets("v3_unicast4.pcap")} == {Discard.DESTINATION}
    assert {decode(bytes(p), ANY_VRID) for p in ipv4_packets("v2_noauth.pcap")} == {Discard.VERSION}


def read_all(name: str, terms: Terms, own: str = "") -> list[Advertisement | Discard]:
    """Every packet of a capture as a router with these terms takes it."""
    octets = ip_address(own).packed if own else b""
    every = dict.fromkeys(range(256), terms)
    read: list[Advertisement | Discard] = []
    for frame in rdpcap(str(DATA / name)):
        if IP in frame and frame[IP].proto in (51, 112):
            read.append(decode(bytes(frame[IP]), every, octets))
        elif IPv6 in frame and frame[IPv6].nh == 112:
            read.append(decode(datagram6(bytes(frame)), every, octets))
    assert read
    return read


def test_version_2_of_keepalived_is_read_without_authentication_and_with_the_password() -> None:
    for name, password, vrid in (("v2_noauth.pcap", None, 51), ("v2_pass.pcap", b"s3cret42", 52)):
        for advert in read_all(name, Terms(version=2, password=password)):
            assert isinstance(advert, Advertisement)
            assert (advert.vrid, advert.interval, advert.with_pseudo_header) == (vrid, 1.0, False)


def test_a_password_that_is_wrong_or_not_configured_is_refused() -> None:
    assert set(read_all("v2_pass.pcap", Terms(version=2, password=b"s3cret43"))) == {Discard.AUTH}
    assert set(read_all("v2_pass.pcap", Terms(version=2))) == {Discard.AUTH_TYPE}
    assert set(read_all("v2_noauth.pcap", Terms(version=2, password=b"s3cret42"))) == {Discard.AUTH_TYPE}


def test_ipsec_ah_is_not_spoken() -> None:
    assert set(read_all("v2_ah.pcap", Terms(version=2))) == {Discard.IP_HEADER}


def test_version_3_over_ipv6_is_read_with_its_link_local_address_first() -> None:
    for advert in read_all("v3_ipv6.pcap", Terms()):
        assert isinstance(advert, Advertisement)
        assert (advert.vrid, advert.interval) == (55, 0.5)
        assert [str(ip_address(a)) for a in advert.addresses] == ["fe80::100", "2001:db8::100"]


@pytest.mark.parametrize(
    ("name", "version", "source", "own"),
    [
        ("v2_unicast.pcap", 2, "192.0.2.1", "192.0.2.2"),
        ("v3_unicast4.pcap", 3, "192.0.2.1", "192.0.2.2"),
        ("v3_unicast6.pcap", 3, "2001:db8::1", "2001:db8::2"),
    ],
)
def test_unicast_is_taken_from_a_peer_alone(name: str, version: int, source: str, own: str) -> None:
    """keepalived sends IPv6 unicast with hop limit 64: it must be allowed by configuration."""
    ttl = 64 if "6." in name else 255

    def terms(peer: str, min_ttl: int) -> Terms:
        allowed = frozenset((ip_address(peer).packed,))
        return Terms(version=version, unicast=True, allowed=allowed, min_ttl=min_ttl)

    read = read_all(name, terms(source, ttl), own)
    assert all(isinstance(advert, Advertisement) for advert in read), read
    assert set(read_all(name, terms("192.0.2.77", ttl), own)) == {Discard.STRANGER}
    if ttl == 64:
        assert set(read_all(name, terms(source, 255), own)) == {Discard.TTL}


def test_ipv6_packets_are_no_ipv4_packets() -> None:
    for frame in rdpcap(str(DATA / "v3_ipv6.pcap")):
        if IPv6 in frame:
            assert decode(bytes(frame[IPv6]), ANY_VRID) is Discard.IP_HEADER
