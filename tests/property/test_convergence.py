"""Sans-IO: three nodes, any of them master, any link cut: in the end all hold the same, and know it."""

from itertools import combinations, count

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from sipcore.dialog.dialog import State
from sipcore.replication.compare import INTERVAL
from sipcore.role import Role
from tests.kit.replication import Node, Wire

NODES = st.integers(0, 2)
LINKS = st.sampled_from(list(combinations(range(3), 2)))
NAMES = st.integers(0, 3)


class Cluster:
    """Nodes in a full mesh; a link that is not there is cut."""

    def __init__(self, size: int, backlog_bytes: int = 1 << 24) -> None:
        self.backlog_bytes = backlog_bytes
        self.numbers = count(1)
        self.now = 10.0
        self.nodes = [self.fresh(number) for number in range(size)]
        self.links: dict[tuple[int, int], Wire] = {}

    def fresh(self, number: int) -> Node:
        skew = (0.0, 5000.0, -3.0)[number]
        return Node(
            "abc"[number], incarnation=next(self.numbers), skew=skew, backlog_bytes=self.backlog_bytes
        )

    def connect(self, link: tuple[int, int]) -> Wire:
        one, other = link
        self.links[link] = wire = Wire(self.nodes[one], self.nodes[other], self.now)
        return wire.open()

    def cut(self, number: int) -> None:
        for link in [link for link in self.links if number in link]:
            del self.links[link]

    def restart(self, number: int) -> None:
        self.cut(number)
        self.nodes[number] = self.fresh(number)

    def take_over(self, number: int) -> None:
        epoch = max(node.gate.epoch for node in self.nodes) + 1
        self.nodes[number].become(Role.MASTER, epoch, self.now)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        for wire in self.links.values():
            wire.now = self.now

    def flush(self) -> None:
        for node in self.nodes:
            node.flush(self.now)

    def settle(self) -> None:
        for _ in range(4):  # what one link brings, a step down too, goes on over the next one
            self.flush()
            for wire in self.links.values():
                for session in wire.sessions:
                    session.announce()
                wire.settle()
                assert not wire.errors

    def heal(self) -> float:
        """Join all again; returns the seconds until all of them have found that they hold the same."""
        for link in combinations(range(len(self.nodes)), 2):
            self.connect(link)
        for turn in range(40):
            self.settle()
            if self.equal and all(self.matched(wire) for wire in self.links.values()):
                return turn * 0.25
            self.pass_time(0.25)
        raise AssertionError("they never became equal")

    @property
    def equal(self) -> bool:
        first, *others = self.nodes
        return all((first.contents(), first.calls()) == (node.contents(), node.calls()) for node in others)

    @staticmethod
    def matched(wire: Wire) -> bool:
        return any(session.comparison.matched_at is not None for session in wire.sessions)


class Convergence(RuleBasedStateMachine):
    """Writes on any node, and everything that a network and an operator do to them."""

    @initialize(backlog_bytes=st.sampled_from([300, 1 << 24]))
    def begin(self, backlog_bytes: int) -> None:
        self.cluster = cluster = Cluster(3, backlog_bytes)
        cluster.take_over(0)
        for link in combinations(range(3), 2):
            cluster.connect(link)
        cluster.settle()

    @rule(node=NODES, name=NAMES)
    def register(self, node: int, name: int) -> None:
        cluster = self.cluster
        aor, uri = b"sip:u%d@x" % (name % 2), b"sip:u@10.0.0.%d" % name
        cluster.nodes[node].register(aor, uri, cluster.now, cseq=next(cluster.numbers))

    @rule(node=NODES, name=NAMES)
    def remove(self, node: int, name: int) -> None:
        cluster = self.cluster
        aor, uri = b"sip:u%d@x" % (name % 2), b"sip:u@10.0.0.%d" % name
        cluster.nodes[node].table.remove(aor, uri, call_id=b"c", cseq=next(cluster.numbers))

    @rule(node=NODES, name=NAMES, state=st.sampled_from([State.EARLY, State.CONFIRMED_NA, State.DELETED]))
    def call(self, node: int, name: int, state: State) -> None:
        if self.cluster.nodes[node].gate.is_master:
            self.cluster.nodes[node].call(name, state, self.cluster.now)

    @rule(node=NODES)
    def flush(self, node: int) -> None:
        self.cluster.nodes[node].flush(self.cluster.now)

    @rule(link=LINKS, side=st.integers(0, 1), size=st.integers(1, 900))
    def deliver(self, link: tuple[int, int], side: int, size: int) -> None:
        wire = self.cluster.links.get(link)
        if wire is not None:
            wire.write()
            wire.deliver(side, size)
            assert not wire.errors

    @rule()
    def settle(self) -> None:
        self.cluster.settle()

    @rule(seconds=st.sampled_from([0.01, 0.3, INTERVAL]))
    def pass_time(self, seconds: float) -> None:
        self.cluster.pass_time(seconds)

    @rule(link=LINKS)
    def cut(self, link: tuple[int, int]) -> None:
        self.cluster.links.pop(link, None)

    @rule(link=LINKS)
    def reconnect(self, link: tuple[int, int]) -> None:
        self.cluster.connect(link)

    @rule(node=NODES)
    def take_over(self, node: int) -> None:
        self.cluster.take_over(node)

    @rule(node=NODES)
    def restart(self, node: int) -> None:
        self.cluster.restart(node)

    def teardown(self) -> None:
        if hasattr(self, "cluster"):
            self.cluster.heal()


