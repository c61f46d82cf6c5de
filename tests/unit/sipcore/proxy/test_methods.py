"""The methods and headers of other RFCs pass through us untouched, in dialogs and outside of them."""

import pytest

from sipcore.message import Request, build_response
from tests.kit.sip_proxy import CALLER, VIA, Bench, brief, of, request

TO_BOB = b"<sip:bob@example.test>;tag=bob-1"
OURS = b"<sip:192.0.2.100:5060;lr>"
UNTOUCHED = (
    (b"Diversion", b"<sip:carol@example.test>;reason=unconditional"),
    (b"History-Info", b"<sip:bob@example.test>;index=1"),
    (b"Session-Expires", b"1800;refresher=uac"),
    (b"Min-SE", b"90"),
    (b"P-Asserted-Identity", b"<sip:alice@example.test>"),
    (b"RSeq", b"7"),
)


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.register(b"alice", CALLER.host)
    bench.register(b"bob", "192.0.2.2")
    return bench


def sent_on(bench: Bench, data: bytes, method: bytes) -> Request:
    (copy,) = of(method, bench.say(data))
    return copy


@pytest.mark.parametrize(
    "method", [b"MESSAGE", b"SUBSCRIBE", b"REFER", b"PUBLISH", b"INFO", b"OPTIONS", b"NOTIFY"]
)
def test_a_request_outside_of_a_dialog_reaches_its_user_and_its_answer_the_sender(
    bench: Bench, method: bytes
) -> None:
    copy = sent_on(bench, request(method, via=VIA, headers=UNTOUCHED, body=b"x"), method)
    assert copy.uri == b"sip:bob@192.0.2.2:5060"
    assert [copy.first(name.lower()) for name, _ in UNTOUCHED] == [value for _, value in UNTOUCHED]
    assert bool(copy.lines(b"record-route")) is (method in (b"SUBSCRIBE", b"REFER"))
    assert brief(bench.answer(copy, 202)) == ["202"]


@pytest.mark.parametrize(
    "method", [b"PRACK", b"UPDATE", b"REFER", b"NOTIFY", b"INFO", b"MESSAGE", b"SUBSCRIBE", b"BYE", b"INVITE"]
)
def test_a_request_of_a_dialog_follows_its_route_set(bench: Bench, method: bytes) -> None:
    (invite,) = of(b"INVITE", bench.invite())
    bench.answer(invite, 200, b"bob-1")
    headers = ((b"Route", OURS), (b"RAck", b"7 1 INVITE"))
    data = request(method, b"sip:bob@192.0.2.77:5062", via=VIA + b"2", to=TO_BOB, cseq=2, headers=headers)
    copy = sent_on(bench, data, method)
    assert (copy.uri, copy.lines(b"route"), copy.lines(b"record-route")) == (
        b"sip:bob@192.0.2.77:5062",
        [],
        [],
    )
    assert copy.first(b"rack") == b"7 1 INVITE"
    assert brief(bench.answer(copy, 200)) == ["200"]


def test_a_request_of_the_callee_follows_it_the_other_way(bench: Bench) -> None:
    (invite,) = of(b"INVITE", bench.invite())
    bench.answer(invite, 200, b"bob-1")
    data = request(
        b"BYE",
        b"sip:alice@192.0.2.1:5070",
        via=b"SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK-b",
        sender=TO_BOB,
        to=b"<sip:alice@example.test>;tag=alice-1",
        headers=((b"Route", OURS),),
    )
    assert sent_on(bench, data, b"BYE").uri == b"sip:alice@192.0.2.1:5070"
    assert bench.core.dialog_count == 0


def test_a_provisional_response_that_is_reliable_passes_with_its_headers(bench: Bench) -> None:
    (invite,) = of(b"INVITE", bench.invite())
    headers = ((b"Require", b"100rel"), (b"RSeq", b"7"), (b"Contact", b"<sip:bob@192.0.2.2>"))
    (ringing,) = bench.say(build_response(invite, 183, to_tag=b"bob-1", headers=headers, body=b"sdp"))
    assert (ringing.first(b"require"), ringing.first(b"rseq"), ringing.body) == (b"100rel", b"7", b"sdp")
