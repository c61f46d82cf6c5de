"""Sans-IO: what the parser reads, and how it refuses."""

import time
from contextlib import suppress

import pytest

from sipcore.errors import ParseError
from sipcore.message import Request, build_response, parse
from sipcore.message.limits import LIMITS
from tests.kit.sip_messages import INVITE_880, OK_760, parsed_request, parsed_response, request

WHOLE = request(b"INVITE", body=b"v=0\r\n")


def refused(data: bytes) -> ParseError:
    with pytest.raises(ParseError) as caught:
        parse(data)
    return caught.value


def test_what_routing_reads_of_a_request() -> None:
    invite = parsed_request(INVITE_880)
    assert (invite.method, invite.uri) == (b"INVITE", b"sip:bob@example.test")
    assert (invite.top_via.transport, invite.top_via.host, invite.top_via.port) == (
        b"UDP",
        b"10.88.0.21",
        5071,
    )
    assert invite.top_via.branch == b"z9hG4bK-524287-1---3a1c9d3d"
    assert invite.top_via.params[b"rport"] is None
    assert (invite.from_tag, invite.to_tag) == (b"9fxced76sl-7719", b"")
    assert (invite.call_id, invite.cseq, invite.max_forwards) == (b"3848276298220188511@10.88.0.21", 1, 70)
    assert invite.body.startswith(b"v=0")
    assert invite.raw == INVITE_880


def test_what_routing_reads_of_a_response() -> None:
    ok = parsed_response(OK_760)
    assert (ok.status, ok.reason, ok.method, ok.cseq) == (200, b"OK", b"INVITE", 1)
    assert ok.top_via.host == b"10.88.0.100"
    assert len(ok.values(b"via")) == 2
    assert ok.to_tag == b"a6c85cf"


def test_compact_folded_and_oddly_spelled_headers_are_found_by_their_long_name() -> None:
    data = WHOLE.replace(b"Call-ID:", b"i :").replace(b"Via:", b"V\t:\r\n ").replace(b"From:", b"fRoM:")
    found = parsed_request(data)
    assert (found.call_id, found.top_via.port, found.from_tag) == (b"call-1@127.0.0.1", 5071, b"alice-1")
    assert found.raw == data


def test_values_respect_quotes_and_angle_brackets() -> None:
    contacts = b'"A, B" <sip:a@h?x=1,2>;q=1 ,\r\n\t<sip:b@h>, sip:c@h'
    found = parsed_request(request(headers=[(b"m", contacts), (b"Contact", b"<sip:d@h>")]))
    assert found.values(b"contact") == [b'"A, B" <sip:a@h?x=1,2>;q=1', b"<sip:b@h>", b"sip:c@h", b"<sip:d@h>"]
    assert len(found.lines(b"contact")) == 2
    assert found.first(b"route") is None
    assert found.values(b"route") == []


@pytest.mark.parametrize("name", [b"Via", b"From", b"To", b"Call-ID", b"CSeq"])
def test_a_missing_mandatory_header_is_named(name: bytes) -> None:
    data = b"\r\n".join(line for line in WHOLE.split(b"\r\n") if not line.startswith(name + b":"))
    error = refused(data)
    assert (error.status, error.reason) == (400, f"Missing {name.decode()}")
    assert (error.partial is None) is (name == b"Via")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"CSeq: 1 INVITE", b"CSeq: 1 BYE", "CSeq method does not match the request line"),
        (b"CSeq: 1 ", b"CSeq: 4294967296 ", "Bad CSeq"),
        (b"CSeq: 1 ", b"CSeq: -1 ", "Bad CSeq"),
        (b"CSeq: 1 INVITE", b"CSeq: 1", "Bad CSeq"),
        (b"Forwards: 70", b"Forwards: 256", "Bad Max-Forwards"),
        (b"Forwards: 70", b"Forwards: -1", "Bad Max-Forwards"),
        (b"Length: 5", b"Length: 6", "Content-Length is larger than the body"),
        (b"Length: 5", b"Length: 99999999999999", "Bad Content-Length"),
        (b"Length: 5", b"Length: five", "Bad Content-Length"),
        (b"Length: 5", b"Length: 5\r\nl: 5", "Multiple Content-Length"),
        (b"From: ", b"f: <sip:x@y>;tag=1\r\nFrom: ", "Multiple From"),
        (b"<sip:bob@example.test>\r\n", b"<sip:bob@example.test\r\n", "Bad To"),
        (b"<sip:bob@example.test>\r\n", b'"Bob <sip:bob@example.test>\r\n', "Bad To"),
        (b"<sip:alice@example.test>", b"<>", "Bad From"),
        (b"Call-ID: call-1@", b"Call-ID: call-1 @", "Bad Call-ID"),
        (b"127.0.0.1:5071;", b"127.0.0.1:70000;", "Bad Via: port over 65535"),
        (b"SIP/2.0/UDP", b"SIP/3.0/UDP", "Bad Via"),
        (b"CSeq", b"C Seq", "Bad header line"),
        (b"Max-Forwards: 70", b"Max-Forwards 70", "Bad header line"),
        (b"Max-Forwards: 70", b"X: a\nRoute: <sip:evil>", "CR or LF alone in a header"),
        (b"Max-Forwards: 70", b"X: a\rb", "CR or LF alone in a header"),
        (b"INVITE sip:bob@example.test SIP", b"INVITE sip:bob@a@b SIP", "Bad Request-URI"),
        (b"INVITE sip:bob@example.test SIP", b"INVITE sip:h:port SIP", "Bad Request-URI"),
    ],
)
def test_a_bad_header_is_refused_with_a_reason_that_names_it(old: bytes, new: bytes, reason: str) -> None:
    assert old in WHOLE
    error = refused(WHOLE.replace(old, new, 1))
    assert (error.status, error.reason) == (400, reason)
    assert error.partial is not None


