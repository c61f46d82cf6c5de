"""The HMAC trailer: what is signed is taken once, what is not, is not."""

import hmac
import struct
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from haagent.vrrp.authentication import MAX_SENDERS, Keys, Mode, Signer, Verifier
from haagent.vrrp.frames import Sender, multicast, unicast
from haagent.vrrp.packet import AdvertisementReader, Discard, Terms
from haagent.vrrp.pdu import Template, checksum, pseudo_header
from haagent.vrrp.router import Advertisement
from tests.kit.vrrp_packets import datagram6

OLD, NEW = b"k" * 32, b"n" * 64
NOW = 1_800_000_000.25
SENDER = Sender(
    vrid=51,
    interval=1.0,
    mac="02:00:00:00:00:0a",
    source=IPv4Address("10.88.0.11"),
    vips=[IPv4Address("10.88.0.100")],
    signed=True,
)
SENDER6 = replace(SENDER, source=IPv6Address("fe80::11"), vips=[IPv6Address("fe80::51")])


def keys(mode: Mode = "enforce", send: int = 1, window: float | None = None) -> Keys:
    return Keys(mode=mode, keys={1: OLD, 2: NEW}, send=send, window=window)


def signer(sender: Sender = SENDER, known: Keys | None = None) -> Signer:
    return Signer(known or keys(), sender.source.packed)


def reader(known: Keys | None) -> AdvertisementReader:
    return AdvertisementReader({51: Terms(keys=known), 52: Terms(keys=known)})


def signed(priority: int = 100, utc: float = NOW, known: Keys | None = None) -> bytes:
    return signer(known=known).packet(multicast(SENDER), priority, utc)[14:]


def unsigned() -> bytes:
    return multicast(replace(SENDER, signed=False)).packet(100)[14:]


def test_the_trailer_is_laid_out_as_in_the_draft() -> None:
    packet = signed()
    pdu, trailer = packet[20:32], packet[32:]
    kind, key_id, reserved, seconds, fraction, counter = struct.unpack("!BBHIHH", trailer[:12])
    assert (len(trailer), kind, key_id, reserved, seconds) == (28, 1, 1, 0, 1_800_000_000)
    assert (fraction, counter) == (0x4000, 0)
    bound = b"\x04\x03\x33\x00" + IPv4Address("10.88.0.11").packed + bytes(12)
    text = bound + pdu[:6] + b"\0\0" + pdu[8:] + trailer[:12] + bytes(16)
    assert trailer[12:] == hmac.new(OLD, text, "sha256").digest()[:16]


def test_the_ip_header_counts_the_trailer_and_the_checksum_does_not_over_ipv4() -> None:
    packet = IP(signed())
    assert packet.len == len(bytes(packet)) == 20 + 12 + 28
    pdu = bytes(packet)[20:32]
    assert checksum(pseudo_header(bytes(packet)[12:16], bytes(packet)[16:20], 12) + pdu) == 0


def test_over_ipv6_the_checksum_covers_the_trailer() -> None:
    frame = signer(SENDER6).packet(multicast(SENDER6), 100, NOW)
    ip = Ether(frame)[IPv6]
    assert ip.plen == 8 + 16 + 28
    whole = frame[54:]
    assert checksum(pseudo_header(frame[22:38], frame[38:54], len(whole)) + whole) == 0
    taken = reader(keys()).read(datagram6(frame), NOW)
    assert isinstance(taken, Advertisement)
    assert taken.addresses == (IPv6Address("fe80::51").packed,)


@pytest.mark.parametrize(
    ("mode", "taken"), [("receive-only", True), ("permissive", True), ("enforce", False)]
)
def test_only_enforce_refuses_what_is_not_signed(mode: Mode, taken: bool) -> None:
    result = reader(keys(mode)).read(unsigned(), NOW)
    assert isinstance(result, Advertisement) if taken else result is Discard.UNSIGNED


@pytest.mark.parametrize("mode", ["receive-only", "permissive", "enforce"])
def test_a_wrong_signature_is_refused_in_every_mode(mode: Mode) -> None:
    forged = bytearray(signed())
    forged[-1] ^= 1
    assert reader(keys(mode)).read(bytes(forged), NOW) is Discard.SIGNATURE


