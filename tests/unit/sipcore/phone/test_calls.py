"""Two phones on a wire of their own, against RFC 3261 sections 9, 13 and 15."""

import pytest

from sipcore.message import Edit, Request, parse
from sipcore.phone.agent import Event, Phone
from sipcore.transaction.timers import TimerValues
from sipcore.transport.layer import Hop
from tests.kit.sip_wire import SipWire

A, B = Hop("192.0.2.1", 5060), Hop("192.0.2.2", 5060)


class Pair:
    """alice at A and bob at B; each is the other's proxy."""

    def __init__(self) -> None:
        self.wire = SipWire()
        self.alice = phone(A, B, {b"alice": b"secret"}, b"a")
        self.bob = phone(B, A, {b"bob": b"secret"}, b"b")
        self.wire.plug(A, self.alice)
        self.wire.plug(B, self.bob)

    def call(self) -> None:
        """alice's call "1" rings at bob's."""
        self.alice.call("1", b"alice", b"bob", self.wire.now)
        self.wire.run(0.1)

    def answered(self) -> None:
        """The call is up."""
        self.call()
        assert self.bob.answer("1", self.wire.now)
        self.wire.run(0.1)


def phone(local: Hop, proxy: Hop, passwords: dict[bytes, bytes], seed: bytes) -> Phone:
    return Phone(
        local=local,
        proxy=proxy,
        domain=b"example.test",
        passwords=passwords,
        seed=seed,
        timers=TimerValues(),
        now=0.0,
    )


def events(phone: Phone) -> list[tuple[object, ...]]:
    def short(event: Event) -> tuple[object, ...]:
        return (event["event"], *([event["status"]] if "status" in event else []))

    return [short(event) for event in phone.events]


@pytest.fixture
def pair() -> Pair:
    return Pair()


def test_a_call_rings_is_answered_and_ended_by_the_caller(pair: Pair) -> None:
    pair.answered()
    assert pair.alice.bye("1", "caller", pair.wire.now)
    pair.wire.run(0.1)
    assert events(pair.alice) == [("progress", 180), ("answered", 200), ("bye_answered", 200)]
    assert events(pair.bob) == [("ringing",), ("established",), ("bye_received",)]


def test_the_called_side_can_end_it_too(pair: Pair) -> None:
    pair.answered()
    assert pair.bob.bye("1", "callee", pair.wire.now)
    pair.wire.run(0.1)
    assert events(pair.bob)[-1] == ("bye_answered", 200)
    assert events(pair.alice)[-1] == ("bye_received",)


def test_both_legs_go_by_the_callers_name_of_the_call(pair: Pair) -> None:
    pair.call()
    assert pair.bob.events[0] == {"event": "ringing", "id": "1", "leg": "callee"}


def test_a_refused_call_fails_with_that_status(pair: Pair) -> None:
    pair.call()
    assert pair.bob.reject("1", 486, pair.wire.now)
    pair.wire.run(0.1)
    assert events(pair.alice)[-1] == ("failed", 486)
    assert not pair.bob.answer("1", pair.wire.now)


def test_cancel_is_answered_and_ends_the_call_with_487(pair: Pair) -> None:
    pair.call()
    assert pair.alice.cancel("1", pair.wire.now)
    pair.wire.run(0.1)
    assert events(pair.alice) == [("progress", 180), ("cancel_answered", 200), ("failed", 487)]
    assert events(pair.bob) == [("ringing",), ("cancelled",)]


def test_cancel_waits_for_a_provisional_response(pair: Pair) -> None:
    pair.wire.lost = lambda data, to: data.startswith(b"SIP/2.0 180")
    pair.call()
    assert pair.alice.cancel("1", pair.wire.now)
    pair.wire.run(0.1)
    assert pair.wire.sent(b"CANCEL") == []  # section 9.1
    pair.wire.lost = lambda data, to: False
    pair.wire.run(1.0)  # the INVITE is sent again, its 180 comes
    assert len(pair.wire.sent(b"CANCEL")) == 1
    assert events(pair.alice)[-1] == ("failed", 487)


def test_an_answer_that_crosses_cancel_is_acknowledged_and_ended(pair: Pair) -> None:
    pair.call()
    pair.bob.answer("1", pair.wire.now)
    pair.alice.cancel("1", pair.wire.now)
    pair.wire.run(0.1)
    assert ("answered", 200) in events(pair.alice)
    assert events(pair.alice)[-1] == ("bye_answered", 200)
    assert events(pair.bob)[-2:] == [("established",), ("bye_received",)]


def test_the_200_is_repeated_until_the_ack_comes(pair: Pair) -> None:
    pair.wire.lost = lambda data, to: data.startswith(b"ACK")
    pair.answered()
    pair.wire.run(2.0)
    assert ("established",) not in events(pair.bob)
    pair.wire.lost = lambda data, to: False
    pair.wire.run(4.0)
    times = [at for at, _, data in pair.wire.seen if b"INVITE" in data and data.startswith(b"SIP/2.0 200")]
    assert [round(at - times[0], 1) for at in times] == [0.0, 0.5, 1.5, 3.5]  # T1, doubling
    assert events(pair.bob)[-1] == ("established",)


