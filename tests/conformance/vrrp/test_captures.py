"""What keepalived 2.2.7 really sends (data/ORIGIN.md), read by us and by scapy as the oracle."""

from ipaddress import ip_address
from pathlib import Path

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.vrrp import VRRPv3
from scapy.utils import rdpcap

from haagent.vrrp.frames import advertisement
from haagent.vrrp.packet import Discard, decode
from haagent.vrrp.router import Advertisement

DATA = Path(__file__).parent / "data"
GROUP = "224.0.0.18"


def ipv4_packets(name: str) -> list[IP]:
    return [frame[IP] for frame in rdpcap(str(DATA / name)) if IP in frame and frame[IP].proto == 112]


@pytest.mark.parametrize("name", ["v3_ipv4.pcap", "v3_vmac.pcap"])
def test_every_advertisement_of_keepalived_is_read_as_scapy_reads_it(name: str) -> None:
    packets = [packet for packet in ipv4_packets(name) if packet.dst == GROUP]
    assert packets
    for packet in packets:
        read = decode(bytes(packet), range(256))
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
            source=frame[IP].src,
            vips=[ip_address(address) for address in theirs.addrlist],
        )
        length = 8 + 4 * theirs.ipcount
        assert ours[34 : 34 + length] == bytes(frame[IP])[20 : 20 + length]
        assert (ours[22], ours[15]) == (frame[IP].ttl, frame[IP].tos)


def test_unicast_and_version_2_are_discarded_with_their_reasons() -> None:
    assert {decode(bytes(p), range(256)) for p in ipv4_packets("v3_unicast4.pcap")} == {Discard.DESTINATION}
    assert {decode(bytes(p), range(256)) for p in ipv4_packets("v2_noauth.pcap")} == {Discard.VERSION}


def test_ipv6_packets_are_no_ipv4_packets() -> None:
    for frame in rdpcap(str(DATA / "v3_ipv6.pcap")):
        if IPv6 in frame:
            assert decode(bytes(frame[IPv6]), range(256)) is Discard.IP_HEADER
