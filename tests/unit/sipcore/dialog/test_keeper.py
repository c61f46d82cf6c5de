"""What a master does to calls by itself: BYE to both sides, lifetime, missing ACK, session expiry, pings."""

import pytest

from sipcore.dialog.dialog import CONFIRMED, DELETED, EARLY, EndReason
from sipcore.dialog.keeper import AT_ONCE
from sipcore.dialog.settings import DialogSettings, Side
from sipcore.errors import DialogError
from sipcore.role import Role
from sipcore.transport.layer import Hop
from tests.kit.sip_dialog import OUR_ROUTE, Desk, brief

BOTH = Side.CALLER | Side.CALLEE


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_end_from_the_middle_is_a_bye_to_each_side_as_if_the_other_had_sent_it(desk: Desk) -> None:
    desk.invite()
    desk.respond(200, routes=(b"<sip:192.0.2.8;lr>", OUR_ROUTE, b"<sip:192.0.2.9;lr>"))
    desk.say(b"ACK")
    desk.say(b"INFO", cseq=41, headers=())
    desk.say(b"INFO", cseq=7, back=True, headers=())
    assert desk.keeper.end(desk.only, EndReason.OPERATOR, 0.0)
    to_alice, to_bob = desk.mail.take()
    for sent, uri, route, cseq in (
        (to_alice, b"sip:alice@192.0.2.1", b"<sip:192.0.2.9;lr>", 8),
        (to_bob, b"sip:bob@192.0.2.2", b"<sip:192.0.2.8;lr>", 42),
    ):
        request = sent.request
        assert (request.method, request.uri, request.cseq) == (b"BYE", uri, cseq)
        assert (request.lines(b"route"), sent.next_uri) == ([route], route.strip(b"<>"))
        assert request.first(b"reason") == b'SIP;cause=487;text="ended by the operator"'
        assert request.max_forwards == 70
    assert to_alice.request.first(b"from") == b"<sip:bob@example.test>;tag=bob-1"
    assert to_alice.request.first(b"to") == b"<sip:alice@example.test>;tag=alice-1"
    assert (to_bob.request.from_tag, to_bob.request.to_tag) == (b"alice-1", b"bob-1")


def test_a_dialog_that_was_ended_stays_until_both_byes_are_answered(desk: Desk) -> None:
    dialog = desk.call()
    desk.keeper.end(dialog, EndReason.OPERATOR, 0.0)
    assert (dialog.state, len(desk.table), len(desk.table.dialogs)) == (DELETED, 0, 1)
    assert not desk.keeper.end(dialog, EndReason.OPERATOR, 0.0)  # once
    first, second = desk.mail.take()
    first.answer(200, 0.1)
    desk.say(b"BYE", cseq=9)  # crossed ours
    assert len(desk.table.dialogs) == 1
    second.answer(481, 0.2)
    assert desk.table.dialogs == {}
    assert (desk.table.ends[EndReason.OPERATOR], desk.table.ends[EndReason.BYE]) == (1, 0)


def test_byes_that_nobody_answers_are_not_waited_for_without_end(desk: Desk) -> None:
    desk.keeper.end(desk.call(), EndReason.OPERATOR, 0.0)
    desk.run(70.0)
    assert (desk.table.dialogs, desk.wheel.pending) == ({}, 0)


def test_a_ringing_call_is_cancelled_and_ends_with_its_invite(desk: Desk) -> None:
    desk.invite()
    desk.respond(180)
    assert desk.keeper.end(desk.only, EndReason.SCRIPT, 0.0)
    assert (desk.mail.take(), len(desk.mail.cancelled), desk.only.state) == ([], 1, EARLY)
    desk.fail()
    assert (len(desk.table), desk.table.ends[EndReason.SCRIPT]) == (0, 1)


def test_a_strict_router_gets_the_request_in_its_own_way(desk: Desk) -> None:
    desk.invite()
    desk.respond(200, routes=(b"<sip:192.0.2.8>", OUR_ROUTE))
    desk.say(b"ACK")
    desk.keeper.end(desk.only, EndReason.OPERATOR, 0.0)
    to_bob = desk.mail.take()[1]
    assert to_bob.request.uri == b"sip:192.0.2.8"
    assert to_bob.request.lines(b"route") == [b"<sip:bob@192.0.2.2>"]


