"""Dialogs as the proxy sees them: RFC 3261 section 12 with the states of OpenSIPS."""

import pytest

from sipcore.dialog.dialog import Dialog, State
from sipcore.dialog.table import DialogTable
from sipcore.message import build_response
from sipcore.replication.journal import Journal
from sipcore.role import RoleGate
from sipcore.timers import TimerWheel
from tests.kit.sip_messages import parsed_request, parsed_response, request

ALICE = b"<sip:alice@example.test>;tag=alice-1"
BOB = b"<sip:bob@example.test>"
CALL = b"call-1@127.0.0.1"
INVITE = request(
    b"INVITE",
    headers=((b"Contact", b"<sip:alice@192.0.2.1>"), (b"Record-Route", b"<sip:192.0.2.9;lr>")),
)


@pytest.fixture
def wheel() -> TimerWheel:
    return TimerWheel()


@pytest.fixture
def table(wheel: TimerWheel) -> DialogTable:
    return DialogTable(wheel, Journal(RoleGate("a")), lifetime=100.0)


def invite(table: DialogTable) -> None:
    table.on_invite(parsed_request(INVITE), 0.0)


def respond(table: DialogTable, status: int, tag: bytes = b"bob-1") -> None:
    headers = ((b"Contact", b"<sip:bob@192.0.2.2>"), (b"Record-Route", b"<sip:192.0.2.100;lr>"))
    data = build_response(parsed_request(INVITE), status, to_tag=tag, headers=headers)
    table.on_response(parsed_response(data), 0.0)


def say(
    table: DialogTable, method: bytes, *, tag: bytes = b"bob-1", cseq: int = 1, back: bool = False
) -> None:
    bob = BOB + b";tag=" + tag
    sender, to = (bob, ALICE) if back else (ALICE, bob)
    headers = ((b"Contact", b"<sip:moved@192.0.2.7>"),)
    table.on_request(parsed_request(request(method, sender=sender, to=to, cseq=cseq, headers=headers)), 0.0)


def only(table: DialogTable) -> Dialog:
    (dialog,) = table.dialogs.values()
    return dialog


def test_a_call_goes_through_the_states_of_opensips(table: DialogTable) -> None:
    states = []
    invite(table)
    states.append(only(table).state)
    for status in (180, 200):
        respond(table, status)
        states.append(only(table).state)
    say(table, b"ACK")
    dialog = only(table)
    states.append(dialog.state)
    say(table, b"BYE", cseq=2)
    states.append(dialog.state)
    assert states == list(State)
    assert len(table) == 0


def test_a_dialog_knows_both_sides(table: DialogTable) -> None:
    invite(table)
    respond(table, 200)
    dialog = only(table)
    leg = dialog.legs[b"bob-1"]
    assert (dialog.contact, leg.contact) == (b"sip:alice@192.0.2.1", b"sip:bob@192.0.2.2")
    assert (dialog.route_set, leg.route_set) == ((b"<sip:192.0.2.9;lr>",), (b"<sip:192.0.2.100;lr>",))
    assert (dialog.from_uri, dialog.to_uri) == (b"sip:alice@example.test", b"sip:bob@example.test")


def test_each_called_party_has_its_leg_and_the_dialog_lives_as_long_as_one_answered(
    table: DialogTable,
) -> None:
    invite(table)
    respond(table, 180, b"bob-1")
    respond(table, 200, b"bob-2")
    respond(table, 200, b"bob-3")
    assert len(only(table).legs) == 3
    say(table, b"BYE", tag=b"bob-2")
    assert len(table) == 1
    say(table, b"BYE", tag=b"bob-3", back=True)
    assert len(table) == 0


def test_a_failed_invite_ends_its_dialog_but_not_an_answered_one(table: DialogTable) -> None:
    invite(table)
    respond(table, 180)
    table.on_failure(parsed_request(INVITE), 0.0)
    assert len(table) == 0
    invite(table)
    respond(table, 200)
    table.on_failure(parsed_request(INVITE), 0.0)
    assert len(table) == 1


def test_a_request_within_the_dialog_moves_cseq_and_target_of_its_side(table: DialogTable) -> None:
    invite(table)
    respond(table, 200)
    say(table, b"UPDATE", cseq=7, back=True)
    dialog = only(table)
    assert (dialog.legs[b"bob-1"].cseq, dialog.legs[b"bob-1"].contact) == (7, b"sip:moved@192.0.2.7")
    assert (dialog.cseq, dialog.contact) == (1, b"sip:alice@192.0.2.1")


def test_a_2xx_makes_a_dialog_whose_invite_was_never_seen(table: DialogTable) -> None:
    respond(table, 180)
    assert len(table) == 0
    respond(table, 200)
    assert only(table).state is State.CONFIRMED_NA


def test_a_2xx_that_comes_again_after_the_bye_makes_no_ghost(table: DialogTable) -> None:
    invite(table)
    respond(table, 200)
    say(table, b"BYE")
    respond(table, 200)
    assert len(table) == 0


def test_a_dialog_ends_with_its_lifetime(table: DialogTable, wheel: TimerWheel) -> None:
    invite(table)
    respond(table, 200)
    wheel.advance(99.0)
    assert len(table) == 1
    wheel.advance(100.1)
    assert (len(table), table.expired, wheel.pending) == (0, 1, 0)