def test_the_largest_allowed_numbers_pass() -> None:
    found = parsed_request(request(cseq=2**32 - 1, max_forwards=255))
    assert (found.cseq, found.max_forwards) == (2**32 - 1, 255)


def test_another_sip_version_is_505_and_another_scheme_is_left_to_the_proxy() -> None:
    assert refused(WHOLE.replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1)).status == 505
    assert parsed_request(request(uri=b"tel:+1234")).uri == b"tel:+1234"
    assert parsed_request(request(uri=b"unknown:x")).uri == b"unknown:x"


def test_a_refused_request_can_be_answered_without_a_second_to_tag() -> None:
    data = request(b"BYE", to=b"<sip:bob@example.test>;tag=b1").replace(b"CSeq: 1 BYE", b"CSeq: x BYE")
    partial = refused(data).partial
    assert isinstance(partial, Request)
    assert partial.top_via.branch == b"z9hG4bK-test-1"
    answer = build_response(partial, 400, b"Bad CSeq", to_tag=b"mine")
    assert b"To: <sip:bob@example.test>;tag=b1\r\n" in answer
    assert b"CSeq: x BYE\r\n" in answer


def test_a_refused_ack_or_response_is_never_to_be_answered() -> None:
    assert refused(request(b"ACK").replace(b"CSeq: 1", b"CSeq: x")).partial is None
    assert refused(OK_760.replace(b"CSeq: 1", b"CSeq: x")).partial is None


def test_what_follows_the_body_is_cut_off_and_empty_lines_before_the_message_are_skipped() -> None:
    found = parsed_request(b"\r\n\r\n" + WHOLE + b"garbage")
    assert found.body == b"v=0\r\n"
    assert found.raw == WHOLE


def test_limits_of_size() -> None:
    assert refused(WHOLE + b"x" * LIMITS.message_bytes).status == 513
    many = request(headers=[(b"X", b"y")] * LIMITS.header_lines)
    assert "header lines" in refused(many).reason
    assert parsed_request(request(headers=[(b"X", b"y")] * (LIMITS.header_lines - 7)))


@pytest.mark.parametrize(
    "filler", [b" ", b",", b";", b'"', b"<", b"<>,", b"\\", b"\r\n ", b'"\\', b"a=b;", b"%41", b":"]
)
@pytest.mark.parametrize("name", [b"Via", b"To", b"From", b"Contact", b"Call-ID", b"CSeq"])
def test_no_filler_makes_the_parser_slow(name: bytes, filler: bytes) -> None:
    line = name + b": x" + filler * (60_000 // len(filler)) + b"y\r\n"
    data = WHOLE.replace(b"Via:", line + b"Via:")
    start = time.process_time()
    with suppress(ParseError):
        parse(data).values(b"contact")
    assert time.process_time() - start < 0.5  # a quadratic pattern takes minutes


def test_a_refused_request_is_answered_by_its_first_via_whatever_else_is_wrong() -> None:
    for bad in (b"sip:bob@a@b", b"sip:h:port"):
        data = request(uri=bad, headers=[(b"Via", b"SIP/2.0/UDP last;branch=z9hG4bKlast")])
        partial = refused(data).partial
        assert isinstance(partial, Request)
        assert partial.top_via.branch == b"z9hG4bK-test-1"


def test_two_tags_or_two_branches_are_refused() -> None:
    assert refused(request(sender=b"<sip:a@h>;tag=1;tag=2")).reason == "Bad From"
    for second in (b";branch=z9hG4bK2", b' ; x="y" ; Branch = z9hG4bK2'):
        assert refused(request(via=b"SIP/2.0/UDP h;branch=z9hG4bK1" + second)).status == 400
