"""VRRP: one master after any loss, and no packet that harms the reader."""

from ipaddress import IPv4Address

from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP
from scapy.layers.vrrp import VRRPv3

from haagent.vrrp.packet import Discard, Terms, decode
from haagent.vrrp.pdu import checksum
from haagent.vrrp.router import Advertisement, VirtualRouter
from tests.kit.virtual_lan import VirtualLan
from tests.kit.vrrp_packets import ANY_VRID, advertisement

octets = st.integers(0, 255)


@settings(max_examples=150, deadline=None)
@given(
    priorities=st.lists(st.integers(1, 254), min_size=2, max_size=4),
    drops=st.lists(st.booleans(), min_size=1, max_size=40),
)
def test_one_master_after_any_loss_has_ended(priorities: list[int], drops: list[bool]) -> None:
    routers = [VirtualRouter(vrid=1, priority=p, address=i) for i, p in enumerate(priorities)]
    lan = VirtualLan(*routers)
    pattern = iter(drops)
    lan.lost = lambda src, dst: next(pattern, False)
    lan.start()
    lan.run(100)
    best = max(routers, key=lambda r: (r.priority, r.address))
    assert lan.masters() == [best.address]


@settings(max_examples=500, deadline=None)
@given(data=st.binary(max_size=120))
def test_random_bytes_are_discarded(data: bytes) -> None:
    assert isinstance(decode(data, ANY_VRID), Discard)


@settings(max_examples=500, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 43), octets), max_size=4), cut=st.integers(0, 44))
def test_a_damaged_packet_never_raises_and_is_valid_only_if_its_checksum_is(
    changes: list[tuple[int, int]], cut: int
) -> None:
    vips = [IPv4Address("10.88.0.100"), IPv4Address("10.88.0.101")]
    source = IPv4Address("10.88.0.11")
    frame = advertisement(
        vrid=51,
        priority=100,
        interval=1.0,
        mac="02:00:00:00:00:0a",
        source=source,
        vips=vips,
        style="rfc9568",
    )
    packet = bytearray(frame[14:])
    for at, octet in changes:
        if at < len(packet):
            packet[at] = octet
    read = decode(bytes(packet[:cut]), ANY_VRID)
    if isinstance(read, Advertisement):
        assert read.interval > 0
        assert read.addresses
        length = 8 + 4 * len(read.addresses)
        start = 4 * (packet[0] & 15)
        assert read.with_pseudo_header or checksum(bytes(packet[start : start + length])) == 0


@settings(max_examples=200, deadline=None)
@given(
    vrid=st.integers(1, 255),
    priority=octets,
    centiseconds=st.integers(1, 4095),
    vips=st.lists(st.integers(1, 2**32 - 2), min_size=1, max_size=20),
)
def test_what_scapy_builds_is_read_and_what_we_build_scapy_reads(
    vrid: int, priority: int, centiseconds: int, vips: list[int]
) -> None:
    addresses = [IPv4Address(vip) for vip in vips]
    source = IPv4Address("10.88.0.11")
    built = IP(src=str(source), dst="224.0.0.18", ttl=255, proto=112) / VRRPv3(
        vrid=vrid,
        priority=priority,
        adv=centiseconds,
        ipcount=len(vips),
        addrlist=[str(a) for a in addresses],
    )
    read = decode(bytes(built), {vrid: Terms()})
    assert read == Advertisement(
        vrid, priority, centiseconds / 100, int(source), tuple(vip.packed for vip in addresses), True
    )
    frame = advertisement(
        vrid=vrid,
        priority=priority,
        interval=centiseconds / 100,
        mac="02:00:00:00:00:0a",
        source=source,
        vips=addresses,
    )
    assert frame[34:] == bytes(built)[20:]
