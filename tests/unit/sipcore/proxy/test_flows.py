"""Connections end and other flows take over: RFC 3261 section 8.1.3.1, RFC 5626 sections 5.3 and 7."""

from dataclasses import replace

import msgspec
import pytest

from sipcore.dialog.dialog import EndReason
from sipcore.location.binding import Binding
from sipcore.location.moved import MAX_MOVES, MovedFlows
from sipcore.message import Request
from sipcore.proxy import Listener
from sipcore.proxy.takeover import Takeover
from sipcore.resolver.locate import Candidate
from sipcore.role import Role
from sipcore.transaction.replica import WireTransaction
from sipcore.transport.layer import Hop, Send
from tests.kit.sip_messages import parsed_request, request
from tests.kit.sip_names import Names
from tests.kit.sip_pair import SETTINGS, Node
from tests.kit.sip_proxy import CALLER, VIA, Bench, brief, of

TCP = 1
LISTENERS = (Listener("192.0.2.100", 5060), Listener("192.0.2.100", 5060, "tcp"))
OLD, NEW = Hop("192.0.2.2", 40001, TCP, "tcp", 71), Hop("192.0.2.2", 40002, TCP, "tcp", 72)
ONE, TWO = Candidate("198.51.100.1", 5060, "tcp"), Candidate("198.51.100.2", 5060, "tcp")
URI = b"sip:bob@pbx.test;transport=tcp"
SETTINGS_WITH_TCP = replace(SETTINGS, listeners=LISTENERS, flow_key=b"k" * 16)


@pytest.fixture
def bench() -> Bench:
    return Bench(SETTINGS_WITH_TCP)


def register_flow(node: Node, hop: Hop, reg_id: int, now: float) -> None:
    binding = Binding(
        b"sip:bob@192.0.2.2;transport=tcp;ob",
        call_id=b"r%d" % reg_id,
        cseq=1,
        expires_at=1e6,
        received=hop,
        instance=b"<urn:uuid:1>",
        reg_id=reg_id,
    )
    node.location.save(b"sip:bob@example.test", binding, now)


def with_two_flows(bench: Bench) -> None:
    register_flow(bench.node, OLD, 1, 0.0)
    register_flow(bench.node, NEW, 2, 1.0)


def invite(bench: Bench, via: bytes = VIA) -> Send:
    bench.core.feed(request(b"INVITE", via=via), CALLER, bench.now)
    return bench.sends()[-1]


# A connection ends


def test_the_end_of_a_connection_leads_to_the_next_address_at_once() -> None:
    bench = Bench(SETTINGS_WITH_TCP, resolver=Names(pbx_test=[ONE, TWO]))
    bench.register(b"bob", "", uri=URI)
    assert invite(bench).hop.host == ONE.host
    bench.core.on_flow_closed(Hop(ONE.host, 5060, TCP, "tcp", 9), bench.now)
    (second,) = bench.sends()
    assert second.hop.host == TWO.host


@pytest.mark.parametrize(
    "other", [OLD, Hop(ONE.host, 5060, TCP, "tls", 9), Hop(ONE.host, 5062, TCP, "tcp", 9)]
)
def test_the_end_of_another_connection_changes_nothing(other: Hop) -> None:
    bench = Bench(SETTINGS_WITH_TCP, resolver=Names(pbx_test=[ONE, TWO]))
    bench.register(b"bob", "", uri=URI)
    invite(bench)
    bench.core.on_flow_closed(other, bench.now)
    assert bench.sends() == []


def test_who_rings_already_may_answer_over_a_new_connection() -> None:
    bench = Bench(SETTINGS_WITH_TCP)
    bench.register(b"bob", "", uri=b"sip:bob@192.0.2.2;transport=tcp", received=OLD)
    sent = parsed_request(invite(bench).data)
    bench.answer(sent, 180)
    bench.core.on_flow_closed(OLD, bench.now)
    assert bench.heard() == []
    assert brief(bench.answer(sent, 200)) == ["200"]


def test_a_request_that_is_answered_leaves_nothing_in_the_list_of_connections() -> None:
    bench = Bench(SETTINGS_WITH_TCP)
    bench.register(b"bob", "", uri=b"sip:bob@192.0.2.2;transport=tcp", received=OLD)
    bench.answer(parsed_request(invite(bench).data), 486)
    bench.run(40.0)
    assert bench.core.layer._connected == {}


# Another flow of the same instance


def test_a_call_goes_over_the_newest_flow_alone(bench: Bench) -> None:
    with_two_flows(bench)
    bench.core.feed(request(b"INVITE", via=VIA), CALLER, bench.now)
    assert [send.hop for send in bench.sends()[1:]] == [NEW]


def test_the_end_of_its_flow_sends_a_call_over_the_other_one(bench: Bench) -> None:
    with_two_flows(bench)
    first = invite(bench)
    bench.core.on_flow_closed(first.hop, bench.now)
    (second,) = bench.sends()
    assert second.hop == OLD
    assert brief(bench.answer(parsed_request(second.data), 200)) == ["200"]


def test_a_430_sends_a_call_over_the_other_flow_and_the_last_one_ends_it(bench: Bench) -> None:
    with_two_flows(bench)
    first = parsed_request(invite(bench).data)
    again = bench.answer(first, 430)
    assert brief(again) == ["ACK", "INVITE"]
    second = of(b"INVITE", again)[0]
    assert second.top_via.branch == first.top_via.branch + b".1"
    assert brief(bench.answer(second, 430)) == ["ACK", "430"]


