"""Which way requests and responses take: transports, connections, Record-Route, flow tokens, sips."""

from dataclasses import replace

import pytest

from sipcore.location.binding import Binding
from sipcore.location.gruu import Gruus
from sipcore.message import Request, build_response
from sipcore.proxy import Listener
from sipcore.transport.layer import Hop, Send
from tests.kit.sip_messages import parsed_request, request
from tests.kit.sip_pair import SETTINGS
from tests.kit.sip_proxy import CALLER, VIA, Bench, brief, of
from tests.kit.sip_routes import HookedRoutes

UDP, TCP, TLS, WS, SIX = range(5)
LISTENERS = (
    Listener("192.0.2.100", 5060),
    Listener("192.0.2.100", 5060, "tcp"),
    Listener("192.0.2.100", 5061, "tls"),
    Listener("192.0.2.100", 8080, "ws"),
    Listener("2001:db8::100", 5060),
)
BROWSER = Hop("192.0.2.7", 40001, WS, "ws", 77)
OVER_WS = b"SIP/2.0/WS a.invalid;branch=z9hG4bK-1"
BOB = b"<sip:bob@example.test>;tag=b"


@pytest.fixture
def bench() -> Bench:
    bench = Bench(replace(SETTINGS, listeners=LISTENERS, flow_key=b"k" * 16))
    bench.register(b"alice", "192.0.2.1")
    return bench


def feed(bench: Bench, data: bytes, source: Hop = CALLER) -> list[Send]:
    bench.core.feed(data, source, bench.now)
    return bench.sends()


def line(data: bytes, name: bytes) -> bytes:
    return next(one for one in data.split(b"\r\n") if one.startswith(name + b":"))


def lines(data: bytes, name: bytes) -> list[bytes]:
    return [one for one in data.split(b"\r\n") if one.startswith(name + b":")]


@pytest.mark.parametrize(
    ("uri", "via", "hop"),
    [
        (b"sip:bob@192.0.2.2", b"UDP 192.0.2.100:5060", ("192.0.2.2", 5060, UDP, "udp")),
        (b"sip:bob@192.0.2.2;transport=tcp", b"TCP 192.0.2.100:5060", ("192.0.2.2", 5060, TCP, "tcp")),
        (b"sip:bob@192.0.2.2;transport=tls", b"TLS 192.0.2.100:5061", ("192.0.2.2", 5061, TLS, "tls")),
        (b"sips:bob@192.0.2.2", b"TLS 192.0.2.100:5061", ("192.0.2.2", 5061, TLS, "tls")),
        (b"sips:bob@192.0.2.2;transport=tcp", b"TLS 192.0.2.100:5061", ("192.0.2.2", 5061, TLS, "tls")),
        (b"sip:bob@[2001:db8::2]:5070", b"UDP [2001:db8::100]:5060", ("2001:db8::2", 5070, SIX, "udp")),
    ],
)
def test_the_uri_of_the_next_hop_chooses_transport_and_listener(
    bench: Bench, uri: bytes, via: bytes, hop: tuple[str, int, int, str]
) -> None:
    (send,) = feed(bench, request(b"MESSAGE", uri, via=VIA))
    assert tuple(send.hop)[:4] == hop
    assert line(send.data, b"Via").startswith(b"Via: SIP/2.0/" + via + b";branch=z9hG4bK")


def test_a_transport_that_we_do_not_have_leads_nowhere() -> None:
    bench = Bench()
    bench.register(b"alice", "192.0.2.1")
    assert brief(bench.invite(b"sip:bob@192.0.2.2;transport=tcp")) == ["100", "500"]


# Section 18.1.1


def test_what_is_too_long_for_a_datagram_goes_over_tcp_and_falls_back_to_udp(bench: Bench) -> None:
    data = request(b"MESSAGE", b"sip:bob@192.0.2.2", via=VIA, body=b"x" * 1300)
    (first,) = feed(bench, data)
    assert (first.hop.transport, line(first.data, b"Via")[:16]) == ("tcp", b"Via: SIP/2.0/TCP")
    bench.core.on_transport_error(first.data, first.hop, bench.now)
    (second,) = bench.sends()
    assert (second.hop.transport, second.hop[:2]) == ("udp", first.hop[:2])
    assert line(second.data, b"Via")[:16] == b"Via: SIP/2.0/UDP"
    assert parsed_request(second.data).top_via.branch != parsed_request(first.data).top_via.branch


def test_a_short_request_and_one_to_a_nat_binding_stay_on_udp(bench: Bench) -> None:
    (send,) = feed(bench, request(b"MESSAGE", b"sip:bob@192.0.2.2", via=VIA))
    assert send.hop.transport == "udp"
    nat = Hop("203.0.113.5", 1234, UDP)
    bench.register(b"bob", "10.0.0.2", received=nat)
    (send,) = feed(bench, request(b"MESSAGE", via=VIA + b"2", body=b"x" * 1300))
    assert send.hop == nat


