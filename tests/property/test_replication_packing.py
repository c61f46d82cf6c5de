"""Sans-IO: a compressed link, cut anywhere: all arrives as it was; no byte that was changed does."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.errors import ReplicationError
from sipcore.replication.packing import Packer, Unpacker
from sipcore.replication.session import ReplicationSession
from sipcore.role import Role
from tests.kit.replication import Node, Wire

LIMIT = 4096


@given(st.lists(st.binary(min_size=1, max_size=LIMIT), max_size=20))
@settings(max_examples=200, deadline=None)
def test_what_is_unpacked_is_what_was_packed(bodies: list[bytes]) -> None:
    packer, unpacker = Packer(), Unpacker(LIMIT)
    assert [unpacker.unpack(packer.pack(body)) for body in bodies] == bodies
    assert (unpacker.plain, unpacker.packed) == (packer.plain, packer.packed)


@given(
    body=st.binary(min_size=1, max_size=300),
    flips=st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 255)), max_size=4),
    cut=st.integers(0, 2000),
    more=st.binary(max_size=50),
)
@settings(max_examples=500, deadline=None)
def test_damage_within_a_right_mac_is_refused_or_stays_within_the_limit(
    body: bytes, flips: list[tuple[int, int]], cut: int, more: bytes
) -> None:
    packer, unpacker = Packer(), Unpacker(LIMIT)
    data = bytearray(packer.pack(body)[:cut] + more)
    for place, value in flips:
        if data:
            data[place % len(data)] ^= value
    try:
        for frame in (bytes(data), packer.pack(body)):
            assert 0 < len(unpacker.unpack(frame)) <= LIMIT
    except ReplicationError:
        pass


@given(
    batches=st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=6),
    sizes=st.lists(st.integers(1, 700), min_size=1, max_size=12),
)
@settings(max_examples=100, deadline=None)
def test_however_the_bytes_arrive_both_hold_the_same(batches: list[list[int]], sizes: list[int]) -> None:
    a, b = Node("a"), Node("b")
    a.become(Role.MASTER, 1)
    wire = Wire(a, b, 0.0, compress=(True, True))
    for number, users in enumerate(batches):
        for user in users:
            a.register(b"sip:user%d@x" % user, b"sip:user@10.0.0.%d" % number, 0.0, cseq=number + 1)
        a.flush(0.0)
        wire.write()
        for size in sizes:
            wire.deliver(0, size)
            wire.deliver(1, size)
    wire.settle()
    assert not wire.errors
    assert wire.sessions[0].ratios is not None
    assert a.contents() == b.contents()


def test_each_flipped_bit_on_the_wire_is_refused_before_it_is_unpacked() -> None:
    a, b = Node("a"), Node("b")
    a.become(Role.MASTER, 1)
    for user in range(3):
        a.register(b"sip:user%d@x" % user, b"sip:user@10.0.0.1", 0.0)
    a.flush(0.0)
    wire = Wire(a, b, 0.0, compress=(True, True)).open()
    wire.settle()
    tape = bytes(wire.recorded[0])
    first = tape.index(b"\x11", 73)  # the type of the first packed frame, behind hello, proof and intro
    for place in range(first, len(tape)):
        node = Node("b")
        session = ReplicationSession(node.local, b"B" * 32, 0.0, dialer=False)
        session.compress = True
        for step in (tape[:40], tape[40:73], tape[73:first]):
            session.feed(step, 0.0)
            session.output(0.0)
        damaged = bytearray(tape[first:])
        damaged[place - first] ^= 1 << place % 8
        try:
            session.feed(bytes(damaged), 0.0)
        except ReplicationError as error:
            assert "MAC" in str(error) or "frame length" in str(error)  # noqa: PT017 where there is one
        assert len(node.contents()) in (0, 3)
        assert session.receiver is None or not session.receiver.synced or node.contents()
