"""The timeline of a takeover."""

from haagent.lab.ledger import Call, Ledger
from haagent.lab.sight import Sight, Sort
from haagent.lab.timeline import Moment, rows, seen_by_client, takeover


def test_rows_are_milliseconds_after_the_fault_in_order() -> None:
    moments = [
        Moment(10.3, "b", "later"),
        Moment(10.0, "laboratory", "power on a"),
        Moment(9.999, "x", "before"),
    ]
    assert rows(moments, 10.0) == [
        (-1.0, "x", "before"),
        (0.0, "laboratory", "power on a"),
        (300.0, "b", "later"),
    ]


def test_client_saw_the_last_answer_of_the_old_node_and_the_first_of_the_new() -> None:
    sight = Sight()
    for at, owner in ((9.9, "a"), (10.3, "b"), (10.31, "b")):
        sight.add(Sort.ICMP, at, owner)
        sight.add(Sort.SIP, at + 0.001, owner)
    texts = [m.text for m in seen_by_client(sight, Ledger(), 10.0, 10.32, "a")]
    assert texts == [
        "last ICMP answer of a",
        "first ICMP answer of its peer",
        "last SIP answer of a",
        "first SIP answer of its peer",
    ]


def test_first_answer_to_bye_counts_only_after_the_fault() -> None:
    ledger = Ledger()
    for name, at in (("c1", 9.0), ("c2", 11.0), ("c3", 12.0)):
        ledger.place(Call(name, "alice", "bob"))
        ledger.on_event({"t": at, "event": "bye_answered", "id": name, "status": 200})
    moments = seen_by_client(Sight(), ledger, 10.0, 13.0, "a")
    assert [m.at for m in moments if "BYE" in m.text] == [11.0]


def record(at: float, role: str, **phases: float | None) -> dict[str, object]:
    return {"monotonic": at, "role": role, "reason": "no master advertises", "phases": phases}


def test_takeover_is_the_first_change_to_master_after_the_fault() -> None:
    records = [record(5.0, "MASTER", vip_ms=1.0), record(10.2, "MASTER", vip_ms=2.0, announced_ms=None)]
    assert takeover(records, "b", 10.0) == [
        Moment(10.2, "b", "noticed: no master advertises"),
        Moment(10.202, "b", "virtual IP there"),
    ]


def test_there_is_no_takeover_without_a_change_to_master() -> None:
    assert takeover([record(10.2, "BACKUP")], "b", 10.0) == []