def test_without_any_ack_the_called_side_hangs_up(pair: Pair) -> None:
    pair.wire.lost = lambda data, to: data.startswith(b"ACK")
    pair.answered()
    pair.wire.run(33.0)
    assert events(pair.bob)[-2:] == [("failed", 408), ("bye_answered", 200)]  # section 13.3.1.4


def test_a_call_that_nobody_takes_fails_with_408_after_timer_b(pair: Pair) -> None:
    pair.wire.lost = lambda data, to: to == B
    pair.call()
    pair.wire.run(31.0)
    assert events(pair.alice) == []
    pair.wire.run(1.5)
    assert events(pair.alice) == [("failed", 408)]
    assert len(pair.wire.sent(b"INVITE")) == 7


def test_the_second_branch_that_answers_gets_ack_and_bye(pair: Pair) -> None:
    pair.answered()
    ok = parse(pair.wire.sent(b"SIP/2.0 200")[0])
    edit = Edit(ok)
    edit.replace(b"To", (ok.first(b"to") or b"").replace(b"tag=", b"tag=other"))
    pair.alice.feed(edit.build(), B, pair.wire.now)
    pair.wire.run(0.1)
    acks = [parse(data).to_tag for data in pair.wire.sent(b"ACK")]
    assert acks[1] == b"other" + acks[0]
    assert [parse(data).to_tag for data in pair.wire.sent(b"BYE")] == [acks[1]]
    assert "bye_answered" not in [event["event"] for event in pair.alice.events]
    assert pair.alice.bye("1", "caller", pair.wire.now)  # the first one is still up


def test_the_same_call_by_another_branch_is_told_and_refused(pair: Pair) -> None:
    pair.call()
    invite = parse(pair.wire.sent(b"INVITE")[0])
    edit = Edit(invite)
    edit.replace_first_value(b"Via", bytes(invite.top_via).replace(b"z9hG4bK", b"z9hG4bKother"))
    pair.bob.feed(edit.build(), A, pair.wire.now)
    pair.wire.run(0.1)
    assert events(pair.bob)[-1] == ("duplicate_invite",)
    assert pair.wire.sent(b"SIP/2.0 482")


def test_requests_follow_the_record_route(pair: Pair) -> None:
    near, far = b"<sip:192.0.2.9:5080;lr>", b"<sip:192.0.2.8;lr>"
    pair.call()
    pair.bob.answer("1", pair.wire.now)
    ok = parse(pair.bob.outbox[0].data)
    edit = Edit(ok)
    edit.insert_first(b"Record-Route", far + b", " + near)  # the last one is the caller's, section 12.1.2
    pair.bob.outbox.clear()
    pair.alice.feed(edit.build(), B, pair.wire.now)
    ack = pair.alice.outbox[0]
    assert (ack.hop.host, ack.hop.port) == ("192.0.2.9", 5080)
    message = parse(ack.data)
    assert isinstance(message, Request)
    assert (message.values(b"route"), message.uri) == ([near, far], b"sip:bob@192.0.2.2:5060")


def test_a_call_to_nobody_here_gets_404(pair: Pair) -> None:
    pair.alice.call("1", b"alice", b"carol", pair.wire.now)
    pair.wire.run(0.1)
    assert events(pair.alice) == [("failed", 404)]


def test_bye_for_no_call_gets_481(pair: Pair) -> None:
    pair.answered()
    pair.alice.bye("1", "caller", pair.wire.now)
    bye = pair.alice.outbox[0].data
    pair.alice.outbox.clear()
    pair.bob.feed(bye.replace(b"Call-ID: ", b"Call-ID: x").replace(b"z9hG4bK", b"z9hG4bKx"), A, pair.wire.now)
    assert pair.bob.outbox[0].data.startswith(b"SIP/2.0 481")


def test_an_automatic_phone_answers_by_itself(pair: Pair) -> None:
    pair.bob.auto_answer.add(b"bob")
    pair.call()
    assert events(pair.alice)[-1] == ("answered", 200)


def test_options_are_answered_with_the_methods_allowed(pair: Pair) -> None:
    pair.alice.options("o", b"alice", pair.wire.now)
    pair.wire.run(0.1)
    assert events(pair.alice) == [("options_answered", 200)]
    assert b"Allow: INVITE" in pair.wire.sent(b"SIP/2.0 200")[0]


def test_a_call_that_is_over_leaves_nothing_behind(pair: Pair) -> None:
    pair.answered()
    pair.alice.bye("1", "caller", pair.wire.now)
    pair.wire.run(700.0)
    for side in (pair.alice, pair.bob):
        assert side.deadline is None
        assert not side.holds


def test_garbage_is_dropped_and_counted(pair: Pair) -> None:
    pair.bob.feed(b"\x00\xffnonsense\r\n\r\n", A, 0.0)
    assert (pair.bob.dropped, pair.bob.outbox) == (1, [])
