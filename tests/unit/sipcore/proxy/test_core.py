"""RFC 3261 sections 16.3 to 16.6, 16.10 and 16.11: what becomes of a request."""

from dataclasses import replace

import pytest

from sipcore.message import Request, Response, build_response, parse
from sipcore.proxy import Listener
from sipcore.transport.layer import Hop
from tests.kit.sip_pair import SETTINGS
from tests.kit.sip_proxy import VIA, Bench, brief, of, request

TO_BOB = b"<sip:bob@example.test>;tag=bob-1"


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.register(b"bob", "192.0.2.2")
    return bench


def only(messages: list[Request | Response]) -> Response:
    (message,) = messages
    assert isinstance(message, Response)
    return message


# Section 16.3


def test_a_request_without_hops_left_gets_483(bench: Bench) -> None:
    assert brief(bench.say(request(b"INVITE", via=VIA, max_forwards=0))) == ["483"]


def test_an_unknown_scheme_gets_416(bench: Bench) -> None:
    assert brief(bench.say(request(b"OPTIONS", b"http://example.test/", via=VIA))) == ["416"]


def test_an_extension_that_the_proxy_must_know_gets_420_with_its_name(bench: Bench) -> None:
    data = request(b"INVITE", via=VIA, headers=((b"Proxy-Require", b"teleport"),))
    answer = only(bench.say(data))
    assert (answer.status, answer.first(b"unsupported")) == (420, b"teleport")


def test_a_request_that_comes_back_unchanged_is_a_loop(bench: Bench) -> None:
    bench.register(b"carol", "192.0.2.100")  # carol's contact is the proxy itself
    sent = bench.say(request(b"INVITE", b"sip:carol@example.test", via=VIA))
    looped = of(b"INVITE", sent)[0].raw
    again = bench.say(looped, Hop("192.0.2.100", 5060))
    twice = of(b"INVITE", again)[0].raw
    assert "482" in brief(bench.say(twice, Hop("192.0.2.100", 5060)))


def test_a_client_that_tries_again_with_another_branch_is_served_as_the_first_time(bench: Bench) -> None:
    contact = ((b"Contact", b"<sip:bob@192.0.2.2:5060>"),)
    for branch in (b"first", b"second"):  # RFC 3263 section 4.3: it has not heard our answer to the first
        via = b"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%b" % branch
        assert brief(bench.say(request(b"OPTIONS", b"sip:example.test", via=via))) == ["200"]
        register = request(b"REGISTER", b"sip:example.test", via=via, headers=contact)
        assert brief(bench.say(register)) == ["200"]
        assert len(of(b"INVITE", bench.say(request(b"INVITE", via=via)))) == 1


def test_a_request_that_came_through_another_sip_core_is_no_loop(bench: Bench) -> None:
    bench.register(b"carol", "203.0.113.3")
    sent = bench.say(request(b"INVITE", b"sip:carol@example.test", via=VIA))
    mark, _, _ = of(b"INVITE", sent)[0].top_via.branch.partition(b".")
    via = b"SIP/2.0/UDP 198.51.100.9;branch=%b.0123456789" % mark
    assert len(of(b"INVITE", bench.say(request(b"INVITE", b"sip:carol@example.test", via=via)))) == 1


# Sections 16.4 and 16.12


def test_a_request_within_a_dialog_follows_its_route_set(bench: Bench) -> None:
    headers = ((b"Route", b"<sip:192.0.2.100:5060;lr>, <sip:198.51.100.9;lr>"),)
    (bye,) = of(
        b"BYE",
        bench.say(request(b"BYE", b"sip:bob@192.0.2.77", via=VIA, to=TO_BOB, headers=headers)),
    )
    assert bye.uri == b"sip:bob@192.0.2.77"
    assert bye.values(b"route") == [b"<sip:198.51.100.9;lr>"]


