"""Sans-IO: two sessions on one wire: roles, silence, slow peers, names, versions, waiting time."""

import pytest

from sipcore.dialog.dialog import State
from sipcore.errors import ReplicationError
from sipcore.replication.capability import Kind
from sipcore.replication.events import Acked, NewerMaster, PeerRole, PeerSynced, PeerUp, Synced
from sipcore.role import Role
from tests.kit.replication import Node, Wire


def pair() -> Wire:
    a, b = Node("a"), Node("b", skew=300.0)
    a.become(Role.MASTER, 1)
    return Wire(a, b, 0.0)


def test_both_sides_tell_what_happened() -> None:
    wire = pair()
    wire.settle()
    assert PeerUp("b") in wire.a.events
    assert PeerRole(Role.MASTER, 1) in wire.b.events
    for node in (wire.a, wire.b):
        assert Synced(True) in node.events
        assert PeerSynced(True) in node.events
    wire.a.register(b"sip:u@x", b"sip:u@h", 0.0)
    wire.a.flush(0.0)
    wire.settle()
    assert wire.a.events[-1] == Acked(1)


def test_a_peer_is_dead_after_three_missing_heartbeats() -> None:
    wire = pair()
    wire.settle()
    for eighth in range(1, 9):
        wire.now = eighth / 8
        wire.timers()
        wire.settle()
    session = wire.sessions[0]
    session.on_timer(1.299)
    with pytest.raises(ReplicationError, match="silent for"):
        session.on_timer(1.301)


def test_a_peer_that_says_nothing_at_first_has_a_second() -> None:
    session = pair().sessions[0]
    assert session.deadline == 1.0
    with pytest.raises(ReplicationError, match="handshake"):
        session.on_timer(1.0)


def test_the_master_of_the_older_epoch_steps_down() -> None:
    wire = pair()
    wire.settle()
    wire.b.become(Role.MASTER, 3)
    wire.sessions[1].announce()
    wire.settle()
    assert NewerMaster(3) in wire.a.events
    assert not wire.a.gate.is_master
    assert wire.b.gate.is_master


def test_a_peer_of_our_own_name_is_refused_by_name() -> None:
    wire = Wire(Node("a"), Node("a"), 0.0)
    wire.settle()
    assert wire.errors == ["both nodes are called a"]


def test_records_of_another_version_refuse_the_peer_and_it_is_told() -> None:
    a, b = Node("a"), Node("b")
    capability = b.journal.capabilities[Kind.CONTACT]
    capability.version = 2
    wire = Wire(a, b, 0.0)
    wire.settle()
    assert wire.errors == ["CONTACT records: b has version 2, this node 1"]
    assert b"CONTACT records: b has version 2, this node 1" in wire.pipes[0], "and b is told"


def test_a_record_that_waited_ends_on_the_standby_when_it_ends_on_the_master() -> None:
    wire = pair()
    wire.settle()
    wire.a.register(b"sip:u@x", b"sip:u@h", 0.0, expires=600)
    wire.a.flush(0.0)
    again = Wire(wire.a, wire.b, 250.0)
    again.settle()
    (binding,) = wire.b.table.lookup(b"sip:u@x", 300.0)
    assert abs(binding.expires_at - 900.0) < 0.002


def test_a_peer_that_stalls_past_the_backlog_gets_a_snapshot_and_costs_no_memory() -> None:
    a, b = Node("a", backlog_bytes=2000), Node("b")
    wire = Wire(a, b, 0.0)
    wire.settle()
    for number in range(500):
        a.register(b"sip:u%d@x" % number, b"sip:u@h", 0.0)
        a.flush(0.0)
    sender = wire.sessions[0].sender
    assert a.journal.covers(499)
    assert not a.journal.covers(1)
    events, _, _ = sender.lag(1.0)
    assert events == 500
    wire.settle()
    assert sender.snapshots == 2  # the first one, of the empty table, and this one
    assert sender.synced
    assert a.contents() == b.contents()
    assert sender.lag(1.0) == (0, 0.0, 0)


def test_the_lag_is_the_age_of_the_oldest_change_that_is_not_acknowledged() -> None:
    wire = pair()
    wire.settle()
    wire.a.register(b"sip:u@x", b"sip:u@h", 0.0)
    wire.a.flush(1.0)
    sender = wire.sessions[0].sender
    assert sender.lag(1.5)[:2] == (1, 0.5)
    wire.write()
    events, seconds, size = sender.lag(2.0)
    assert (events, seconds) == (1, 1.0)
    assert size > 50
    wire.settle()
    assert sender.lag(2.0) == (0, 0.0, 0)


def test_a_record_from_a_peer_is_not_sent_on() -> None:
    wire = pair()
    wire.settle()
    wire.a.register(b"sip:u@x", b"sip:u@h", 0.0)
    wire.a.flush(0.0)
    wire.settle()
    wire.b.flush(0.0)
    assert wire.b.table.contacts == 1
    assert wire.b.journal.sequence == 0


def test_one_key_touched_many_times_in_a_batch_is_sent_once() -> None:
    node = Node("a")
    for cseq in range(1, 50):
        node.register(b"sip:u@x", b"sip:u@h", 0.0, cseq=cseq)
    node.flush(0.0)
    assert node.journal.sequence == 1


@pytest.mark.parametrize("where", ["sends", "accepts"])
def test_a_kind_that_is_not_sent_or_not_accepted_stays_here_and_is_not_compared(where: str) -> None:
    only = frozenset({Kind.DIALOG})
    a = Node("a", sends=only if where == "sends" else None)
    b = Node("b", accepts=only if where == "accepts" else None)
    a.become(Role.MASTER, 1)
    a.register(b"sip:u@x", b"sip:u@h", 0.0)
    a.call(1, State.CONFIRMED, 0.0)
    a.flush(0.0)
    wire = Wire(a, b, 0.0)
    wire.settle()
    a.register(b"sip:v@x", b"sip:v@h", 0.0)
    a.flush(0.0)
    wire.settle()
    assert (b.table.contacts, len(b.calls())) == (0, 1)
    found = wire.sessions[1].comparison.follower.last
    assert found is not None
    assert found.divergent == {Kind.DIALOG: 0}