# Section 18.2.2


def test_a_response_goes_back_over_the_connection_of_its_request(bench: Bench) -> None:
    phone = Hop("192.0.2.1", 40000, TCP, "tcp", 5)
    via = b"SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK-1"
    (send,) = feed(bench, request(b"OPTIONS", b"sip:example.test", via=via), phone)
    assert (send.hop.flow, send.hop.transport, send.hop.port) == (5, "tcp", 5060)


# Record-Route


def test_a_change_of_transport_is_recorded_twice_and_both_are_cut_together(bench: Bench) -> None:
    bench.register(b"bob", "", uri=b"sip:bob@192.0.2.2;transport=tcp")
    sends = feed(bench, request(b"INVITE", via=VIA))
    top, below = lines(sends[1].data, b"Record-Route")
    assert top.startswith(b"Record-Route: <sip:192.0.2.100:5060;transport=tcp;lr;r2=on;c=")
    assert below.startswith(b"Record-Route: <sip:192.0.2.100:5060;lr;r2=on;c=")
    for number, routes in enumerate(((below, top), (top, below))):
        route = b", ".join(one.partition(b": ")[2] for one in routes)
        headers = ((b"Route", route),)
        bye = request(b"BYE", b"sip:bob@192.0.2.2", via=VIA + b"%d" % number, to=BOB, headers=headers)
        (sent,) = feed(bench, bye)
        assert lines(sent.data, b"Route") == []


# Flows, RFC 5626


def test_a_binding_with_a_flow_is_reached_over_it(bench: Bench) -> None:
    bench.register(b"bob", "", uri=b"sip:bob@b.invalid;transport=ws", received=BROWSER)
    sends = feed(bench, request(b"INVITE", via=VIA))
    assert sends[1].hop == BROWSER
    assert line(sends[1].data, b"Via").startswith(b"Via: SIP/2.0/WS 192.0.2.100:8080;branch=")


def test_requests_of_the_dialog_find_both_flows_by_their_tokens(bench: Bench) -> None:
    other = Hop("192.0.2.8", 40002, WS, "ws", 78)
    bench.register(b"bob", "", uri=b"sip:bob@b.invalid;transport=ws", received=other)
    invite = request(b"INVITE", via=OVER_WS, headers=((b"Contact", b"<sip:a@a.invalid;transport=ws>"),))
    sends = feed(bench, invite, BROWSER)
    top, below = (one.partition(b": ")[2] for one in lines(sends[1].data, b"Record-Route"))
    by_caller = request(
        b"BYE", b"sip:bob@b.invalid", via=OVER_WS + b"2", to=BOB, headers=((b"Route", below + b", " + top),)
    )
    by_callee = request(
        b"BYE", b"sip:a@a.invalid", via=OVER_WS + b"3", to=BOB, headers=((b"Route", top + b", " + below),)
    )
    assert feed(bench, by_caller, BROWSER)[0].hop == other
    assert feed(bench, by_callee, other)[0].hop == BROWSER


def test_a_caller_with_ob_is_called_back_over_his_flow(bench: Bench) -> None:
    bench.register(b"bob", "192.0.2.2")
    nat = Hop("203.0.113.5", 61234)
    headers = ((b"Contact", b"<sip:a@10.0.0.9:5060;ob>"),)
    invite = feed(bench, request(b"INVITE", via=VIA, headers=headers), nat)[1]
    route = b", ".join(one.partition(b": ")[2] for one in lines(invite.data, b"Record-Route"))
    back = request(b"BYE", b"sip:a@10.0.0.9:5060;ob", via=VIA + b"2", to=BOB, headers=((b"Route", route),))
    (send,) = feed(bench, back, Hop("192.0.2.2", 5060))
    assert send.hop == nat
    assert lines(send.data, b"Route") == []


def test_a_stranger_may_reach_a_flow_by_its_token_but_nothing_else(bench: Bench) -> None:
    stranger = Hop("203.0.113.77", 5060)
    token = bench.core.proxy.record_routes.token(BROWSER)
    route = ((b"Route", b"<sip:%b192.0.2.100:5060;lr>" % token),)
    sender = b"<sip:eve@elsewhere.test>;tag=e"
    data = request(b"INVITE", b"sip:a@a.invalid", via=VIA, sender=sender, headers=route)
    assert feed(bench, data, stranger)[1].hop == BROWSER
    data = request(b"INVITE", b"sip:a@192.0.2.50", via=VIA + b"2", sender=sender)
    assert brief(bench.say(data, stranger)) == ["404"]