def test_a_signature_does_not_move_to_another_virtual_router_sender_or_priority() -> None:
    at = {"vrid": 21, "priority": 22, "source": 15}
    for offset in at.values():
        moved = bytearray(signed())
        moved[offset] += 1
        moved[26:28] = b"\0\0"
        moved[26:28] = struct.pack("!H", checksum(bytes(moved[20:32])))
        assert reader(keys()).read(bytes(moved), NOW) is Discard.SIGNATURE


def test_keys_are_changed_on_one_node_after_the_other() -> None:
    both = reader(keys())
    assert isinstance(both.read(signed(known=keys(send=1)), NOW), Advertisement)
    assert isinstance(both.read(signed(utc=NOW + 1, known=keys(send=2)), NOW + 1), Advertisement)
    retired = Keys(mode="enforce", keys={2: NEW}, send=2)
    assert reader(retired).read(signed(known=keys(send=1)), NOW) is Discard.SIGNATURE


def test_a_recorded_packet_is_refused_and_the_next_one_taken() -> None:
    one, listening = signer(), reader(keys())
    first, second = (one.packet(multicast(SENDER), 100, NOW)[14:] for _ in range(2))
    assert first != second  # the counter grows though the clock stands still
    assert isinstance(listening.read(first, NOW), Advertisement)
    assert listening.read(first, NOW) is Discard.REPLAY
    assert isinstance(listening.read(second, NOW), Advertisement)
    assert listening.read(first, NOW) is Discard.REPLAY
    assert listening.discards[Discard.REPLAY] == 2


def test_a_clock_that_is_set_back_does_not_silence_a_sender() -> None:
    one, listening = signer(), reader(keys())
    for utc in (NOW, NOW - 3600):
        packet = one.packet(multicast(SENDER), 100, utc)[14:]
        assert isinstance(listening.read(packet, NOW), Advertisement)


@pytest.mark.parametrize(("off", "taken"), [(4.0, True), (-4.0, True), (6.0, False), (-7.0, False)])
def test_with_a_window_a_packet_of_another_time_is_refused(off: float, taken: bool) -> None:
    result = reader(keys(window=5.0)).read(signed(utc=NOW + off), NOW)
    assert isinstance(result, Advertisement) if taken else result is Discard.REPLAY


def test_forged_packets_do_not_move_the_sequence() -> None:
    listening = reader(keys())
    ahead = bytearray(signed(utc=NOW + 1000))
    ahead[-1] ^= 1
    assert listening.read(bytes(ahead), NOW) is Discard.SIGNATURE
    assert isinstance(listening.read(signed(), NOW), Advertisement)


def test_the_sequences_of_so_many_senders_are_remembered() -> None:
    verifier = Verifier(keys())
    for number in range(MAX_SENDERS + 1):
        source = IPv4Address(number)
        template: Template = unicast(replace(SENDER, source=source), IPv4Address("10.88.0.12"))
        packet = Signer(keys(), source.packed).packet(template, 100, NOW)
        assert verifier.check(source.packed, packet[:12], packet[12:], NOW) is None
        assert verifier.check(source.packed, packet[:12], packet[12:], NOW) == "replay"
    assert len(verifier._newest) == MAX_SENDERS


def test_every_truncation_of_a_signed_packet_is_discarded() -> None:
    whole = signed()
    for size in range(len(whole)):
        cut = bytearray(whole[:size])
        if size >= 20:
            cut[2:4] = struct.pack("!H", size)
        assert isinstance(reader(keys()).read(bytes(cut), NOW), Discard)
    assert ip_address(whole[12:16]) == SENDER.source


def test_a_reload_takes_another_key_and_forgets_nothing_that_was_heard() -> None:
    old = Keys(mode="enforce", keys={1: OLD}, send=1)
    new = Keys(mode="enforce", keys={2: NEW}, send=2)
    both = keys(send=2)
    listening = reader(old)
    recorded = signed(utc=NOW, known=old)
    assert isinstance(listening.read(recorded), Advertisement)
    listening.renew({51: Terms(keys=both)})
    assert listening.read(recorded) is Discard.REPLAY
    assert isinstance(listening.read(signed(utc=NOW + 1, known=new)), Advertisement)
    listening.renew({51: Terms(keys=new)})
    assert listening.read(signed(utc=NOW + 2, known=old)) is Discard.SIGNATURE
    assert isinstance(listening.read(signed(utc=NOW + 3, known=new)), Advertisement)
    listening.renew({51: Terms(keys=None)})
    assert isinstance(listening.read(unsigned()), Advertisement)
