"""Dialogs as the proxy sees them: RFC 3261 section 12 with the states of OpenSIPS."""

from itertools import pairwise

import pytest

from sipcore.bus import Event
from sipcore.dialog.dialog import CONFIRMED, EARLY, LEGAL, MAX_LEGS, Dialog, EndReason, State
from sipcore.dialog.settings import DialogSettings
from sipcore.dialog.store import StateChange
from sipcore.dialog.table import MAX_FIELD, MAX_VALUES
from sipcore.errors import DialogError
from sipcore.transport.layer import Hop
from tests.kit.sip_dialog import CALL, OUR_ROUTE, Desk
from tests.kit.sip_messages import parsed_request, request


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_call_goes_through_the_states_of_opensips_and_each_step_is_told(desk: Desk) -> None:
    told: list[tuple[State | None, State]] = []

    def hear(_key: bytes, change: StateChange | None) -> None:
        assert change is not None
        told.append((change.old, change.new))

    desk.table.bus.subscribe(Event.E_DLG_STATE_CHANGED, hear)
    desk.call()
    assert desk.table.states[CONFIRMED] == 1
    desk.say(b"BYE", cseq=2)
    assert told == list(pairwise([None, *State]))
    assert (len(desk.table), desk.table.ends[EndReason.BYE]) == (0, 1)
    assert set(desk.table.states.values()) == {0}


def test_no_state_is_left_backwards() -> None:
    assert all(new > old for old, states in LEGAL.items() for new in states)


def test_a_dialog_knows_both_sides(desk: Desk) -> None:
    desk.invite()
    desk.respond(200, routes=(b"<sip:192.0.2.8;lr>", b"<sip:192.0.2.7;lr>", OUR_ROUTE, b"<sip:192.0.2.9;lr>"))
    dialog = desk.only
    leg = dialog.legs[0]
    assert (dialog.contact, leg.contact) == (b"sip:alice@192.0.2.1", b"sip:bob@192.0.2.2")
    assert dialog.route_set == (b"<sip:192.0.2.9;lr>",)
    assert leg.route_set == (b"<sip:192.0.2.7;lr>", b"<sip:192.0.2.8;lr>")  # the nearest first
    assert (dialog.from_uri, dialog.to_uri) == (b"sip:alice@example.test", b"sip:bob@example.test")
    assert (dialog.call_id, dialog.from_tag, len(dialog.did)) == (CALL, b"alice-1", 12)


def test_each_answered_party_has_its_leg_and_the_dialog_lives_as_long_as_one(desk: Desk) -> None:
    desk.invite()
    desk.respond(200, b"bob-2")
    desk.respond(200, b"bob-3")
    assert len(desk.only.legs) == 2
    desk.say(b"BYE", tag=b"bob-2")
    assert len(desk.table) == 1
    desk.say(b"BYE", tag=b"bob-3", back=True)
    assert len(desk.table) == 0


def test_the_early_dialogs_of_losing_branches_end_with_the_answer(desk: Desk) -> None:
    desk.invite()
    for tag in (b"bob-1", b"bob-2", b"bob-3"):
        desk.respond(180, tag)
    desk.respond(200, b"bob-2")
    assert [leg.tag for leg in desk.only.legs] == [b"bob-2"]
    desk.respond(180, b"bob-1")  # came late
    assert desk.only.state is State.CONFIRMED_NA


def test_an_answer_that_crosses_the_bye_of_its_leg_makes_no_new_one(desk: Desk) -> None:
    desk.invite()
    for tag in (b"bob-1", b"bob-2"):
        desk.respond(200, tag)
        desk.say(b"ACK", tag=tag)
    desk.say(b"BYE", tag=b"bob-2")
    desk.respond(200, b"bob-2")  # sent again before the BYE was there
    assert [leg.tag for leg in desk.only.legs] == [b"bob-1"]


def test_legs_are_bounded_and_answered_ones_stay(desk: Desk) -> None:
    desk.invite()
    for number in range(3 * MAX_LEGS):
        desk.respond(180, b"early-%d" % number)
    assert len(desk.only.legs) == MAX_LEGS
    for number in range(3 * MAX_LEGS):
        desk.respond(200, b"answered-%d" % number)
    assert [leg.tag for leg in desk.only.legs] == [b"answered-%d" % number for number in range(MAX_LEGS)]


def test_a_failed_invite_ends_its_dialog_but_not_an_answered_one(desk: Desk) -> None:
    desk.invite()
    desk.respond(180)
    desk.fail()
    assert (len(desk.table), desk.table.ends[EndReason.FAILED]) == (0, 1)
    desk.invite(call_id=b"other")
    desk.respond(200, call_id=b"other")
    desk.fail(call_id=b"other")
    assert len(desk.table) == 1


def test_a_spiral_neither_changes_nor_ends_the_dialog_of_the_first_pass(desk: Desk) -> None:
    desk.invite()
    desk.invite(headers=((b"Record-Route", OUR_ROUTE),), branch=b"z9hG4bK-2")
    assert desk.only.route_set == (b"<sip:192.0.2.9;lr>",)
    desk.fail(branch=b"z9hG4bK-2")
    assert len(desk.table) == 1
    desk.fail()
    assert len(desk.table) == 0


def test_an_invite_again_with_credentials_is_the_same_call_anew(desk: Desk) -> None:
    desk.invite()
    desk.fail()  # 407
    desk.invite(cseq=2)
    assert desk.only.cseq == 2


def test_a_bye_of_an_unknown_leg_ends_nothing(desk: Desk) -> None:
    desk.invite()
    desk.respond(180)
    desk.say(b"BYE", tag=b"guessed")
    assert desk.only.state is EARLY
    desk.say(b"BYE")  # section 15: the caller may end an early dialog; the INVITE goes on
    assert (desk.only.state, desk.only.legs) == (EARLY, ())