def test_what_a_strict_router_did_is_undone(bench: Bench) -> None:
    headers = ((b"Route", b"<sip:bob@192.0.2.77>"),)
    data = request(b"BYE", b"sip:192.0.2.100:5060;lr", via=VIA, to=TO_BOB, headers=headers)
    (bye,) = of(b"BYE", bench.say(data))
    assert bye.uri == b"sip:bob@192.0.2.77"
    assert bye.values(b"route") == []


def test_a_strict_router_ahead_gets_its_own_uri_as_request_uri(bench: Bench) -> None:
    headers = ((b"Route", b"<sip:192.0.2.100;lr>, <sip:198.51.100.9>"),)
    data = request(b"BYE", b"sip:bob@192.0.2.77", via=VIA, to=TO_BOB, headers=headers)
    bench.core.feed(data, Hop("192.0.2.1", 5060), 0.0)
    (send,) = bench.sends()
    assert send.hop == Hop("198.51.100.9", 5060)
    assert send.data.startswith(b"BYE sip:198.51.100.9 SIP/2.0")
    assert b"Route: <sip:bob@192.0.2.77>" in send.data


# Section 16.5


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        (b"sip:nobody@example.test", "480"),
        (b"sip:bob@elsewhere.test", "100"),
        (b"sip:example.test", "404"),
        (b"sip:bob@192.0.2.50:5070", "100"),
        (b"sip:bob@192.0.2.100", "100"),
    ],
)
def test_who_is_meant_decides_the_answer(bench: Bench, uri: bytes, status: str) -> None:
    bench.register(b"alice", "192.0.2.1")
    assert brief(bench.invite(uri=uri))[0] == status


def test_a_user_who_has_gone_gets_480(bench: Bench) -> None:
    bench.node.location.remove(b"sip:bob@example.test", b"sip:bob@192.0.2.2:5060", call_id=b"x", cseq=2)
    assert brief(bench.invite()) == ["480"]


def test_options_to_the_proxy_itself_get_200(bench: Bench) -> None:
    answer = only(bench.say(request(b"OPTIONS", b"sip:example.test", via=VIA)))
    assert answer.status == 200
    assert b"INVITE" in (answer.first(b"allow") or b"")


# Section 16.6


def test_a_forwarded_invite_is_changed_only_where_it_must_be(bench: Bench) -> None:
    data = request(b"INVITE", via=VIA, headers=((b"X-Odd", b"  kept  as it is "),), body=b"v=0\r\n")
    sent = bench.say(data)
    assert brief(sent) == ["100", "INVITE"]
    invite = of(b"INVITE", sent)[0]
    assert invite.uri == b"sip:bob@192.0.2.2:5060"
    assert invite.max_forwards == 69
    assert invite.values(b"record-route") == [b"<sip:192.0.2.100:5060;lr>"]
    assert invite.values(b"via")[1] == VIA
    kept = set(data.split(b"\r\n")[2:]) - {b"Max-Forwards: 70"}
    assert kept <= set(invite.raw.split(b"\r\n"))


def test_a_request_without_max_forwards_gets_70(bench: Bench) -> None:
    data = request(b"INVITE", via=VIA).replace(b"Max-Forwards: 70\r\n", b"")
    assert of(b"INVITE", bench.say(data))[0].max_forwards == 70


def test_the_path_of_the_registration_becomes_the_route() -> None:
    bench = Bench()
    bench.register(b"bob", "192.0.2.2", path=(b"<sip:198.51.100.9:5080;lr>",))
    bench.core.feed(request(b"INVITE", via=VIA), Hop("192.0.2.1", 5060), 0.0)
    send = bench.sends()[-1]
    assert send.hop == Hop("198.51.100.9", 5080)
    assert b"Route: <sip:198.51.100.9:5080;lr>" in send.data


def test_a_contact_that_is_a_name_cannot_be_reached_yet() -> None:
    bench = Bench()
    bench.register(b"bob", "phone.elsewhere.test")
    assert brief(bench.invite()) == ["100", "500"]


