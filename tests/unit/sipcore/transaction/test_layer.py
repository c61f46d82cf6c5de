"""RFC 3261 section 17 with RFC 6026, as a transaction user sees it."""

import gc

import pytest

from sipcore.message import build_response
from sipcore.transaction.machine import ServerTransaction
from sipcore.transport.layer import Hop
from tests.kit.sip_messages import parsed_request, parsed_response, request
from tests.kit.transaction_user import HERE, PEER, Recorder

VIA = b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-x"


@pytest.fixture
def user() -> Recorder:
    return Recorder()


def receive(user: Recorder, data: bytes, source: Hop = PEER) -> None:
    message = parsed_response(data) if data.startswith(b"SIP/") else parsed_request(data)
    user.layer.receive(message, source, user.now)


def incoming(user: Recorder, method: bytes = b"INVITE", via: bytes = VIA) -> ServerTransaction:
    receive(user, request(method, via=via))
    assert user.last_tx is not None
    return user.last_tx


def respond(user: Recorder, tx: ServerTransaction, status: int) -> None:
    tx.respond(build_response(tx.request, status, to_tag=b"t"), status, user.now)


def answer(user: Recorder, data: bytes, status: int) -> None:
    receive(user, build_response(parsed_request(data), status, to_tag=b"t"))


# Client, INVITE


def test_an_invite_is_repeated_with_doubled_intervals_until_timer_b(user: Recorder) -> None:
    user.layer.request(request(b"INVITE", via=VIA), HERE, 0.0)
    assert user.sent() == ["INVITE"]
    times = [at for at, _ in user.run(40.0)]
    assert times == pytest.approx([0.5, 1.5, 3.5, 7.5, 15.5, 31.5], abs=0.02)
    assert user.told == ["timeout"]
    assert len(user.layer) == 0


def test_a_provisional_response_ends_the_repetitions_and_timer_b(user: Recorder) -> None:
    data = request(b"INVITE", via=VIA)
    user.layer.request(data, HERE, 0.0)
    user.sent()
    answer(user, data, 180)
    assert user.run(200.0) == []
    assert user.told == ["180"]


def test_each_failure_is_acknowledged_and_passed_on_once(user: Recorder) -> None:
    data = request(b"INVITE", via=VIA)
    user.layer.request(data, HERE, 0.0)
    user.sent()
    for _ in range(3):
        answer(user, data, 486)
    assert [(send.hold, send.data.split()[0]) for send in user.outbox] == [(True, b"ACK")] * 3
    assert user.told == ["486"]
    user.run(33.0)
    assert len(user.layer) == 0


def test_each_2xx_of_a_forked_invite_is_passed_on_until_timer_m(user: Recorder) -> None:
    data = request(b"INVITE", via=VIA)
    user.layer.request(data, HERE, 0.0)
    answer(user, data, 200)
    answer(user, data, 200)
    user.run(33.0)
    answer(user, data, 200)
    assert user.told == ["200", "200", "stray 200"]


# Server, INVITE


def test_a_repeated_invite_is_answered_with_the_last_provisional_response(user: Recorder) -> None:
    tx = incoming(user)
    for status in (100, 180):
        respond(user, tx, status)
    user.sent()
    receive(user, request(b"INVITE", via=VIA))
    assert user.sent() == ["180"]
    assert user.told == ["INVITE"]


def test_a_failure_is_repeated_up_to_t2_until_its_ack(user: Recorder) -> None:
    tx = incoming(user)
    respond(user, tx, 486)
    user.sent()
    assert [at for at, _ in user.run(13.0)] == pytest.approx([0.5, 1.5, 3.5, 7.5, 11.5], abs=0.03)
    receive(user, request(b"ACK", via=VIA, to=b"<sip:bob@example.test>;tag=t"))
    assert user.run(50.0) == []
    assert user.told == ["INVITE"]
    assert len(user.layer) == 0


def test_timer_h_ends_a_failure_without_ack(user: Recorder) -> None:
    respond(user, incoming(user), 486)
    user.run(32.5)
    assert len(user.layer) == 0


def test_an_invite_repeated_after_a_2xx_is_absorbed(user: Recorder) -> None:
    tx = incoming(user)
    respond(user, tx, 200)
    user.sent()
    receive(user, request(b"INVITE", via=VIA))
    assert user.sent() == []
    respond(user, tx, 200)  # RFC 6026: the user may send it again
    assert user.sent() == ["200"]
    assert user.run(33.0) == []
    assert len(user.layer) == 0


def test_the_ack_to_a_2xx_goes_to_the_user(user: Recorder) -> None:
    respond(user, incoming(user), 200)
    other = VIA.replace(b"-x", b"-ack")
    receive(user, request(b"ACK", via=other, to=b"<sip:bob@example.test>;tag=t"))
    assert user.told == ["INVITE", "ACK"]
    assert user.last_tx is None


