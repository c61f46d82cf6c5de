"""The book of all calls: nothing that a user wished for may go missing unseen."""

import pytest

from haagent.lab.ledger import Call, Ledger, Wish

TALK = [
    {"t": 1.0, "event": "ringing", "id": "c", "leg": "callee"},
    {"t": 1.1, "event": "progress", "id": "c", "leg": "caller", "status": 180},
    {"t": 2.0, "event": "answered", "id": "c", "leg": "caller", "status": 200},
    {"t": 2.1, "event": "established", "id": "c", "leg": "callee"},
    {"t": 3.0, "event": "bye_received", "id": "c", "leg": "callee"},
    {"t": 3.1, "event": "bye_answered", "id": "c", "status": 200},
]
CANCELLED = [
    {"t": 2.0, "event": "cancel_answered", "id": "c", "status": 200},
    {"t": 2.1, "event": "cancelled", "id": "c", "leg": "callee"},
    {"t": 2.2, "event": "failed", "id": "c", "leg": "caller", "status": 487},
]


def ledger_of(wish: Wish, events: list[dict[str, object]]) -> Ledger:
    ledger = Ledger()
    ledger.place(Call("c", "alice", "bob", wish))
    for event in events:
        ledger.on_event(event)
    return ledger


def test_answered_and_ended_call_is_not_lost() -> None:
    assert not ledger_of(Wish.TALK, TALK).lost()


@pytest.mark.parametrize("left_out", [2, 3, 4, 5])
def test_call_is_lost_when_one_needed_event_is_missing(left_out: int) -> None:
    events = [event for index, event in enumerate(TALK) if index != left_out]
    assert list(ledger_of(Wish.TALK, events).lost()) == ["c"]


@pytest.mark.parametrize("left_out", [0, 1, 2])
def test_cancelled_call_needs_all_three_answers(left_out: int) -> None:
    assert not ledger_of(Wish.CANCEL, CANCELLED).lost()
    events = [event for index, event in enumerate(CANCELLED) if index != left_out]
    assert ledger_of(Wish.CANCEL, events).lost()


def test_cancel_that_is_answered_481_is_lost() -> None:
    events = [{**CANCELLED[0], "status": 481}, *CANCELLED[1:]]
    assert ledger_of(Wish.CANCEL, events).lost() == {"c": ["cancel_answered 200"]}


def test_rejected_call_must_fail_with_the_callees_answer() -> None:
    failed = {"t": 1.0, "event": "failed", "id": "c", "leg": "caller", "status": 408}
    assert ledger_of(Wish.REJECT, [failed]).lost()
    assert not ledger_of(Wish.REJECT, [{**failed, "status": 486}]).lost()


def test_call_rings_from_180_until_its_answer() -> None:
    assert not ledger_of(Wish.TALK, TALK[:1]).calls["c"].is_ringing
    assert ledger_of(Wish.TALK, TALK[:2]).calls["c"].is_ringing
    assert not ledger_of(Wish.TALK, TALK[:3]).calls["c"].is_ringing


def test_call_is_up_from_the_ack_until_the_answer_to_bye() -> None:
    assert not ledger_of(Wish.TALK, TALK[:3]).calls["c"].is_up
    assert ledger_of(Wish.TALK, TALK[:4]).calls["c"].is_up
    assert not ledger_of(Wish.TALK, TALK).calls["c"].is_up


def test_answers_since_a_fault_are_counted_by_status() -> None:
    ledger = ledger_of(Wish.TALK, TALK)
    assert ledger.answers("bye_answered", since=3.0) == {"200": 1}
    assert ledger.answers("bye_answered", since=3.2) == {}


def test_duplicate_invites_are_counted() -> None:
    ledger = ledger_of(Wish.TALK, [*TALK, {"t": 4.0, "event": "duplicate_invite", "id": "c"}])
    assert ledger.duplicates == 1


def test_registrations_are_kept_by_user() -> None:
    ledger = Ledger()
    ledger.on_event({"t": 1.0, "event": "registered", "user": "alice", "status": 200})
    ledger.on_event({"t": 1.0, "event": "register_failed", "user": "bob", "status": 403})
    assert ledger.registered == {"alice"}
    assert ledger.refused == {"bob": 403}
