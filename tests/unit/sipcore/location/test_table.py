"""Sans-IO: the location table: order, expiry on the master alone, takeover, tombstones, events."""

from sipcore.bus import Event
from sipcore.location.table import MAX_TOMBSTONES
from sipcore.role import Role
from tests.kit.replication import Node

AOR = b"sip:u@x"


def master() -> Node:
    node = Node("a")
    node.become(Role.MASTER, 1)
    return node


def heard(node: Node) -> list[str]:
    names: list[str] = []
    for event in Event:
        node.bus.subscribe(event, lambda aor, subject, event=event: names.append(event.name[5:]))  # type: ignore[misc] # a default
    return names


def run(node: Node, until: float) -> None:
    now = 0.0
    while now < until:
        now += 0.25
        node.wheel.advance(now + node.skew)


def copy(source: Node, target: Node, now: float = 0.0) -> None:
    """What replication would carry."""
    (mine, *_), (theirs, *_) = source.journal.capabilities.values(), target.journal.capabilities.values()
    for key in mine.keys():  # noqa: SIM118 not a dict
        payload = mine.pack(key, now + source.skew)
        if payload is None:
            theirs.delete(key, 1, now + target.skew)
        else:
            theirs.apply(key, payload, 1, now + target.skew)


def test_a_binding_ends_on_the_master_at_its_time_and_is_never_shown_later() -> None:
    node = master()
    names = heard(node)
    node.register(AOR, b"sip:u@h1", 0.0, expires=60)
    node.register(AOR, b"sip:u@h2", 0.0, expires=90)
    assert len(node.table.lookup(AOR, 60.5)) == 1
    run(node, 62.0)
    assert (node.table.contacts, node.table.expired) == (1, 1)
    run(node, 92.0)
    assert node.table.record(AOR) is None
    assert names == [
        "AOR_INSERT",
        "CONTACT_INSERT",
        "CONTACT_INSERT",
        "CONTACT_DELETE",
        "CONTACT_DELETE",
        "AOR_DELETE",
    ]


def test_a_refresh_moves_the_end() -> None:
    node = master()
    names = heard(node)
    node.register(AOR, b"sip:u@h1", 0.0, expires=60)
    node.register(AOR, b"sip:u@h1", 30.0, expires=60, cseq=2)
    run(node, 70.0)
    assert node.table.contacts == 1
    run(node, 92.0)
    assert node.table.contacts == 0
    assert names[2:] == ["CONTACT_UPDATE", "CONTACT_DELETE", "AOR_DELETE"]


def test_a_standby_lets_nothing_expire_and_raises_no_event_until_it_is_master() -> None:
    a, b = master(), Node("b", skew=700.0)
    names = heard(b)
    a.register(AOR, b"sip:u@h1", 0.0, expires=60)
    a.register(b"sip:v@x", b"sip:v@h1", 0.0, expires=600)
    copy(a, b)
    run(b, 100.0)
    assert (b.table.contacts, names) == (2, [])
    assert b.table.lookup(AOR, 800.0) == []
    b.become(Role.MASTER, 2, 100.0)
    for tick in range(300):
        b.wheel.advance(800.0 + tick / 100)
    assert (b.table.contacts, b.table.expired) == (1, 1)
    assert names == ["CONTACT_DELETE", "AOR_DELETE"]
    for second in range(1300, 1303):
        b.wheel.advance(float(second))
    assert b.table.contacts == 0


def test_a_master_that_steps_down_stops_expiring() -> None:
    node = master()
    node.register(AOR, b"sip:u@h1", 0.0, expires=60)
    node.become(Role.BACKUP, 2, 1.0)
    run(node, 100.0)
    assert node.table.contacts == 1


def test_a_removal_beats_an_older_update_and_goes_when_the_binding_would_have_ended() -> None:
    a, b = master(), Node("b")
    a.register(AOR, b"sip:u@h1", 0.0, expires=60)
    replica, *_ = a.journal.capabilities.values()
    old = replica.pack(AOR, 0.0)
    a.table.remove(AOR, b"sip:u@h1", call_id=b"c", cseq=2)
    copy(a, b)
    theirs, *_ = b.journal.capabilities.values()
    assert old is not None
    assert theirs.apply(AOR, old, 1, 1.0) is False
    assert b.table.lookup(AOR, 1.0) == []
    run(a, 62.0)
    assert a.table.record(AOR) is None
    assert replica.pack(AOR, 62.0) is None
    assert theirs.delete(AOR, 1, 62.0) is True
    assert b.table.record(AOR) is None


def test_a_delete_spares_what_this_node_still_has() -> None:
    node = master()
    node.register(AOR, b"sip:u@h1", 0.0)
    replica, *_ = node.journal.capabilities.values()
    assert replica.delete(AOR, 9, 1.0) is False
    assert node.table.contacts == 1


def test_tombstones_of_one_aor_are_bounded() -> None:
    node = master()
    for number in range(MAX_TOMBSTONES * 3):
        uri = b"sip:u@h%d" % number
        node.register(AOR, uri, 0.0)
        node.table.remove(AOR, uri, call_id=b"c", cseq=2)
    record = node.table.record(AOR)
    assert record is not None
    assert len(record.bindings) == MAX_TOMBSTONES
    assert node.table.contacts == 0


def test_the_newer_epoch_wins_over_more_changes_of_an_older_one() -> None:
    a, b = master(), Node("b")
    b.become(Role.MASTER, 2)
    for cseq in range(1, 6):
        a.register(AOR, b"sip:u@h1", 0.0, cseq=cseq, expires=100)
    b.register(AOR, b"sip:u@h1", 0.0, cseq=2, expires=200)
    copy(a, b)
    copy(b, a)
    assert a.contents() == b.contents()
    assert [x.epoch for x in a.table.lookup(AOR, 1.0)] == [2]
