"""Sans-IO: no byte of a stranger and no damaged byte of a peer changes a table, and memory stays bounded."""

import tracemalloc
from functools import cache
from itertools import pairwise

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sipcore.errors import ReplicationError
from sipcore.replication.capability import Kind, Record
from sipcore.replication.frame import MAX_FRAME, FrameType, FrameWriter
from sipcore.replication.session import ReplicationSession
from sipcore.replication.wire import Ask, Exchange, Keys, Start, Sums, encode
from sipcore.role import Role
from tests.kit.replication import Node, Wire

NONCES = (b"A" * 32, b"B" * 32)


def recorded() -> tuple[bytes, bytes]:
    """What a writes to b in a whole life: handshake, snapshot, tail, heartbeat; and b to a."""
    a, b = Node("a"), Node("b")
    a.become(Role.MASTER, 1)
    for number in range(3):
        a.register(b"sip:u%d@x" % number, b"sip:u@h%d" % number, 0.0)
    a.flush(0.0)
    wire = Wire(a, b, 0.0, NONCES)
    wire.settle()
    a.register(b"sip:late@x", b"sip:u@h", 0.0)
    a.flush(0.0)
    wire.sessions[0].announce()
    wire.settle()
    assert not wire.errors
    assert len(b.contents()) == 4
    return bytes(wire.recorded[0]), bytes(wire.recorded[1])


TO_B, TO_A = recorded()
PROOF_END = 40 + 33  # hello and proof


def frame_starts() -> list[int]:
    """Where the frames of the recording begin; the victim writes between any two of them."""
    starts = [PROOF_END]
    while (at := starts[-1] + 4 + int.from_bytes(TO_B[starts[-1] : starts[-1] + 4], "big")) < len(TO_B):
        starts.append(at)
    return starts


FRAMES = frame_starts()


def victim() -> tuple[Node, ReplicationSession]:
    """A fresh b; with the same nonces it would accept the recording as it is."""
    node = Node("b")
    return node, ReplicationSession(node.local, NONCES[1], 0.0, dialer=False)


def feed(session: ReplicationSession, data: bytes) -> str:
    """Why the session refused, "" when it did not."""
    try:
        for start, end in pairwise((0, *FRAMES, len(data))):
            if data[start:end]:
                session.feed(data[start:end], 0.0)
                session.output(0.0)
    except ReplicationError as error:
        return str(error)
    return ""


def test_the_recording_itself_is_accepted() -> None:
    node, session = victim()
    assert feed(session, TO_B) == ""
    assert len(node.contents()) == 4


def test_each_flipped_bit_is_refused_and_nothing_behind_it_is_applied() -> None:
    for position in range(len(TO_B)):
        for bit in range(8):
            data = bytearray(TO_B)
            data[position] ^= 1 << bit
            node, session = victim()
            reason = feed(session, bytes(data))
            if position < PROOF_END:
                # a version range that still holds ours is refused by the proof, which covers it
                assert reason, (position, bit)
                assert node.contents() == {}
                continue
            # without a reason: a longer length, which waits for bytes that never come
            assert reason or (position - start_of(position)) < 4, (position, bit)
            assert node.contents() == whole_until(start_of(position)), (position, bit)


def start_of(position: int) -> int:
    return max(start for start in FRAMES if start <= position)


@cache
def whole_until(end: int) -> dict[tuple[bytes, bytes], tuple[object, ...]]:
    node, session = victim()
    feed(session, TO_B[:end])
    return node.contents()


def test_each_truncation_leaves_what_was_whole_and_waits() -> None:
    sizes = []
    for size in range(len(TO_B)):
        node, session = victim()
        assert feed(session, TO_B[:size]) == ""
        sizes.append(len(node.contents()))
    assert sizes == sorted(sizes)


@given(data=st.binary(max_size=300))
@example(b"GET / HTTP/1.1\r\n\r\n")
@example(b"INVITE sip:u@x SIP/2.0\r\n")
@example(TO_A)
@settings(max_examples=200, deadline=None)
def test_a_stranger_gets_a_hello_at_most(data: bytes) -> None:
    node, session = victim()
    feed(session, data)
    assert session.peer is None
    assert node.contents() == {}
    assert len(session.last_words()) <= 40 + 33


@given(cut=st.integers(0, len(TO_B)), data=st.binary(min_size=1, max_size=200))
@settings(max_examples=200, deadline=None)
def test_garbage_after_any_prefix_changes_nothing(cut: int, data: bytes) -> None:
    node, session = victim()
    feed(session, TO_B[:cut])
    before = node.contents()
    if TO_B[cut:].startswith(data):
        return
    feed(session, data)
    feed(session, data)
    assert len(node.contents()) <= 4
    after = node.contents()
    assert all(after[key] == value for key, value in before.items())


@pytest.mark.parametrize("length", [0, 1, 16, MAX_FRAME + 1, 2**31, 2**32 - 1])
def test_a_length_out_of_bounds_is_refused_by_its_number(length: int) -> None:
    _, session = victim()
    feed(session, TO_B[:PROOF_END])
    assert str(length) in feed(session, length.to_bytes(4, "big"))


