"""Sans-IO: entries of the in-process stores of two cores that real replication sessions join."""

from math import inf

import msgspec
import pytest

from sipcore.cachedb import CacheError, CacheQueryError
from sipcore.cachedb.local import LocalTable
from sipcore.cachedb.replica import CacheReplica, WireEntry
from sipcore.replication.capability import Kind
from sipcore.replication.journal import Journal
from sipcore.role import Role, RoleGate
from tests.kit.sip_channel import Channel
from tests.kit.sip_pair import Node

STORE = "local:calls"


class CacheNode(Node):
    """A core with one replicated store."""

    def __init__(self, name: str, store: str = STORE) -> None:
        super().__init__(name)
        self.table = LocalTable(store)
        self.journal.register(CacheReplica([self.table], self.journal))


class CachePair:
    """Two cores with a link; the first is master."""

    def __init__(self, store: str = STORE) -> None:
        self.a, self.b = CacheNode("a"), CacheNode("b", store)
        self.a.core.on_role(Role.MASTER, 1, 0.0)
        self.channel = Channel(self.a.journal, self.b.journal, 0.0)

    def share(self, now: float) -> None:
        self.a.flush(now)
        self.b.flush(now)
        self.channel.carry(now)


def wire(value: bytes | None, version: tuple[int, int], remaining: float | None = None) -> bytes:
    return msgspec.msgpack.encode(WireEntry(value, remaining, *version))


def replica(**limits: int) -> tuple[CacheReplica, LocalTable]:
    table = LocalTable(STORE, **limits)
    return CacheReplica([table], Journal(RoleGate("n"))), table


def key(name: bytes) -> bytes:
    return STORE.encode() + b"\0" + name


def test_what_a_script_has_stored_is_there_after_a_takeover_for_the_time_it_has_left() -> None:
    pair = CachePair()
    pair.a.table.set(b"pop", b"one", 10.0, 0.0)
    pair.a.table.set(b"stays\0", b"\xff", inf, 0.0)
    pair.share(2.0)
    pair.b.core.on_role(Role.MASTER, 2, 3.0)
    assert pair.b.table.get(b"pop", 9.9) == b"one"
    assert pair.b.table.get(b"pop", 10.0) is None
    assert pair.b.table.get(b"stays\0", 1e9) == b"\xff"


def test_a_counter_goes_on_from_its_sum_and_its_end_after_a_takeover() -> None:
    pair = CachePair()
    for _ in range(5):
        pair.a.table.add(b"calls", 2, 60.0, 0.0)
    pair.a.table.add(b"calls", -3, None, 1.0)
    sequence = pair.a.journal.sequence
    pair.share(1.0)
    assert pair.a.journal.sequence == sequence + 1  # one record for all of them
    pair.b.core.on_role(Role.MASTER, 2, 3.0)
    assert pair.b.table.add(b"calls", 1, None, 59.0) == 8
    assert pair.b.table.get(b"calls", 60.0) is None


def test_a_removed_entry_is_gone_on_both_and_a_node_that_was_away_does_not_bring_it_back() -> None:
    pair = CachePair()
    for name in (b"first", b"second"):
        pair.a.table.set(name, b"1", inf, 0.0)
    pair.share(0.0)
    pair.a.table.remove(b"first", 1.0)
    pair.share(1.0)
    assert pair.b.table.get(b"first", 1.0) is None
    pair.a.table.remove(b"second", 2.0)  # nobody is connected
    pair.a.flush(2.0)
    pair.channel = Channel(pair.a.journal, pair.b.journal, 3.0)
    assert pair.b.table.get(b"second", 3.0) is None
    assert len(pair.a.table) == len(pair.b.table) == 0
    pair.a.table.set(b"first", b"2", inf, 4.0)
    pair.share(4.0)
    assert pair.b.table.get(b"first", 4.0) == b"2"


def test_a_node_that_starts_gets_all_entries_and_its_own_changes_come_after_them() -> None:
    pair = CachePair()
    for number in range(500):
        pair.a.table.set(b"%d" % (number % 250), b"%d" % number, inf, 0.0)
    pair.a.flush(0.0)
    fresh = CacheNode("b")
    Channel(pair.a.journal, fresh.journal, 1.0)
    assert len(fresh.table) == 250
    fresh.table.set(b"7", b"mine", inf, 2.0)
    fresh.flush(2.0)
    Channel(pair.a.journal, fresh.journal, 3.0)
    assert pair.a.table.get(b"7", 3.0) == b"mine"


def test_the_higher_epoch_is_right_however_often_the_other_master_has_changed() -> None:
    own, table = replica()
    assert own.apply(key(b"k"), wire(b"new", (4, 1)), 4, 0.0)
    assert not own.apply(key(b"k"), wire(b"old", (3, 900)), 4, 0.0)
    assert not own.apply(key(b"k"), wire(None, (3, 901)), 4, 0.0)
    assert not own.apply(key(b"k"), wire(b"again", (4, 1)), 4, 0.0)
    assert table.get(b"k", 0.0) == b"new"
    assert own.apply(key(b"k"), wire(None, (4, 2)), 4, 0.0)
    assert not own.apply(key(b"k"), wire(b"late", (4, 1)), 4, 0.0)
    assert table.get(b"k", 0.0) is None


def test_a_store_that_is_not_replicated_here_takes_nothing_and_says_nothing() -> None:
    pair = CachePair("local:other")
    pair.a.table.set(b"k", b"v", inf, 0.0)
    pair.share(0.0)
    assert len(pair.b.table) == 0
    alone = Node("c")
    Channel(pair.a.journal, alone.journal, 1.0)
    plain = LocalTable(STORE)
    plain.set(b"k", b"v", inf, 0.0)
    plain.remove(b"k", 0.0)
    assert plain.names() == []
    assert Kind.CACHE not in alone.journal.sent


def test_the_limits_of_a_store_hold_for_entries_of_its_peer() -> None:
    own, table = replica(max_entries=1)
    own.apply(key(b"a"), wire(b"1", (1, 1)), 1, 0.0)
    with pytest.raises(CacheQueryError, match="1 entries"):
        own.apply(key(b"b"), wire(b"1", (1, 2)), 1, 0.0)
    assert own.apply(key(b"a"), wire(b"2", (1, 3), 5.0), 1, 0.0)
    assert own.apply(key(b"b"), wire(b"1", (1, 4)), 1, 6.0)
    assert table.names() == [b"b"]
    assert own.pack(key(b"a"), 6.0) is None


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        (b"", wire(b"v", (1, 1))),
        (b"k" * 1025, wire(b"v", (1, 1))),
        (b"k", wire(b"v", (-1, 1))),
        (b"k", b"\xc0"),
    ],
)
def test_a_record_that_is_none_is_refused(name: bytes, payload: bytes) -> None:
    own, _ = replica()
    with pytest.raises((CacheError, msgspec.MsgspecError)):
        own.apply(key(name), payload, 1, 0.0)