def test_only_the_first_final_response_counts(user: Recorder) -> None:
    tx = incoming(user)
    respond(user, tx, 486)
    respond(user, tx, 200)
    assert user.sent() == ["486"]


# Other methods


def test_a_request_is_repeated_up_to_t2_until_timer_f(user: Recorder) -> None:
    user.layer.request(request(b"OPTIONS", via=VIA), HERE, 0.0)
    user.sent()
    times = [at for at, _ in user.run(40.0)]
    assert times[:6] == pytest.approx([0.5, 1.5, 3.5, 7.5, 11.5, 15.5], abs=0.05)
    assert user.told == ["timeout"]


def test_a_repeated_response_is_absorbed_until_timer_k(user: Recorder) -> None:
    data = request(b"OPTIONS", via=VIA)
    user.layer.request(data, HERE, 0.0)
    answer(user, data, 200)
    answer(user, data, 200)
    assert user.told == ["200"]
    user.run(5.5)
    assert len(user.layer) == 0


def test_a_repeated_request_gets_the_final_response_again_until_timer_j(user: Recorder) -> None:
    tx = incoming(user, b"OPTIONS")
    receive(user, request(b"OPTIONS", via=VIA))
    assert user.sent() == []
    respond(user, tx, 200)
    receive(user, request(b"OPTIONS", via=VIA))
    assert user.sent() == ["200", "200"]
    user.run(33.0)
    assert len(user.layer) == 0
    assert user.told == ["OPTIONS"]


# Matching, sections 17.1.3 and 17.2.3


def test_a_request_repeated_over_a_new_connection_is_answered_over_that_one(user: Recorder) -> None:
    data = request(b"INVITE", via=b"SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK-x")
    first, second = (Hop("192.0.2.1", port, transport="tcp", flow=port) for port in (1, 2))
    receive(user, data, first)
    tx = user.last_tx
    assert tx is not None
    respond(user, tx, 180)
    receive(user, data, second)
    receive(user, data, Hop("192.0.2.66", 3, transport="tcp", flow=3))  # whoever that is
    respond(user, tx, 200)
    assert [send.hop.flow for send in user.layer.outbox] == [1, 2, 2, 2]


def test_a_cancel_finds_its_invite_by_branch_and_sent_by(user: Recorder) -> None:
    incoming(user)
    receive(user, request(b"CANCEL", via=VIA))
    receive(user, request(b"CANCEL", via=VIA.replace(b"192.0.2.1", b"192.0.2.9")))
    assert user.told == ["INVITE", "CANCEL", "CANCEL of nothing"]


def test_requests_with_one_branch_from_two_hosts_are_two_transactions(user: Recorder) -> None:
    incoming(user)
    incoming(user, via=VIA.replace(b"192.0.2.1", b"192.0.2.9"))
    assert user.told == ["INVITE", "INVITE"]


def test_requests_of_rfc_2543_are_matched_by_their_fields(user: Recorder) -> None:
    old = b"SIP/2.0/UDP 192.0.2.1:5060"
    tx = incoming(user, via=old)
    respond(user, tx, 486)
    receive(user, request(b"INVITE", via=old))
    receive(user, request(b"ACK", via=old, to=b"<sip:bob@example.test>;tag=t"))
    assert user.told == ["INVITE"]
    receive(user, request(b"INVITE", via=old, cseq=2))
    receive(user, request(b"CANCEL", via=old, cseq=2))
    assert user.told == ["INVITE", "INVITE", "CANCEL"]


def test_a_response_to_a_cancel_does_not_reach_the_invite(user: Recorder) -> None:
    user.layer.request(request(b"INVITE", via=VIA), HERE, 0.0)
    answer(user, request(b"CANCEL", via=VIA), 200)
    assert user.told == ["stray 200"]


# Ways, section 18.2


def test_responses_go_where_rport_and_received_say(user: Recorder) -> None:
    source = Hop("198.51.100.7", 33000)
    via = b"SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bK-nat;rport"
    receive(user, request(b"OPTIONS", via=via), source)
    assert user.last_tx is not None
    assert user.last_tx.hop == source
    assert b";received=198.51.100.7" in user.last_tx.request.raw


def test_a_via_that_asks_for_a_multicast_group_is_answered_to_its_source(user: Recorder) -> None:
    receive(user, request(b"OPTIONS", via=VIA + b";maddr=224.0.1.75"))
    assert user.last_tx is not None
    assert user.last_tx.hop == PEER


def test_an_ended_transaction_leaves_nothing_to_the_cyclic_collector(user: Recorder) -> None:
    gc.collect()
    gc.disable()
    try:
        data = request(b"INVITE", via=VIA)
        user.layer.request(data, HERE, 0.0)
        answer(user, data, 486)
        respond(user, incoming(user), 486)
        respond(user, incoming(user, b"OPTIONS"), 200)
        user.last_tx = None
        user.run(70.0)
        assert len(user.layer) == 0
        assert gc.collect() == 0
    finally:
        gc.enable()