def test_an_end_behind_a_nat_is_reached_where_it_came_from() -> None:
    desk = Desk()
    desk.invite(headers=(), source=Hop("203.0.113.9", 1024))
    desk.only.route_set = ()
    desk.respond(200)
    desk.say(b"ACK")
    desk.keeper.end(desk.only, EndReason.OPERATOR, 0.0)
    to_alice, to_bob = desk.mail.take()
    assert (to_alice.hop, to_bob.hop) == (Hop("203.0.113.9", 1024), None)


def test_a_call_ends_with_its_lifetime_from_the_answer_on() -> None:
    desk = Desk(DialogSettings(lifetime=100.0))
    desk.invite()
    desk.run(50.0)
    desk.respond(200)
    desk.say(b"ACK")
    desk.run(99.0)
    assert desk.mail.take() == []
    desk.run(2.0)
    assert brief(desk.mail.sent) == [("BYE", "alice", 1), ("BYE", "bob", 2)]
    assert desk.mail.sent[0].request.first(b"reason") == b'SIP;cause=408;text="lifetime of the call is over"'
    assert desk.table.ends[EndReason.LIFETIME] == 1


def test_a_long_lifetime_is_kept_to_the_second() -> None:
    desk = Desk(DialogSettings(lifetime=3601.0))
    desk.call()
    desk.run(3600.9)
    assert len(desk.table) == 1
    desk.run(1.2)
    assert len(desk.table) == 0


def test_the_lifetime_of_one_call_is_what_the_script_said(desk: Desk) -> None:
    desk.invite()
    desk.table.set_lifetime(desk.only, 10.0, 0.0)
    desk.respond(200)
    desk.say(b"ACK")
    desk.run(5.0)
    desk.table.set_lifetime(desk.only, 20.0, desk.now)
    desk.run(19.0)
    assert len(desk.table) == 1
    desk.run(2.1)
    assert len(desk.table) == 0
    desk.invite(call_id=b"next")
    with pytest.raises(DialogError, match="-1 is not more than 0"):
        desk.table.set_lifetime(desk.table.dialogs[b"next alice-1"], -1, 0.0)


def test_without_bye_on_timeout_a_call_is_only_forgotten() -> None:
    desk = Desk(DialogSettings(lifetime=100.0, bye_on_timeout=False))
    desk.call()
    desk.run(102.0)
    assert (desk.mail.sent, desk.table.dialogs) == ([], {})


def test_an_answer_without_ack_ends_the_call(desk: Desk) -> None:
    desk.invite()
    desk.respond(200)
    desk.run(63.0)
    assert len(desk.table) == 1
    desk.run(2.0)
    assert (len(desk.mail.sent), desk.table.ends[EndReason.NO_ACK]) == (2, 1)


def test_an_invite_that_comes_to_no_end_is_forgotten_without_a_word(desk: Desk) -> None:
    desk.invite()
    desk.respond(180)
    desk.run(3602.0)
    assert (desk.mail.sent, len(desk.table), desk.table.ends[EndReason.EARLY_TIMEOUT]) == ([], 0, 1)


def test_a_backup_ends_nothing(desk: Desk) -> None:
    dialog = desk.call()
    desk.gate.change(Role.BACKUP, 2)
    assert not desk.keeper.end(dialog, EndReason.OPERATOR, 0.0)
    assert desk.mail.sent == []


def test_both_sides_are_pinged_without_moving_their_cseq() -> None:
    desk = Desk(DialogSettings(pings=BOTH, ping_interval=30.0))
    desk.call()
    desk.run(31.0)
    pings = desk.mail.take()
    assert brief(pings) == [("OPTIONS", "alice", 0), ("OPTIONS", "bob", 1)]
    desk.say(b"INFO", cseq=5, headers=())
    for sent in pings:
        sent.answer(200, desk.now)
    desk.run(30.0)
    assert brief(desk.mail.take()) == [("OPTIONS", "alice", 0), ("OPTIONS", "bob", 5)]
    assert desk.only.cseq == 5