def test_two_address_families_are_joined_by_two_record_routes() -> None:
    bench = Bench(
        replace(SETTINGS, listeners=(Listener("192.0.2.100", 5060), Listener("2001:db8::100", 5060)))
    )
    bench.register(b"bob", "[2001:db8::2]")
    bench.core.feed(request(b"INVITE", via=VIA), Hop("192.0.2.1", 5060), 0.0)
    send = bench.sends()[-1]
    assert send.hop == Hop("2001:db8::2", 5060, 1)
    assert b"Via: SIP/2.0/UDP [2001:db8::100]:5060;branch=" in send.data
    first, second = (line for line in send.data.split(b"\r\n") if line.startswith(b"Record-Route"))
    assert (b"2001:db8" in first, b"192.0.2.100" in second) == (True, True)


def test_the_branch_is_a_function_of_the_request_and_its_target(bench: Bench) -> None:
    one = of(b"INVITE", bench.invite())[0]
    other = Bench()
    other.register(b"bob", "192.0.2.2")
    assert of(b"INVITE", other.invite())[0].top_via.branch == one.top_via.branch
    assert of(b"INVITE", bench.invite(via=VIA + b"1"))[0].top_via.branch != one.top_via.branch


# Sections 16.10 and 16.11


def test_an_ack_to_a_2xx_is_passed_on_without_a_transaction(bench: Bench) -> None:
    headers = ((b"Route", b"<sip:192.0.2.100:5060;lr>"),)
    data = request(b"ACK", b"sip:bob@192.0.2.2:5060", via=VIA + b"ack", to=TO_BOB, headers=headers)
    assert brief(bench.say(data)) == ["ACK"]
    assert bench.core.transaction_count == 0


def test_a_cancel_of_an_unknown_invite_is_passed_on_with_the_branch_of_that_invite(bench: Bench) -> None:
    other = Bench()
    other.register(b"bob", "192.0.2.2")
    branch = of(b"INVITE", other.invite())[0].top_via.branch
    (cancel,) = of(b"CANCEL", bench.say(request(b"CANCEL", via=VIA)))
    assert cancel.top_via.branch == branch
    assert bench.core.transaction_count == 0


def test_a_cancel_that_leads_nowhere_gets_481(bench: Bench) -> None:
    assert brief(bench.say(request(b"CANCEL", b"sip:nobody@example.test", via=VIA))) == ["481"]


def test_a_stray_response_follows_its_second_via(bench: Bench) -> None:
    ours = b"SIP/2.0/UDP 192.0.2.100:5060;branch=z9hG4bKlost"
    data = (
        b"SIP/2.0 200 OK\r\nVia: %b\r\nVia: %b\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n"
        b"Call-ID: x\r\nCSeq: 1 INVITE\r\nContact: <sip:bob@192.0.2.2>\r\nContent-Length: 0\r\n\r\n"
        % (ours, VIA)
    )
    bench.core.feed(data, Hop("192.0.2.2", 5060), 1.0)
    assert bench.sends() == []  # if its caller has had no 100, he is about to send the INVITE again
    bench.core.feed(data, Hop("192.0.2.2", 5060), 3.0)
    (send,) = bench.sends()
    assert (send.hop, send.hold) == (Hop("192.0.2.1", 5060), True)
    assert ours not in send.data
    assert bench.core.dialog_count == 1  # an answered call is never lost


def test_a_response_whose_top_via_is_not_ours_is_dropped(bench: Bench) -> None:
    invite = of(b"INVITE", bench.invite())[0]
    stranger = invite.raw.replace(b"192.0.2.100:5060;branch=", b"192.0.2.99:5060;branch=x")
    foreign = parse(stranger)
    assert isinstance(foreign, Request)
    assert bench.say(build_response(foreign, 200, to_tag=b"t"), Hop("192.0.2.2", 5060)) == []