TestConvergence = Convergence.TestCase
TestConvergence.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)


def two_apart() -> Cluster:
    """A pair that was one, with 200 contacts and 50 calls."""
    cluster = Cluster(2, backlog_bytes=1)
    cluster.take_over(0)
    a = cluster.nodes[0]
    for number in range(200):
        a.register(b"sip:u%d@x" % number, b"sip:u@10.0.0.%d" % number, cluster.now)
    for number in range(50):
        a.call(number, State.CONFIRMED_NA, cluster.now)
    cluster.flush()
    assert cluster.heal() < 1.0
    cluster.cut(0)
    return cluster


def test_a_partition_of_minutes_heals_in_seconds_and_nothing_that_ended_comes_back() -> None:
    cluster = two_apart()
    a, b = cluster.nodes
    cluster.take_over(1)
    for number in range(20):
        b.register(b"sip:new%d@x" % number, b"sip:n@10.1.0.%d" % number, cluster.now)
        b.call(number, State.DELETED, cluster.now)
    for number in range(50):
        a.table.remove(b"sip:u%d@x" % number, b"sip:u@10.0.0.%d" % number, call_id=b"c", cseq=2)
        a.register(b"sip:more%d@x" % number, b"sip:m@10.2.0.%d" % number, cluster.now)
    for number in range(20, 30):
        a.call(number, State.DELETED, cluster.now)
    cluster.flush()
    cluster.pass_time(160.0)
    for node, last in ((a, 30), (b, 31)):  # what is too old goes when the next one ends
        node.call(last, State.DELETED, cluster.now)
    assert cluster.heal() < 5.0
    for node in cluster.nodes:
        assert sum(not values[0][-1] for values in node.contents().values()) == 200 - 50 + 50 + 20  # type: ignore[index]
        assert len(node.calls()) == 50 - 20 - 10 - 2


def test_only_what_differs_is_sent_again() -> None:
    cluster = two_apart()
    (link,) = combinations(range(2), 2)
    wire = cluster.connect(link)
    cluster.settle()
    b = cluster.nodes[1]
    lost = b"sip:u7@x"
    record = b.table._record(lost)
    record.bindings.clear()
    b.table._forget_if_empty(lost, record)  # as if a fault had lost it
    b.held._held.pop(b"call-3 tag")
    for kind, key in ((1, lost), (2, b"call-3 tag")):
        b.journal.digested[kind].stamps.drop(key)  # type: ignore[index]
    before = wire.sent
    cluster.pass_time(INTERVAL)
    cluster.settle()
    cluster.pass_time(INTERVAL)
    cluster.settle()
    assert cluster.equal
    follower = wire.sessions[1].comparison.follower
    assert follower.last is not None
    assert (follower.repaired, follower.last.divergent) == (2, {1: 0, 2: 0})
    assert wire.sent - before < 2 * 4096 * 8 + 6000, "two lists of sums, two buckets, two records"
