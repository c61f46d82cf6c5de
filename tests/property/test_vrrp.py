"""VRRP: one master after any loss, and no packet that harms the reader."""

from ipaddress import IPv4Address

from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP
from scapy.layers.vrrp import VRRP, VRRPv3

from haagent.vrrp.authentication import Keys
from haagent.vrrp.packet import AdvertisementReader, Datagram, Discard, Terms, decode
from haagent.vrrp.pdu import GROUP, GROUP6, checksum, pseudo_header
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


KEYS = Keys(mode="permissive", keys={1: b"k" * 32}, send=1)
DIALECTS = [
    Terms(version=2, password=b"secret\0\0"),
    Terms(version=2),
    Terms(keys=KEYS),
    Terms(unicast=True, allowed=frozenset((b"\x0a\x58\x00\x0b",)), min_ttl=1),
]


@settings(max_examples=500, deadline=None)
@given(
    terms=st.sampled_from(DIALECTS),
    family=st.sampled_from([4, 6]),
    head=st.sampled_from([b"", b"\x21\x33", b"\x31\x33", b"\x31\x33\x64\x01"]),
    data=st.binary(max_size=90),
    right=st.booleans(),
)
def test_no_bytes_harm_the_reader_of_any_dialect(
    terms: Terms, family: int, head: bytes, data: bytes, right: bool
) -> None:
    """Also when the checksum is right, so that the later rungs of the ladder are reached."""
    source, destination = b"\x0a\x58\x00\x0b", GROUP.packed
    if family == 6:
        source, destination = b"\xfe\x80" * 8, GROUP6.packed
    pdu = bytearray(head + data)
    if right and len(pdu) >= 8:
        pdu[6:8] = b"\0\0"
        covered = bytes(pdu) if family == 4 else pseudo_header(source, destination, len(pdu)) + pdu
        pdu[6:8] = checksum(covered).to_bytes(2)
    reader = AdvertisementReader(dict.fromkeys(range(256), terms), b"\x0a\x58\x00\x0c")
    read = reader.read(Datagram(255, source, destination, bytes(pdu)), 1.0)
    assert sum(reader.discards.values()) == isinstance(read, Discard)
    if isinstance(read, Advertisement):
        assert read.interval > 0
        assert read.addresses


@settings(max_examples=200, deadline=None)
@given(
    vrid=st.integers(1, 255),
    priority=octets,
    seconds=st.integers(1, 255),
    vips=st.lists(st.integers(1, 2**32 - 2), min_size=1, max_size=20),
    password=st.none() | st.binary(min_size=1, max_size=8),
)
def test_version_2_of_scapy_and_ours_are_the_same_octets(
    vrid: int, priority: int, seconds: int, vips: list[int], password: bytes | None
) -> None:
    addresses = [IPv4Address(vip) for vip in vips]
    frame = advertisement(
        vrid=vrid,
        priority=priority,
        interval=float(seconds),
        source=IPv4Address("10.88.0.11"),
        vips=addresses,
        version=2,
        password=password,
    )
    words = (password or b"").ljust(8, b"\0")
    built = VRRP(
        vrid=vrid,
        priority=priority,
        adv=seconds,
        ipcount=len(vips),
        addrlist=[str(a) for a in addresses],
        authtype=0 if password is None else 1,
        auth1=int.from_bytes(words[:4]),
        auth2=int.from_bytes(words[4:]),
    )
    assert frame[34:] == bytes(built)
    terms = Terms(version=2, interval=float(seconds), password=None if password is None else words)
    assert isinstance(decode(frame[14:], {vrid: terms}), Advertisement)