def test_a_request_within_the_dialog_moves_cseq_and_target_of_its_side(desk: Desk) -> None:
    desk.call()
    desk.say(b"UPDATE", cseq=7, back=True)
    dialog = desk.only
    assert (dialog.legs[0].cseq, dialog.legs[0].contact) == (7, b"sip:moved@192.0.2.7")
    assert (dialog.cseq, dialog.contact) == (1, b"sip:alice@192.0.2.1")
    desk.say(b"INFO", cseq=8, back=True, headers=((b"Contact", b"<sip:elsewhere@192.0.2.6>"),))
    assert (dialog.legs[0].cseq, dialog.legs[0].contact) == (8, b"sip:moved@192.0.2.7")


def test_the_answer_to_a_re_invite_moves_the_target_of_the_side_that_answers(desk: Desk) -> None:
    dialog = desk.call()
    again = desk.say(b"INVITE", cseq=2, headers=())
    desk.agree(again, ((b"Contact", b"<sip:bob@192.0.2.22>"),))
    assert dialog.legs[0].contact == b"sip:bob@192.0.2.22"
    back = desk.say(b"INVITE", cseq=1, back=True, headers=())
    desk.agree(back, ((b"Contact", b"<sip:alice@192.0.2.11>"),))
    assert dialog.contact == b"sip:alice@192.0.2.11"


def test_a_hop_is_kept_only_where_the_contact_does_not_lead_there(desk: Desk) -> None:
    desk.invite(source=Hop("192.0.2.1", 40000))
    assert desk.only.hop is None
    desk.respond(200, hop=Hop("203.0.113.5", 1024))
    assert desk.only.legs[0].hop == Hop("203.0.113.5", 1024)
    flow = Hop("192.0.2.1", 40000, 0, "tcp", 7)
    desk.say(b"UPDATE", cseq=2, source=flow)
    assert desk.only.hop == flow


def test_a_2xx_makes_a_dialog_whose_invite_was_never_seen(desk: Desk) -> None:
    desk.respond(180)
    assert len(desk.table) == 0
    desk.respond(200)
    assert desk.only.state is State.CONFIRMED_NA


def test_a_2xx_that_comes_again_after_the_bye_makes_no_ghost(desk: Desk) -> None:
    desk.invite()
    desk.respond(200)
    desk.say(b"BYE")
    desk.respond(200)
    desk.say(b"BYE", back=True)  # crossed the first one
    assert len(desk.table) == 0


def test_a_full_table_refuses_calls_and_counts_them() -> None:
    desk = Desk(DialogSettings(max_dialogs=2))
    assert [desk.invite(call_id=b"call-%d" % number) for number in range(3)] == [0, 0, 503]
    assert (len(desk.table), desk.table.refused) == (2, 1)
    desk.fail(call_id=b"call-0")
    assert desk.invite(call_id=b"call-3") == 0


def test_a_dialog_that_would_take_much_memory_is_refused(desk: Desk) -> None:
    assert desk.invite(call_id=b"x" * MAX_FIELD) == 513
    assert desk.invite(headers=((b"Record-Route", b"<sip:%b;lr>" % (b"y" * 2 * MAX_FIELD)),)) == 0
    assert desk.only.route_set == ()
    desk.respond(200, headers=((b"Contact", b"<sip:%b@192.0.2.2>" % (b"z" * MAX_FIELD)),))
    assert len(desk.only.legs[0].contact) < MAX_FIELD


def test_a_table_that_follows_only_what_the_script_says_leaves_other_calls_alone() -> None:
    desk = Desk(DialogSettings(track_all=False))
    assert desk.invite() == 0
    desk.respond(200)
    assert len(desk.table) == 0
    invite = parsed_request(request(b"INVITE", call_id=b"mine"))
    dialog = desk.table.create(invite, 0.0)
    assert desk.table.create(invite, 0.0) is dialog
    desk.respond(200, call_id=b"mine")
    assert dialog.state is State.CONFIRMED_NA


def test_values_are_kept_and_bounded(desk: Desk) -> None:
    desk.invite()
    dialog = desk.only
    desk.table.store_value(dialog, "route", "trunk-1")
    assert (dialog.value("route"), dialog.value("none")) == ("trunk-1", None)
    desk.table.store_value(dialog, "route", None)
    assert dialog.value("route") is None
    for number in range(MAX_VALUES):
        desk.table.store_value(dialog, f"name-{number}", "")
    with pytest.raises(DialogError, match="64 values already"):
        desk.table.store_value(dialog, "one more", "")
    with pytest.raises(DialogError, match="5000 characters, over 4096"):
        desk.table.store_value(dialog, "name-1", "x" * 5000)


def test_what_has_ended_leaves_nothing_behind(desk: Desk) -> None:
    for number in range(20):
        call_id = b"call-%d" % number
        desk.invite(call_id=call_id)
        desk.respond(200, call_id=call_id)
        desk.say(b"ACK", call_id=call_id)
        desk.say(b"BYE", cseq=2, call_id=call_id)
    desk.run(200.0)
    assert (desk.table.dialogs, desk.wheel.pending) == ({}, 0)


def test_the_row_of_a_dialog_says_what_an_operator_asks(desk: Desk) -> None:
    dialog = desk.call()
    desk.now = 12.5
    row = dialog.row(desk.now)
    assert (row["state"], row["from"], row["age"]) == ("CONFIRMED", "sip:alice@example.test", 12.5)
    assert row["expires"] == 12 * 3600 - 12.5
    assert isinstance(dialog, Dialog)