def test_a_gruu_reaches_its_one_instance(bench: Bench) -> None:
    bench.node.location.gruus = Gruus(b"s" * 16)
    for number in (2, 3):
        uri = b"sip:bob@192.0.2.%d" % number
        binding = Binding(uri, call_id=uri, cseq=1, expires_at=1e6, instance=b"<urn:uuid:%d>" % number)
        bench.node.location.save(b"sip:bob@example.test", binding, 0.0)
    gruu = Gruus.public(b"sip:bob@example.test", b"<urn:uuid:3>")
    assert [send.hop.host for send in feed(bench, request(b"MESSAGE", gruu, via=VIA))] == ["192.0.2.3"]
    both = feed(bench, request(b"MESSAGE", via=VIA + b"2"))
    assert {send.hop.host for send in both} == {"192.0.2.2", "192.0.2.3"}


def test_a_token_that_was_tampered_with_gets_403(bench: Bench) -> None:
    token = bench.core.proxy.record_routes.token(BROWSER).strip(b"@")
    for bad in (token[:-2] + b"AA", b"A" * 40, b"bob"):
        route = ((b"Route", b"<sip:%b@192.0.2.100:5060;lr>" % bad),)
        data = request(b"MESSAGE", b"sip:a@a.invalid", via=VIA + bad[-9:], to=BOB, headers=route)
        assert brief(bench.say(data)) == ["403"]


def test_a_flow_that_is_gone_gives_430_by_its_token_and_480_by_its_binding(bench: Bench) -> None:
    token = bench.core.proxy.record_routes.token(BROWSER)
    route = ((b"Route", b"<sip:%b192.0.2.100:5060;lr>" % token),)
    (send,) = feed(bench, request(b"MESSAGE", b"sip:a@a.invalid", via=VIA, to=BOB, headers=route))
    bench.core.on_transport_error(send.data, send.hop, bench.now)
    assert brief(bench.heard()) == ["430"]
    bench.register(b"bob", "", uri=b"sip:bob@b.invalid;transport=ws", received=BROWSER)
    send = feed(bench, request(b"INVITE", via=VIA + b"2"))[1]
    bench.core.on_transport_error(send.data, send.hop, bench.now)
    assert brief(bench.heard()) == ["480"]


def test_a_register_for_elsewhere_carries_our_path_when_the_routes_want_it(bench: Bench) -> None:
    HookedRoutes(bench.core, before=lambda proxy, call: proxy.add_path(call))
    contact = b'<sip:alice@a.invalid;transport=ws;ob>;reg-id=1;+sip.instance="<urn:uuid:1>"'
    data = request(b"REGISTER", b"sip:192.0.2.50", via=OVER_WS, headers=((b"Contact", contact),))
    bench.register(b"alice", "192.0.2.7", uri=b"sip:alice@192.0.2.7")
    (send,) = feed(bench, data, BROWSER)
    path = line(send.data, b"Path")
    assert path.startswith(b"Path: <sip:")
    assert path.endswith(b"@192.0.2.100:8080;transport=ws;lr;ob>")
    headers = ((b"Route", path.partition(b": ")[2]),)
    back = request(b"OPTIONS", b"sip:alice@a.invalid", via=VIA + b"5", to=BOB, headers=headers)
    (send,) = feed(bench, back, Hop("192.0.2.50", 5060))
    assert send.hop == BROWSER


# sips, RFC 3261 section 26.2.2, RFC 5630


def test_a_sips_uri_reaches_sips_contacts_only(bench: Bench) -> None:
    bench.register(b"bob", "192.0.2.2")
    (answer,) = bench.invite(b"sips:bob@example.test")
    assert (brief([answer]), answer.first(b"warning")) == (["480"], b'380 example.test "SIPS Not Allowed"')
    bench.register(b"bob", "", uri=b"sips:bob@192.0.2.3")
    sends = feed(bench, request(b"INVITE", b"sips:bob@example.test", via=VIA + b"2"))
    assert [send.hop.transport for send in sends[1:]] == ["tls"]
    assert line(sends[1].data, b"Record-Route").startswith(b"Record-Route: <sips:192.0.2.100:5061;lr")


def test_without_tls_a_sips_uri_gets_416() -> None:
    bench = Bench()
    assert brief(bench.invite(b"sips:bob@example.test")) == ["416"]


# Transport errors of responses, section 17.2.4


def test_a_caller_whose_connection_is_gone_has_his_call_cancelled(bench: Bench) -> None:
    phone = Hop("192.0.2.1", 40000, TCP, "tcp", 5)
    via = b"SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK-1"
    bench.register(b"bob", "192.0.2.2")
    (branch,) = of(b"INVITE", bench.say(request(b"INVITE", via=via), phone))
    bench.core.feed(answer(branch, 180), Hop("192.0.2.2", 5060), bench.now)
    (ringing,) = bench.sends()
    bench.core.on_transport_error(ringing.data, ringing.hop, bench.now)
    (cancel,) = bench.heard()
    assert brief([cancel]) == ["CANCEL"]
    assert brief(bench.answer(branch, 487)) == ["ACK"]
    bench.answer(cancel, 200)
    bench.run(40.0)
    assert bench.core.transaction_count == 0


def answer(sent: Request, status: int) -> bytes:
    return build_response(sent, status, to_tag=b"t")
