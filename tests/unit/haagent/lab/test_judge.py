"""What a new master must know of what the phones were told, and what the records must say."""

from typing import Any

import pytest

from haagent.lab.judge import judge_records, settled, unknown_calls, up, wrong_registrations
from haagent.lab.ledger import Call, Ledger, Wish


def answered(ledger: Ledger, name: str = "c") -> Call:
    call = ledger.place(Call(name, "alice", "bob"))
    ledger.on_event({"t": 1.0, "event": "answered", "id": name, "status": 200, "call_id": f"{name}@x"})
    return call


def registered(ledger: Ledger, user: str, cseq: int, expires: int = 3600) -> None:
    ledger.ask(user)
    ledger.on_event({"t": 1.0, "event": "registered", "user": user, "cseq": cseq, "expires": expires})


def dialog(call_id: str, state: str = "CONFIRMED") -> dict[str, object]:
    return {"call_id": call_id, "state": state}


def contact(user: str, cseq: int) -> dict[str, object]:
    return {"aor": f"sip:{user}@example.test", "cseq": cseq}


def record(call_id: str, status: int = 200, *, ident: str = "1", recovered: bool = False) -> dict[str, Any]:
    return {"call_id": call_id, "id": ident, "status": status, "recovered": recovered}


def test_a_call_whose_caller_saw_the_200_must_be_known() -> None:
    ledger = Ledger()
    answered(ledger)
    assert unknown_calls(up(ledger), [dialog("c@x")]) == []
    assert unknown_calls(up(ledger), [dialog("c@x", "EARLY"), dialog("other")]) == ["c"]


def test_a_call_that_somebody_is_ending_may_be_gone() -> None:
    ledger = Ledger()
    answered(ledger).ending = True
    assert up(ledger) == []


def test_the_last_register_that_was_answered_must_be_known() -> None:
    ledger = Ledger()
    registered(ledger, "alice", 7)
    assert wrong_registrations(settled(ledger), [contact("alice", 7)]) == []
    assert wrong_registrations(settled(ledger), [contact("alice", 8)]) == []
    for rows in ([contact("alice", 6)], []):
        (text,) = wrong_registrations(settled(ledger), rows)
        assert text.startswith("alice: its 200 was for CSeq 7")


def test_a_contact_that_was_taken_away_must_be_gone() -> None:
    ledger = Ledger()
    registered(ledger, "alice", 8, expires=0)
    assert wrong_registrations(settled(ledger), []) == []
    assert len(wrong_registrations(settled(ledger), [contact("alice", 7)])) == 1


def test_nothing_is_asked_of_a_user_with_a_register_under_way() -> None:
    ledger = Ledger()
    registered(ledger, "alice", 7)
    ledger.ask("alice")
    assert settled(ledger) == {}


def test_the_same_record_in_both_files_is_one_record() -> None:
    ledger = Ledger()
    call = answered(ledger)
    found = judge_records([call], [record("c@x"), record("c@x", recovered=True)])
    assert (found.calls, found.repeated, found.recovered) == (1, 1, 1)
    assert (found.missing, found.twice, found.wrong) == ([], [], [])


@pytest.mark.parametrize(
    ("rows", "bad"),
    [
        ([], "missing"),
        ([record("c@x"), record("c@x", ident="2")], "twice"),
        ([record("c@x"), record("c@x")], "twice"),
        ([record("c@x", 487)], "wrong"),
    ],
)
def test_a_bad_record_is_found(rows: list[dict[str, object]], bad: str) -> None:
    ledger = Ledger()
    found = judge_records([answered(ledger)], rows)
    assert [name for name in ("missing", "twice", "wrong") if getattr(found, name)] == [bad]


def test_a_cancelled_call_has_a_record_that_it_was_missed() -> None:
    ledger = Ledger()
    call = ledger.place(Call("c", "alice", "bob", Wish.CANCEL))
    ledger.on_event(
        {"t": 1.0, "event": "failed", "id": "c", "leg": "caller", "status": 487, "call_id": "c@x"}
    )
    assert judge_records([call], [record("c@x", 487)]).wrong == []
    assert judge_records([call], [record("c@x", 200)]).wrong == ["c"]