@pytest.mark.parametrize("status", [404, 480, 486, 503, 600])
def test_any_other_answer_is_that_of_the_instance(bench: Bench, status: int) -> None:
    with_two_flows(bench)
    assert "INVITE" not in brief(bench.answer(parsed_request(invite(bench).data), status))


def test_silence_leads_to_the_other_flow(bench: Bench) -> None:
    with_two_flows(bench)
    invite(bench)
    assert brief(bench.run(6.0)) == ["INVITE"]


def test_a_message_goes_over_the_other_flow_too(bench: Bench) -> None:
    with_two_flows(bench)
    bench.core.feed(request(b"MESSAGE", via=VIA), CALLER, bench.now)
    (first,) = bench.sends()
    bench.core.on_flow_closed(first.hop, bench.now)
    (second,) = bench.sends()
    assert (second.hop, second.data[:7]) == (OLD, b"MESSAGE")


def test_a_new_master_knows_the_other_flows(bench: Bench) -> None:
    with_two_flows(bench)
    first = invite(bench)
    (key,) = bench.core.layer.servers
    record = Takeover(bench.core.proxy).record(key, bench.now)
    packed = msgspec.msgpack.encode(record)
    heir = Bench(SETTINGS_WITH_TCP)
    Takeover(heir.core.proxy).resume(msgspec.msgpack.decode(packed, type=WireTransaction), heir.now)
    assert [send.hop for send in heir.sends() if send.data.startswith(b"INVITE")] == [NEW]
    heir.core.on_transport_error(first.data, NEW, heir.now)
    assert [send.hop for send in heir.sends()] == [OLD]


# A phone connects anew


def call_over_flow(bench: Bench) -> tuple[bytes, Request]:
    """A call to bob over his connection: the Route to him in the dialog, and the INVITE that he got."""
    register_flow(bench.node, OLD, 1, 0.0)
    sent = parsed_request(invite(bench).data)
    return b", ".join(reversed(sent.values(b"record-route"))), sent


def in_dialog(method: bytes, route: bytes, number: int = 0) -> bytes:
    to = b"<sip:bob@example.test>;tag=t"
    uri = b"sip:bob@192.0.2.2;transport=tcp;ob"
    return request(method, uri, via=VIA + b"%d" % number, to=to, headers=((b"Route", route),))


def test_a_call_follows_its_phone_to_a_new_connection(bench: Bench) -> None:
    route, sent = call_over_flow(bench)
    bench.answer(sent, 200, b"t")
    bench.core.on_flow_closed(OLD, bench.now)
    register_flow(bench.node, NEW, 1, 1.0)
    newest = NEW._replace(port=40003, flow=73)
    for number, hop in enumerate((NEW, newest, NEW)):
        register_flow(bench.node, hop, 1, 2.0)
        for method in (b"ACK", b"INFO"):
            bench.core.feed(in_dialog(method, route, number), CALLER, bench.now)
            assert [send.hop for send in bench.sends()] == [hop]


def test_a_ringing_phone_that_connects_anew_hears_of_the_cancel(bench: Bench) -> None:
    _, sent = call_over_flow(bench)
    bench.answer(sent, 180)
    bench.core.on_flow_closed(OLD, bench.now)
    register_flow(bench.node, NEW, 1, 1.0)
    bench.core.feed(request(b"CANCEL", via=VIA), CALLER, bench.now)
    assert [send.hop for send in bench.sends() if send.data.startswith(b"CANCEL")] == [NEW]


def test_the_end_of_a_call_by_us_finds_the_new_connection(bench: Bench) -> None:
    _, sent = call_over_flow(bench)
    bench.answer(sent, 200, b"t")
    register_flow(bench.node, NEW, 1, 1.0)
    (dialog,) = bench.core.dialogs.dialogs.values()
    bench.core.keeper.end(dialog, EndReason.OPERATOR, bench.now)
    assert NEW in [send.hop for send in bench.sends() if send.data.startswith(b"BYE")]


def test_a_phone_of_the_dead_master_takes_its_call_along_to_its_new_connection(bench: Bench) -> None:
    route, _ = call_over_flow(bench)
    heir = Bench(SETTINGS_WITH_TCP)
    heir.core.on_role(Role.BACKUP, 1, 0.0)
    (binding,) = bench.node.location.lookup(b"sip:bob@example.test", 0.0)
    heir.node.location.merge(b"sip:bob@example.test", [binding], 0.0)
    heir.core.on_role(Role.MASTER, 2, 0.0)
    register_flow(heir.node, NEW, 1, 1.0)
    heir.core.feed(in_dialog(b"BYE", route), CALLER, 1.0)
    assert [send.hop for send in heir.sends()] == [NEW]


def test_moves_are_bounded_and_a_circle_ends() -> None:
    moved = MovedFlows()
    for number in range(MAX_MOVES + 5):
        moved.move(OLD._replace(flow=1000 + number), NEW)
    assert len(moved) == MAX_MOVES
    moved.move(OLD, NEW)
    moved.move(NEW, OLD)
    assert (moved.heir(NEW), moved.heir(OLD)) == (OLD, OLD)
    assert moved.heir(CALLER) == CALLER
