"""Transaction records: what the standby holds and which version wins."""

import pytest

from sipcore.proxy import Call
from sipcore.role import Role
from tests.kit.sip_messages import request
from tests.kit.sip_pair import Node
from tests.kit.sip_proxy import VIA, Bench, brief, of
from tests.kit.sip_routes import HookedRoutes


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.register(b"bob", "192.0.2.2")
    return bench


@pytest.fixture
def standby() -> Node:
    return Node("b")


def packed(bench: Bench) -> tuple[bytes, bytes]:
    replica = bench.core.capabilities[1]
    (key,) = replica.keys()
    payload = replica.pack(key, bench.now)
    assert payload is not None
    return key, payload


def test_the_standby_holds_a_transaction_and_does_nothing(bench: Bench, standby: Node) -> None:
    bench.invite()
    key, payload = packed(bench)
    assert standby.core.capabilities[1].apply(key, payload, 1, 0.0)
    standby.core.on_timer(100.0)
    assert standby.core.take() == []
    assert (standby.core.transaction_count, standby.wheel.pending) == (1, 0)


def test_the_new_master_sends_what_may_be_lost_and_goes_on(bench: Bench, standby: Node) -> None:
    (branch,) = of(b"INVITE", bench.invite())
    key, payload = packed(bench)
    standby.core.capabilities[1].apply(key, payload, 1, 0.0)
    standby.core.on_role(Role.MASTER, 2, 1.0)
    assert [send.data for send in standby.core.take()] == [branch.raw]
    bench.node, bench.core, bench.now = standby, standby.core, 1.0
    assert brief(bench.answer(branch, 486)) == ["ACK", "486"]


def test_a_route_that_was_waiting_is_begun_again(bench: Bench, standby: Node) -> None:
    class Waiting(HookedRoutes):
        def on_request(self, call: Call) -> None:
            bench.core.proxy.trying(call, call.now)

    Waiting(bench.core)
    assert brief(bench.invite()) == ["100"]
    binding = bench.node.location.lookup(b"sip:bob@example.test", 0.0)[0]
    key, payload = packed(bench)
    standby.location.merge(b"sip:bob@example.test", [binding], 0.0)
    standby.core.capabilities[1].apply(key, payload, 1, 0.0)
    standby.core.on_role(Role.MASTER, 2, 1.0)
    assert [send.data.split()[0] for send in standby.core.take()] == [b"INVITE"]


def test_a_cancel_that_was_sent_is_sent_again(bench: Bench, standby: Node) -> None:
    (branch,) = of(b"INVITE", bench.invite())
    bench.answer(branch, 180)
    (sent,) = of(b"CANCEL", bench.say(request(b"CANCEL", via=VIA)))
    key, payload = packed(bench)
    standby.core.capabilities[1].apply(key, payload, 1, 0.0)
    standby.core.on_role(Role.MASTER, 2, 1.0)
    assert sent.raw in [send.data for send in standby.core.take()]


def test_an_older_state_of_the_same_epoch_is_refused(bench: Bench, standby: Node) -> None:
    (branch,) = of(b"INVITE", bench.invite())
    key, old = packed(bench)
    bench.answer(branch, 486)
    replica = standby.core.capabilities[1]
    assert replica.apply(key, packed(bench)[1], 1, 0.0)
    assert not replica.apply(key, old, 1, 0.0)
    assert replica.delete(key, 1, 0.0)
    assert not replica.apply(key, old, 1, 0.0)
    assert replica.keys() == [key]
    assert replica.pack(key, 0.0) is None


def test_the_no_answer_timer_goes_on_where_it_was(bench: Bench, standby: Node) -> None:
    (branch,) = of(b"INVITE", bench.invite())
    bench.answer(branch, 180)
    bench.run(100.0)
    bench.answer(branch, 180)  # timer C starts anew, the no-answer timer does not
    key, payload = packed(bench)
    standby.core.capabilities[1].apply(key, payload, 1, 5000.0)
    standby.core.on_role(Role.MASTER, 2, 5010.0)
    bench.node, bench.core, bench.now = standby, standby.core, 5010.0
    assert brief(bench.heard()) == ["180"]
    assert brief(bench.run(69.9)) == []
    assert brief(bench.run(0.2)) == ["CANCEL"]


def test_one_record_that_makes_no_sense_does_not_stop_the_takeover(bench: Bench, standby: Node) -> None:
    (branch,) = of(b"INVITE", bench.invite())
    key, payload = packed(bench)
    replica = standby.core.capabilities[1]
    replica.apply(b"bad", payload.replace(branch.raw[:40], b"x" * 40).replace(b"SIP/2.0", b"SAP/2.0"), 1, 0.0)
    replica.apply(key, payload, 1, 0.0)
    standby.core.on_role(Role.MASTER, 2, 1.0)
    assert standby.core.counters["failed_takeovers"] == 1
    assert [send.data for send in standby.core.take()] == [branch.raw]
