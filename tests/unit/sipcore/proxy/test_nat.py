"""Sans-IO: a call between two phones behind NAT: each request of the dialog finds its phone."""

from dataclasses import replace

from sipcore.location.binding import Binding, Flag
from sipcore.message import Request, Response, build_response, parse
from sipcore.transport.layer import Hop, Send
from tests.kit.sip_pair import SETTINGS, VIP
from tests.kit.sip_proxy import Bench

ALICE = Hop("198.51.100.1", 40001)  # as the core sees them
BOB = Hop("198.51.100.2", 40002)
AOR = b"sip:bob@example.test"
ROUTE = b"<sip:%b:%d;lr>" % (VIP.host.encode(), VIP.port)


def bench(nat_tests: int | None = None) -> Bench:
    made = Bench(SETTINGS if nat_tests is None else replace(SETTINGS, nat_tests=nat_tests))
    binding = Binding(
        b"sip:bob@10.0.0.2:5060", call_id=b"r", cseq=1, expires_at=1e6, received=BOB, flags=Flag.NAT
    )
    made.node.location.save(AOR, binding, 0.0)
    return made


def message(method: str, uri: str, cseq: int, *, sender: str, to_tag: str = "", route: bool = False) -> bytes:
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {sender};rport;branch=z9hG4bK-{method}-{cseq}",
        "Max-Forwards: 70",
        "From: <sip:alice@example.test>;tag=a",
        "To: <sip:bob@example.test>" + (f";tag={to_tag}" if to_tag else ""),
        "Call-ID: nat-call",
        f"CSeq: {cseq} {method}",
    ]
    lines += [f"Route: {ROUTE.decode()}"] if route else []
    lines += [f"Contact: <sip:alice@{sender}>"] if method == "INVITE" else []
    return "\r\n".join((*lines, "Content-Length: 0", "", "")).encode()


def say(made: Bench, data: bytes, source: Hop) -> list[tuple[Request | Response, Hop]]:
    made.core.feed(data, source, made.now)
    sends: list[Send] = made.core.take()
    return [(parse(send.data), send.hop) for send in sends]


def test_requests_of_a_dialog_find_the_phones_behind_their_nats() -> None:
    made = bench()
    heard = say(made, message("INVITE", "sip:bob@example.test", 1, sender="10.0.0.1:5060"), ALICE)
    (invite, hop) = heard[-1]
    assert isinstance(invite, Request)
    assert (invite.uri, hop) == (b"sip:bob@10.0.0.2:5060", BOB)
    assert invite.first(b"contact") == b"<sip:alice@10.0.0.1:5060;alias=198.51.100.1~40001~1>"

    answer = build_response(invite, 200, to_tag=b"b", headers=((b"Contact", b"<sip:bob@10.0.0.2:5060>"),))
    ((ok, hop),) = say(made, answer, BOB)
    assert hop[:2] == ALICE[:2]
    contact = ok.first(b"contact") or b""
    assert contact == b"<sip:bob@10.0.0.2:5060;alias=198.51.100.2~40002~1>"

    target = contact.strip(b"<>").decode()
    for method, cseq in (("ACK", 1), ("INVITE", 2), ("BYE", 3)):
        sent = say(made, message(method, target, cseq, sender="10.0.0.1:5060", to_tag="b", route=True), ALICE)
        (request, hop) = sent[-1]
        assert isinstance(request, Request)
        assert (request.method.decode(), request.uri) == (method, b"sip:bob@10.0.0.2:5060")
        assert hop[:2] == BOB[:2]
        if method == "INVITE":  # the answer within the dialog keeps its alias
            headers = ((b"Contact", b"<sip:bob@10.0.0.2:5060>"),)
            ((ok, hop),) = say(made, build_response(request, 200, headers=headers), BOB)
            assert ok.first(b"contact") == contact
    back = "sip:alice@10.0.0.1:5060;alias=198.51.100.1~40001~1"
    ((bye, hop),) = say(made, message("BYE", back, 9, sender="10.0.0.2:5060", to_tag="a", route=True), BOB)
    assert isinstance(bye, Request)
    assert (bye.uri, hop[:2]) == (b"sip:alice@10.0.0.1:5060", ALICE[:2])


def test_phones_without_nat_keep_their_contacts_as_they_are() -> None:
    made = bench()
    sender = Hop("198.51.100.1", 5060)
    invite = message("INVITE", "sip:bob@example.test", 1, sender="198.51.100.1:5060")
    assert say(made, invite, sender)[-1][0].first(b"contact") == b"<sip:alice@198.51.100.1:5060>"


def test_a_proxy_on_the_way_speaks_for_its_own_phones() -> None:
    made = bench()
    invite = message("INVITE", "sip:bob@example.test", 1, sender="10.0.0.1:5060")
    through = invite.replace(b"Via:", b"Via: SIP/2.0/UDP proxy.test;branch=z9hG4bK-p\r\nVia:", 1)
    assert say(made, through, ALICE)[-1][0].first(b"contact") == b"<sip:alice@10.0.0.1:5060>"


def test_without_tests_no_contact_is_touched() -> None:
    made = bench(0)
    heard = say(made, message("INVITE", "sip:bob@example.test", 1, sender="10.0.0.1:5060"), ALICE)
    invite = heard[-1][0]
    assert isinstance(invite, Request)
    assert invite.first(b"contact") == b"<sip:alice@10.0.0.1:5060>"
    answer = build_response(invite, 200, to_tag=b"b", headers=((b"Contact", b"<sip:bob@10.0.0.2:5060>"),))
    ((ok, _),) = say(made, answer, BOB)
    assert ok.first(b"contact") == b"<sip:bob@10.0.0.2:5060>"


def test_a_bad_alias_is_refused() -> None:
    made = Bench(replace(SETTINGS, relay="any"))
    bad = "sip:bob@10.0.0.2;alias=nonsense"
    heard = say(made, message("BYE", bad, 2, sender="10.0.0.1:5060", to_tag="b", route=True), ALICE)
    assert [m.status for m, _ in heard if isinstance(m, Response)] == [400]
