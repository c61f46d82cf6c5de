"""Sans-IO: whatever is written on both nodes and however the link breaks, the tables end equal."""

from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.role import Role
from tests.kit.replication import Node, Wire

SIDES = st.integers(0, 1)
OPS = st.lists(
    st.one_of(
        st.tuples(st.just("register"), SIDES, st.integers(0, 3)),
        st.tuples(st.just("remove"), SIDES, st.integers(0, 3)),
        st.tuples(st.just("flush"), SIDES, st.just(0)),
        st.tuples(st.just("deliver"), SIDES, st.integers(1, 900)),
        st.tuples(st.just("settle"), SIDES, st.just(0)),
        st.tuples(st.just("advance"), SIDES, st.integers(1, 50)),
        st.tuples(st.just("cut"), SIDES, st.integers(0, 3)),
        st.tuples(st.just("take over"), SIDES, st.just(0)),
        st.tuples(st.just("restart"), SIDES, st.just(0)),
    ),
    min_size=1,
    max_size=60,
)


class Model:
    def __init__(self, backlog_bytes: int) -> None:
        self.backlog_bytes = backlog_bytes
        self.numbers = count(1)
        self.nodes = [self.node(0), self.node(1)]
        self.now = 10.0
        self.wire = self.connect().open()
        for number in (0, 1):
            self.step("register", 0, number)
        self.step("settle", 0, 0)

    def connect(self) -> Wire:
        a, b = self.nodes
        return Wire(a, b, self.now)

    def node(self, side: int) -> Node:
        skew = (0.0, 5000.0)[side]
        return Node("ab"[side], incarnation=next(self.numbers), skew=skew, backlog_bytes=self.backlog_bytes)

    def step(self, what: str, side: int, number: int) -> None:
        node = self.nodes[side]
        aor, uri = b"sip:u%d@x" % (number % 2), b"sip:u@10.0.0.%d" % number
        if what == "register":
            node.register(aor, uri, self.now, cseq=next(self.numbers))
        elif what == "remove":
            node.table.remove(aor, uri, call_id=b"c", cseq=next(self.numbers))
        elif what == "flush":
            node.flush(self.now)
        elif what == "deliver":
            self.wire.write()
            self.wire.deliver(side, number)
        elif what == "settle":
            self.wire.settle()
        elif what == "advance":
            self.now += number / 1000
            self.wire.now = self.now
        elif what == "take over":
            node.become(Role.MASTER, max(n.gate.epoch for n in self.nodes) + 1, self.now)
        elif what == "restart":
            self.nodes[side] = self.node(side)
            self.wire = self.connect()
        elif what == "cut":
            self.wire = self.connect()
            if number:
                self.wire.open()
        assert not self.wire.errors

    def end(self) -> None:
        for node in self.nodes:
            node.flush(self.now)
        self.wire = self.connect().open()
        self.wire.settle()


@settings(max_examples=400, deadline=None)
@given(ops=OPS, backlog_bytes=st.sampled_from([200, 1 << 24]))
def test_tables_end_equal_after_any_writes_cuts_and_restarts(
    ops: list[tuple[str, int, int]], backlog_bytes: int
) -> None:
    model = Model(backlog_bytes)
    for op in ops:
        model.step(*op)
    model.end()
    assert not model.wire.errors
    a, b = model.nodes
    assert a.contents() == b.contents()
    for session in model.wire.sessions:
        assert session.receiver is not None
        assert session.receiver.synced
        assert session.sender.synced
        assert session.sender.acked == session.local.journal.sequence


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 4000), sizes=st.lists(st.integers(1, 700), min_size=1, max_size=20))
def test_a_cut_at_any_byte_of_a_snapshot_loses_nothing(cut: int, sizes: list[int]) -> None:
    a, b = Node("a"), Node("b", skew=77.0)
    a.become(Role.MASTER, 1)
    for number in range(30):
        a.register(b"sip:u%d@x" % number, b"sip:u@10.0.0.%d" % number, 0.0)
    wire = Wire(a, b, 0.0)
    delivered = 0
    for step in range(10_000):
        size = min(sizes[step % len(sizes)], cut - delivered)
        if size <= 0:
            break
        wire.write()
        wire.deliver(1, size)
        wire.deliver(0, 1 << 20)
        delivered += size
    a.flush(0.1)
    wire = Wire(a, b, 0.1)
    wire.settle()
    assert not wire.errors
    assert a.contents() == b.contents()
    assert len(b.contents()) == 30