def test_a_frame_that_never_ends_costs_at_most_its_bound() -> None:
    _, session = victim()
    feed(session, TO_B[:PROOF_END])
    tracemalloc.start()
    feed(session, MAX_FRAME.to_bytes(4, "big"))
    reason = ""
    while not reason:
        try:
            session.feed(bytes(65536), 0.0)
        except ReplicationError as error:
            reason = str(error)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "MAC" in reason
    assert peak < 5 * MAX_FRAME


def test_a_repeated_frame_is_refused() -> None:
    node, session = victim()
    feed(session, TO_B)
    assert "MAC" in feed(session, TO_B[FRAMES[-1] :])
    assert len(node.contents()) == 4


def test_a_recording_is_worth_nothing_with_another_nonce() -> None:
    node = Node("b")
    session = ReplicationSession(node.local, b"C" * 32, 0.0, dialer=False)
    assert feed(session, TO_B) == "peer has another key"
    assert node.contents() == {}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=9) | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.integers(0, 9), inner, max_size=3),
    max_leaves=12,
)
GROWN = st.builds(
    lambda head, value: head + msgspec.msgpack.encode(value), st.sampled_from([b"", bytes(20)]), VALUES
)


def authenticated() -> tuple[Wire, FrameWriter]:
    """A settled pair, and the writer of a: for what only a peer with the key can send."""
    wire = Wire(Node("a"), Node("b"), 0.0)
    wire.settle()
    writer = wire.sessions[0]._writer  # to speak as a faulty peer
    assert writer is not None
    return wire, writer


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FrameType.INTRO, b"\x96"),
        (FrameType.RESUME, encode(Start(True, 1, 1))),
        (FrameType.RESUME, b"\x91\x64"),  # 100 is past the end of the log
        (FrameType.START, b"\x90"),
        (FrameType.START, encode(Start(False, 9, 9))),
        (FrameType.RECORDS, b"short"),
        (FrameType.RECORDS, bytes(20) + b"\xc1"),
        (FrameType.RECORDS, bytes(7) + b"\x07" + bytes(12) + b"\x91\x93\x01\xc4\x00\xc0"),  # a gap
        (FrameType.CHUNK, bytes(20) + b"\x90"),
        (FrameType.SNAPSHOT_END, b""),
        (FrameType.ACK, b"\x93\x64\x00\x01"),
        (FrameType.HEARTBEAT, b"\x93\x09\x00\x00"),
        (FrameType.HEARTBEAT, b"\x91" * 5000),
        (FrameType.REFUSE, b"\x91\xa2no"),
        (FrameType.ASK, encode(Ask(1, [4096]))),
        (FrameType.ASK, encode(Ask(99))),
        (FrameType.SUMS, encode(Sums(1, bytes(8 * 4096)))),
        (FrameType.SUMS, encode(Sums(1, b"short"))),
        (FrameType.KEYS, encode(Keys(1, [0], {b"k": 1}))),
        (FrameType.EXCHANGE, encode(Exchange(1, [Record(99, b"k", b"v")]))),
        (FrameType.REPAIR, b"short"),
    ],
)
def test_a_faulty_peer_with_the_key_is_refused_by_name(kind: FrameType, body: bytes) -> None:
    wire, writer = authenticated()
    assert feed(wire.sessions[1], writer.frame(kind, body))
    assert wire.b.contents() == {}


@given(kind=st.integers(0, 255), body=st.binary(max_size=120) | GROWN)
@settings(max_examples=300, deadline=None)
def test_any_body_of_a_peer_with_the_key_is_understood_or_refused(kind: int, body: bytes) -> None:
    wire, writer = authenticated()
    feed(wire.sessions[1], writer.frame(kind, body))  # type: ignore[arg-type] # or not yet known
    wire.sessions[1].output(10.0)


def test_questions_without_end_are_refused() -> None:
    wire, writer = authenticated()
    questions = [writer.frame(FrameType.ASK, encode(Ask(1, list(range(4096))))) for _ in range(5)]
    assert feed(wire.sessions[1], b"".join(questions)) == "more than 4 questions at a time"


def test_one_bad_record_is_counted_and_the_rest_of_its_batch_is_applied() -> None:
    wire, _ = authenticated()
    replica = wire.a.journal.capabilities[Kind.CONTACT]
    good = replica.pack
    wire.a.register(b"sip:bad@x", b"sip:b@h", 0.0)
    wire.a.register(b"sip:good@x", b"sip:g@h", 0.0)
    replica.pack = lambda key, now: b"\xc1" if b"bad" in key else good(key, now)  # type: ignore[method-assign] # a faulty owner
    wire.a.flush(0.0)
    wire.settle()
    assert not wire.errors
    assert [aor for aor, _ in wire.b.contents()] == [b"sip:good@x"]
    assert wire.b.local.counters.rejected == 1