@pytest.mark.parametrize("status", [0, 408, 481])
def test_an_end_that_is_gone_ends_the_call_for_the_other(status: int) -> None:
    desk = Desk(DialogSettings(pings=Side.CALLEE))
    desk.call()
    desk.run(31.0)
    (sent,) = desk.mail.take()
    sent.answer(status, desk.now)
    assert brief(desk.mail.sent) == [("BYE", "alice", 1), ("BYE", "bob", 2)]
    assert desk.table.ends[EndReason.PING_FAILED] == 1


@pytest.mark.parametrize("status", [200, 404, 405, 500, 501])
def test_an_end_that_answers_anything_else_lives(status: int) -> None:
    desk = Desk(DialogSettings(pings=Side.CALLEE))
    desk.call()
    for _ in range(3):
        desk.run(30.5)
        desk.mail.take()[0].answer(status, desk.now)
    assert desk.only.state is CONFIRMED


def test_a_ping_is_not_repeated_while_one_is_out_and_one_lost_connection_is_forgiven() -> None:
    desk = Desk(DialogSettings(pings=Side.CALLEE, ping_interval=10.0))
    desk.call()
    desk.run(25.0)
    (sent,) = desk.mail.take()
    assert sent.done is not None
    sent.done(503, None, desk.now)
    assert desk.only.state is CONFIRMED
    desk.run(10.0)
    (sent,) = desk.mail.take()
    assert sent.done is not None
    sent.done(503, None, desk.now)
    assert desk.only.state is DELETED


def test_the_script_says_which_call_is_pinged(desk: Desk) -> None:
    dialog = desk.call()
    desk.table.set_pings(dialog, desk.now, Side.CALLER)
    desk.run(31.0)
    assert brief(desk.mail.take()) == [("OPTIONS", "alice", 0)]


def test_an_error_with_one_dialog_does_not_cost_the_others(desk: Desk) -> None:
    first = desk.call()
    desk.invite(call_id=b"second")
    desk.respond(200, call_id=b"second")
    for dialog in desk.table.dialogs.values():
        desk.table.set_lifetime(dialog, 10.0, 0.0)
    look, seen = desk.keeper.look, []

    def broken(dialog: object, now: float) -> None:
        if dialog is first:
            seen.append(now)
            raise RuntimeError("broken")
        look(dialog, now)  # type: ignore[arg-type]

    desk.table.deadlines.look = broken
    for _ in range(3):
        with pytest.raises(RuntimeError):
            desk.run(12.0)
    assert len(seen) == 3
    assert [dialog.key for dialog in desk.table.dialogs.values() if dialog.state is CONFIRMED] == [first.key]


def test_an_answer_that_crosses_the_cancel_is_followed_by_bye(desk: Desk) -> None:
    desk.invite()
    desk.keeper.end(desk.only, EndReason.OPERATOR, 0.0)
    desk.respond(200)
    desk.say(b"ACK")
    desk.run(2.0)
    assert [sent.request.method for sent in desk.mail.sent] == [b"BYE", b"BYE"]


def test_a_cancelled_call_that_comes_to_no_end_is_forgotten(desk: Desk) -> None:
    desk.invite()
    desk.keeper.end(desk.only, EndReason.OPERATOR, 0.0)
    desk.run(66.0)
    assert (len(desk.table), len(desk.mail.cancelled)) == (0, 1)


def test_many_calls_are_ended_over_some_seconds(desk: Desk) -> None:
    for number in range(3 * AT_ONCE):
        call_id = b"call-%d" % number
        desk.invite(call_id=call_id)
        desk.respond(200, call_id=call_id)
    desk.keeper.end_all(list(desk.table.dialogs.values()), EndReason.OPERATOR, 0.0)
    ended = []
    for _ in range(4):
        ended.append(desk.table.ends[EndReason.OPERATOR])
        desk.run(1.0)
    assert ended == [AT_ONCE, 2 * AT_ONCE, 3 * AT_ONCE, 3 * AT_ONCE]
    assert len(desk.mail.sent) == 6 * AT_ONCE
