"""Sans-IO: compression of a far link: who agrees on it, and what a broken stream comes to."""

import tracemalloc
import zlib

import pytest

from sipcore.errors import ReplicationError
from sipcore.replication.frame import MAX_BODY, FrameType, FrameWriter
from sipcore.replication.packing import Packer, Unpacker, most_packed, ratio
from sipcore.replication.status import session_status
from sipcore.replication.wire import Start, encode
from sipcore.role import Role
from tests.kit.replication import Node, Wire

FLUSHED = b"\x00\x00\xff\xff"


def settled(compress: tuple[bool, bool], versions: tuple[int, int] | None = None) -> Wire:
    """A pair after a full sync of 200 contacts, and one contact behind it."""
    a, b = Node("a"), Node("b", skew=50.0)
    if versions is not None:
        b.local.versions = versions
    a.become(Role.MASTER, 1)
    for number in range(200):
        a.register(b"sip:user%d@example.test" % number, b"sip:user%d@10.0.0.1:5060" % number, 0.0)
    a.flush(0.0)
    wire = Wire(a, b, 0.0, compress=compress)
    wire.settle()
    a.register(b"sip:late@example.test", b"sip:late@10.0.0.1:5060", 0.0)
    a.flush(0.0)
    wire.settle()
    assert not wire.errors
    assert a.contents() == b.contents()
    assert len(b.contents()) == 201
    return wire


def test_a_link_that_both_want_compressed_takes_less_than_a_third_and_says_so() -> None:
    plain, packed = settled((False, False)), settled((True, True))
    assert packed.sent * 3 < plain.sent
    of_a, of_b = (session_status(session, 50.0) for session in packed.sessions)
    assert of_a["compressed"] is of_b["compressed"] is True
    assert of_a["sent_ratio"] == of_b["received_ratio"]
    assert of_a["sent_ratio"] > 3  # type: ignore[operator] # a float


@pytest.mark.parametrize("compress", [(True, False), (False, True), (False, False)])
def test_a_link_that_one_side_does_not_want_compressed_is_not(compress: tuple[bool, bool]) -> None:
    wire = settled(compress)
    for session in wire.sessions:
        status = session_status(session, 50.0)
        assert (status["compressed"], status["sent_ratio"], status["received_ratio"]) == (False, None, None)
    assert abs(wire.sent - settled((False, False)).sent) < 10


@pytest.mark.parametrize("newest", [1, 2])
def test_a_peer_of_an_older_version_gets_nothing_compressed(newest: int) -> None:
    wire = settled((True, True), (1, newest))
    assert all(session.ratios is None for session in wire.sessions)


def test_what_was_said_before_costs_little_when_it_is_said_again() -> None:
    packer = Packer()
    line = bytes(range(256))
    first, second = packer.pack(line), packer.pack(line)
    assert len(second) < 20 < len(first)
    assert ratio(packer) == round(512 / len(first + second), 2)
    assert ratio(Packer()) is None


def test_noise_never_grows_past_the_bound_that_lets_it_be_packed() -> None:
    noise = zlib.compress(b"".join(b"%d" % (number * 7919) for number in range(400_000)), 9)
    for size in (1, 63, 64, 16383, 16384, 65536, len(noise)):
        packed = Packer().pack(noise[:size])
        assert len(packed) <= most_packed(size)
        assert Unpacker(MAX_BODY).unpack(packed) == noise[:size]


def test_a_frame_at_the_limit_goes_as_it_is_and_the_stream_goes_on_behind_it() -> None:
    wire = settled((True, True))
    writer = wire.sessions[0]._writer  # to see one frame
    assert writer is not None
    frame = writer.frame(FrameType.CHUNK, bytes(MAX_BODY - 1))
    assert frame[4] == FrameType.CHUNK
    assert writer.frame(FrameType.CHUNK, bytes(1000))[4] == FrameType.PACKED


# What only a peer with the key can send


def bomb(size: int, *, says: int) -> bytes:
    """`size` zeros, packed a thousandfold."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(stream.compress(bytes(1 << 20)) for _ in range(size >> 20))
    packed += stream.flush(zlib.Z_SYNC_FLUSH)
    return says.to_bytes(4, "big") + packed


def hostile(body: bytes, kind: int = FrameType.PACKED) -> str:
    """What b says to a frame with the right MAC."""
    wire = settled((True, True))
    writer = wire.sessions[0]._writer  # to speak as a faulty peer
    assert writer is not None
    writer.packer = None
    before = wire.b.contents()
    with pytest.raises(ReplicationError) as caught:
        wire.sessions[1].feed(writer.frame(kind, body), 50.0)  # type: ignore[arg-type]
    assert wire.b.contents() == before
    return str(caught.value)


@pytest.mark.parametrize("says", [5000, MAX_BODY])
def test_a_bomb_is_refused_and_never_unpacked_past_what_it_says(says: int) -> None:
    data = bomb(256 << 20, says=says)
    unpacker = Unpacker(MAX_BODY)
    tracemalloc.start()
    with pytest.raises(ReplicationError, match=f"says {says} bytes and holds more"):
        unpacker.unpack(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * (says + len(data)) + 65536
    assert "holds more" in hostile(data)


@pytest.mark.parametrize("says", [0, MAX_BODY + 1, 2**32 - 1])
def test_a_length_out_of_bounds_is_refused_before_a_byte_is_unpacked(says: int) -> None:
    assert f"{says} bytes, which is not in 1..{MAX_BODY}" in hostile(bomb(1 << 20, says=says))


def test_a_cut_a_broken_and_an_ended_stream_are_refused_by_name() -> None:
    packed = Packer().pack(b"a contact, a call, a contact" * 9)
    assert "only" in hostile(packed[:-9])
    assert "shorter than 4" in hostile(packed[:3])
    assert "invalid" in hostile(packed[:4] + b"\xff" * 40)
    ended = zlib.compressobj(1, zlib.DEFLATED, -15)
    end = ended.compress(b"x" * 100) + ended.flush()
    assert "ends the stream" in hostile((100).to_bytes(4, "big") + end)


def test_a_packed_frame_in_a_packed_frame_is_refused() -> None:
    wire = settled((True, True))
    writer = wire.sessions[0]._writer
    assert writer is not None
    with pytest.raises(ReplicationError, match="packed frame in a packed frame"):
        wire.sessions[1].feed(writer.frame(FrameType.PACKED, bytes(100)), 50.0)


def test_a_packed_frame_on_a_link_that_is_not_compressed_is_refused() -> None:
    wire = settled((True, False))
    session = wire.sessions[0]
    assert session._writer is not None
    data = FrameWriter.frame(
        session._writer, FrameType.PACKED, Packer().pack(encode(Start(False, 1, 1)) * 99)
    )
    with pytest.raises(ReplicationError, match="not compressed"):
        wire.sessions[1].feed(data, 50.0)
