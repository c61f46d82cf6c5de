"""Sans-IO: Contact and Request-URI of phones behind NAT; what goes out comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.errors import ParseError
from sipcore.message import Request, Uri, parse
from sipcore.nat.fix import (
    add_contact_alias,
    fix_nated_contact,
    fix_nated_sdp,
    force_rport,
    handle_ruri_alias,
)
from sipcore.transport.layer import Hop

SEEN = Hop("198.51.100.7", 40000)
SEEN_TCP6 = Hop("2001:db8::7", 40000, 1, "tcp", 9)


@pytest.mark.parametrize(
    ("value", "fixed"),
    [
        (b"<sip:a@10.0.0.1:5070;ob>;q=0.5", b"<sip:a@198.51.100.7:40000;ob>;q=0.5"),
        (b'"A, b" <sip:a@10.0.0.1>, <sip:c@h>', b'"A, b" <sip:a@198.51.100.7:40000>, <sip:c@h>'),
        (b"sip:a@10.0.0.1;expires=60", b"<sip:a@198.51.100.7:40000>;expires=60"),
        (b"*", b"*"),
    ],
)
def test_a_contact_gets_the_address_that_it_was_seen_at(value: bytes, fixed: bytes) -> None:
    assert fix_nated_contact(value, SEEN) == fixed


@pytest.mark.parametrize("source", [SEEN, SEEN_TCP6])
def test_an_alias_goes_out_in_the_contact_and_comes_back_as_a_destination(source: Hop) -> None:
    value = add_contact_alias(b"<sip:a@10.0.0.1:5070;ob>;+x", source)
    uri, _, rest = value[1:].partition(b">")
    assert rest == b";+x"
    back, destination = handle_ruri_alias(uri)
    assert back == b"sip:a@10.0.0.1:5070;ob"
    parsed = Uri.parse(destination)
    assert (parsed.host.strip(b"[]").decode(), parsed.port) == source[:2]
    assert (parsed.params.get(b"transport") or b"udp").decode() == source.transport


def test_an_alias_is_written_as_kamailio_writes_it() -> None:
    assert add_contact_alias(b"<sip:a@h>", SEEN) == b"<sip:a@h;alias=198.51.100.7~40000~1>"


def test_a_request_uri_without_alias_stays_as_it_is() -> None:
    assert handle_ruri_alias(b"sip:a@h;x-alias=1") == (b"sip:a@h;x-alias=1", b"")


@pytest.mark.parametrize(
    "alias", [b"", b"1.2.3.4", b"host~5060~1", b"1.2.3.4~0~1", b"1.2.3.4~70000~1", b"1.2.3.4~5~9"]
)
def test_a_bad_alias_is_a_bad_request(alias: bytes) -> None:
    with pytest.raises(ParseError):
        handle_ruri_alias(b"sip:a@h;alias=" + alias)


@given(st.binary(max_size=60))
def test_no_request_uri_breaks_it(junk: bytes) -> None:
    for uri in (junk, b"sip:a@h;alias=" + junk, b"sip:a@h;alias=1.2.3.4~" + junk):
        try:
            handle_ruri_alias(uri)
        except ParseError:
            continue


def test_a_session_description_gets_another_address_and_nothing_else_changes() -> None:
    body = b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4 RTP/AVP 0\r\n"
    fixed = fix_nated_sdp(b"application/sdp", body, "198.51.100.7")
    assert fixed == body.replace(b"c=IN IP4 10.0.0.1", b"c=IN IP4 198.51.100.7")
    assert fix_nated_sdp(b"text/plain", body, "198.51.100.7") == body


def test_force_rport_has_the_answer_go_where_the_request_came_from() -> None:
    request = parse(
        b"OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n"
        b"To: <sip:h>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
    )
    assert isinstance(request, Request)
    force_rport(request, SEEN)
    assert request.values(b"via") == [
        b"SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;received=198.51.100.7;rport=40000"
    ]
