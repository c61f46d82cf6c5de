"""RFC 3263 section 4.3 and RFC 3261 sections 16.6 to 16.9: a target with several addresses."""

import pytest

from sipcore.message import Request
from sipcore.proxy.sending import Locates
from sipcore.transport.layer import Hop, Send
from tests.kit.sip_names import Names, udp
from tests.kit.sip_proxy import VIA, Bench, brief, of, request

ONE, TWO = udp("198.51.100.1"), udp("198.51.100.2")
URI = b"sip:bob@pbx.test"


def bench_with(names: Locates) -> Bench:
    bench = Bench(resolver=names)
    bench.register(b"bob", "", uri=URI)
    return bench


def sent(bench: Bench, data: bytes) -> list[Send]:
    bench.core.feed(data, Hop("192.0.2.1", 5060), bench.now)
    return bench.sends()


def invite(bench: Bench) -> Request:
    (branch,) = of(b"INVITE", bench.invite())
    return branch


def test_a_503_leads_to_the_next_address_in_another_branch() -> None:
    names = Names(pbx_test=[ONE, TWO])
    bench = bench_with(names)
    first = invite(bench)
    again = bench.answer(first, 503)
    assert brief(again) == ["ACK", "INVITE"]
    second = of(b"INVITE", again)[0]
    assert second.top_via.branch == first.top_via.branch + b".1"
    assert (second.uri, names.bad) == (URI, [ONE])
    assert brief(bench.answer(second, 200)) == ["200"]


def test_the_last_503_reaches_the_caller_as_500() -> None:
    bench = bench_with(Names(pbx_test=[ONE, TWO]))
    second = of(b"INVITE", bench.answer(invite(bench), 503))[0]
    assert brief(bench.answer(second, 503)) == ["ACK", "500"]


def test_silence_leads_to_the_next_address_but_not_after_a_provisional_response() -> None:
    bench = bench_with(Names(pbx_test=[ONE, TWO]))
    invite(bench)
    bench.core.take()
    assert {b".1" in message.top_via.branch for message in of(b"INVITE", bench.run(4.8))} == {False}
    silent = bench.run(1.0)
    assert {b".1" in message.top_via.branch for message in of(b"INVITE", silent)} == {True}
    ringing = of(b"INVITE", silent)[-1]
    bench.answer(ringing, 180)
    assert "INVITE" not in brief(bench.run(100.0))


def test_a_100_ends_the_wait_for_the_first_response() -> None:
    bench = bench_with(Names(pbx_test=[ONE, TWO]))
    bench.answer(invite(bench), 100)
    assert not {"INVITE", "CANCEL"} & set(brief(bench.run(100.0)))


def test_the_last_address_gets_all_the_time_of_a_transaction() -> None:
    bench = bench_with(Names(pbx_test=[ONE]))
    invite(bench)
    assert "408" not in brief(bench.run(31.0))
    assert "408" in brief(bench.run(2.0))


def test_a_transport_error_leads_to_the_next_address() -> None:
    bench = bench_with(Names(pbx_test=[ONE, TWO]))
    first = sent(bench, request(b"INVITE", via=VIA))[1]
    assert first.hop.host == ONE.host
    bench.core.on_transport_error(first.data, first.hop, bench.now)
    (second,) = bench.sends()
    assert second.hop.host == TWO.host
    bench.core.on_transport_error(second.data, second.hop, bench.now)
    assert brief(bench.heard()) == ["500"]


def test_a_request_that_is_no_invite_goes_to_the_next_address_too() -> None:
    bench = bench_with(Names(pbx_test=[ONE, TWO]))
    (first,) = sent(bench, request(b"MESSAGE", via=VIA))
    bench.core.on_transport_error(first.data, first.hop, bench.now)
    (second,) = bench.sends()
    assert second.hop.host == TWO.host


def test_a_name_that_is_not_known_yet_holds_the_branch_until_the_dns_has_answered() -> None:
    names = Names(pbx_test=[ONE])
    names.slow.add(b"pbx.test")
    bench = bench_with(names)
    assert brief(bench.invite()) == ["100"]
    names.answer(bench.now)
    assert brief(bench.heard()) == ["INVITE"]


def test_a_cancel_ends_a_branch_that_waits_for_the_dns() -> None:
    names = Names(pbx_test=[ONE])
    names.slow.add(b"pbx.test")
    bench = bench_with(names)
    bench.invite()
    assert brief(bench.say(request(b"CANCEL", via=VIA))) == ["200", "487"]
    names.answer(bench.now)
    assert bench.heard() == []


def test_a_name_without_an_address_gives_500_and_one_without_an_answer_408() -> None:
    assert brief(bench_with(Names()).invite()) == ["100", "500"]
    names = Names()
    names.slow.add(b"pbx.test")
    bench = bench_with(names)
    bench.invite()
    assert brief(bench.run(32.1)) == ["408"]


@pytest.mark.parametrize("method", [b"ACK", b"BYE"])
def test_requests_of_a_dialog_follow_a_name_as_well(method: bytes) -> None:
    names = Names(pbx_test=[TWO])
    names.slow.add(b"pbx.test")
    bench = Bench(resolver=names)
    headers = ((b"Route", b"<sip:192.0.2.100:5060;lr>"),)
    to = b"<sip:bob@example.test>;tag=1"
    bench.core.feed(request(method, URI, via=VIA, to=to, headers=headers), Hop("192.0.2.1", 5060), 0.0)
    assert bench.sends() == []
    names.answer(0.0)
    (send,) = bench.sends()
    assert (send.hop.host, send.data[:3]) == (TWO.host, method)
