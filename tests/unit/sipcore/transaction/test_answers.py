"""Sans-IO: a request that comes again after a takeover gets the answer that the dead master has given."""

import pytest

from sipcore.message import Request, build_response, parse
from sipcore.replication.capability import Kind
from sipcore.role import Role
from sipcore.transaction.answers import AFTER, LIFE, MAX_ANSWERS, AnswerReplica
from sipcore.transport.layer import Hop, Send
from tests.kit.sip_messages import request
from tests.kit.sip_pair import SipPair

ALICE, BOB = Hop("192.0.2.1", 5060), Hop("192.0.2.2", 5060)
VIA = b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-1"


def register() -> bytes:
    headers = ((b"Contact", b"<sip:bob@192.0.2.2:5060>"), (b"Expires", b"60"))
    return request(b"REGISTER", b"sip:example.test", via=VIA, to=b"<sip:bob@example.test>", headers=headers)


def say(pair: SipPair, data: bytes, source: Hop = ALICE, now: float = 0.0) -> list[Send]:
    pair.feed(data, source, now)
    sent, pair.outbox = pair.outbox, []
    return sent


def take_over(pair: SipPair, now: float = 1.0) -> None:
    pair.die(now)
    pair.on_timer(now + pair.gap)
    pair.outbox.clear()


def answers(pair: SipPair) -> AnswerReplica:
    found = pair.b.journal.capabilities[Kind.ANSWER]
    assert isinstance(found, AnswerReplica)
    return found


def test_a_register_that_comes_again_gets_the_same_answer_and_changes_nothing() -> None:
    pair = SipPair()
    answer = say(pair, register())
    assert answer[0].data.startswith(b"SIP/2.0 200")
    take_over(pair)
    record = pair.b.location.record(b"sip:bob@example.test")
    assert record is not None
    before = [(b.version, b.updated_at) for b in record.bindings.values()]
    assert [send.data for send in say(pair, register(), now=1.2)] == [answer[0].data]
    assert [(b.version, b.updated_at) for b in record.bindings.values()] == before


def test_a_message_that_comes_again_is_not_shown_again() -> None:
    pair = SipPair()
    say(pair, register())
    message = request(b"MESSAGE", via=VIA)
    (sent,) = say(pair, message)
    copy = parse(sent.data)
    assert isinstance(copy, Request)
    (answer,) = say(pair, build_response(copy, 200, to_tag=b"bob"), BOB)
    take_over(pair)
    assert say(pair, message, now=1.2) == [answer]


@pytest.mark.parametrize("method", [b"OPTIONS", b"MESSAGE"])
def test_what_may_be_carried_out_again_costs_no_record(method: bytes) -> None:
    pair = SipPair()
    uri = b"sip:example.test" if method == b"OPTIONS" else b"sip:nobody@example.test"
    (answer,) = say(pair, request(method, uri, via=VIA))
    assert len(answers(pair)) == (method != b"OPTIONS")
    assert answer.data[8:11] == (b"200" if method == b"OPTIONS" else b"480")


def test_an_answer_is_given_for_as_long_as_requests_are_repeated() -> None:
    pair = SipPair()
    say(pair, register())
    take_over(pair)
    pair.on_timer(1.0 + AFTER - 1)
    assert pair.b.core.layer.given
    pair.on_timer(2.0 + AFTER)
    assert not pair.b.core.layer.given
    (again,) = say(pair, register(), now=2.0 + AFTER)
    assert again.data.startswith(b"SIP/2.0 200")  # carried out anew


def test_what_the_master_had_time_to_repeat_itself_is_not_kept() -> None:
    pair = SipPair()
    say(pair, register())
    say(pair, register().replace(b"z9hG4bK-1", b"z9hG4bK-2"), now=LIFE + 1)
    assert len(answers(pair)) == 1


def test_a_standby_keeps_a_bounded_number() -> None:
    replica = answers(SipPair())
    for number in range(MAX_ANSWERS + 10):
        replica.apply(b"%d" % number, b"\x91\xc4\x01x", 1, 0.0)
    assert len(replica) == MAX_ANSWERS


def test_the_way_back_of_a_planned_switchover_knows_them_too() -> None:
    pair = SipPair()
    (answer,) = say(pair, register())
    pair.switch_over(1.0)
    pair.switch_over(2.0)
    pair.outbox.clear()
    assert pair.master is pair.a
    assert say(pair, register(), now=2.5) == [answer._replace(hold=False)]
    pair.a.core.on_role(Role.BACKUP, 9, 3.0)
    assert not pair.a.core.layer.given
