"""HEPv3 packets, decoded here by hand."""

import struct

import pytest

from sipcore.transport.hep import HepEncoder
from sipcore.transport.layer import Hop
from sipcore.transport.trace import Seen
from tests.kit.sip_messages import INVITE_880, parsed_request

OURS = ("10.88.0.100", 5060)


def seen(hop: Hop, *, incoming: bool = True, local: tuple[str, int] = OURS) -> Seen:
    return Seen(INVITE_880, hop, local=local, incoming=incoming, at=1_700_000_000.25)


def chunks(packet: bytes) -> dict[int, bytes]:
    """By type; checks magic, lengths, and the vendor of each."""
    magic, length = struct.unpack_from("!4sH", packet)
    assert (magic, length) == (b"HEP3", len(packet))
    found: dict[int, bytes] = {}
    at = 6
    while at < len(packet):
        vendor, kind, size = struct.unpack_from("!HHH", packet, at)
        assert vendor == 0
        assert kind not in found
        found[kind] = packet[at + 6 : at + size]
        at += size
    assert at == len(packet)
    return found


def encoded(one: Seen, encoder: HepEncoder | None = None) -> dict[int, bytes]:
    packet = (encoder or HepEncoder(2001)).encode(one, one.data)
    assert packet is not None
    return chunks(packet)


def test_a_packet_says_when_from_where_to_where_and_what() -> None:
    found = encoded(seen(Hop("10.88.0.7", 5071)), HepEncoder(2001, b"secret"))
    assert found == {
        1: b"\x02",
        2: b"\x11",
        3: bytes([10, 88, 0, 7]),
        4: bytes([10, 88, 0, 100]),
        7: (5071).to_bytes(2, "big"),
        8: (5060).to_bytes(2, "big"),
        9: (1_700_000_000).to_bytes(4, "big"),
        10: (250_000).to_bytes(4, "big"),
        11: b"\x01",
        12: (2001).to_bytes(4, "big"),
        14: b"secret",
        15: INVITE_880,
        17: parsed_request(INVITE_880).call_id,
    }


def test_what_leaves_has_our_address_as_its_source() -> None:
    found = encoded(seen(Hop("10.88.0.7", 5071), incoming=False))
    assert (found[3], found[4]) == (bytes([10, 88, 0, 100]), bytes([10, 88, 0, 7]))
    assert (found[7], found[8]) == ((5060).to_bytes(2, "big"), (5071).to_bytes(2, "big"))


def test_ipv6_has_chunks_of_its_own_and_tls_is_tcp_for_the_capture_server() -> None:
    found = encoded(seen(Hop("fd88::7", 5071, 0, "tls"), local=("fd88::100", 5061)))
    assert (found[1], found[2]) == (b"\x0a", b"\x06")
    assert found[5] == bytes.fromhex("fd88") + bytes(13) + b"\x07"
    assert found[6] == bytes.fromhex("fd88") + bytes(12) + b"\x01\x00"
    assert 3 not in found


@pytest.mark.parametrize("size", [65_535, 70_000])
def test_a_message_that_does_not_fit_is_left_out(size: int) -> None:
    one = seen(Hop("10.88.0.7", 5071))
    assert HepEncoder(1).encode(one, bytes(size)) is None
