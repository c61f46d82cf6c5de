"""Sans-IO: Via, name-addr and parameters."""

import pytest

from sipcore.errors import ParseError
from sipcore.message import NameAddr, Via
from sipcore.message.params import unquote


@pytest.mark.parametrize(
    "value",
    [
        b"SIP/2.0/UDP host.test:5071;branch=z9hG4bKx;rport",
        b"SIP / 2.0\t/ udp  host.test : 5071 ; branch = z9hG4bKx ; rport",
        b"sip/2.0/UDP host.test:5071;BRANCH=z9hG4bKx;RPort",
    ],
)
def test_a_via_is_read_in_any_spelling(value: bytes) -> None:
    via = Via.parse(value)
    assert bytes(via) == b"SIP/2.0/UDP host.test:5071;branch=z9hG4bKx;rport"
    assert via.sent_by == b"host.test:5071"


def test_a_via_may_have_an_ipv6_reference_with_or_without_port() -> None:
    assert Via.parse(b"SIP/2.0/UDP [2001:db8::1]:99").port == 99
    via = Via.parse(b"SIP/2.0/UDP [2001:db8::1];received=2001:db8::9:255")
    assert (via.host, via.port, via.params[b"received"]) == (b"[2001:db8::1]", None, b"2001:db8::9:255")


@pytest.mark.parametrize(
    "value", [b"", b"SIP/2.0/UDP", b"SIP/2.0 host", b"SIP/2.0/UDP a b", b"SIP/2.0/UDP [::1", b"x"]
)
def test_what_is_no_via_is_refused(value: bytes) -> None:
    with pytest.raises(ParseError, match="Bad Via"):
        Via.parse(value)


@pytest.mark.parametrize(
    ("value", "display", "uri", "tag"),
    [
        (b"<sip:a@h;x=1?y=2>;tag=t", b"", b"sip:a@h;x=1?y=2", b"t"),
        (b"sip:a@h;tag=t", b"", b"sip:a@h", b"t"),
        (b"Bob Smith <sip:a@h> ; TAG = t", b"Bob Smith", b"sip:a@h", b"t"),
        (
            b'"<sip:evil@h>;tag=evil \\" ," <sip:a@h>;tag=t',
            b'"<sip:evil@h>;tag=evil \\" ,"',
            b"sip:a@h",
            b"t",
        ),
        (b'<sip:a@h>;x=";tag=evil>";tag=t', b"", b"sip:a@h", b"t"),
        (b'sip:a@h;x="<sip:evil@h>";tag=t', b"", b"sip:a@h", b"t"),
    ],
)
def test_a_name_addr_is_read(value: bytes, display: bytes, uri: bytes, tag: bytes) -> None:
    address = NameAddr.parse(value)
    assert (address.display, address.uri, address.tag) == (display, uri, tag)
    assert NameAddr.parse(bytes(address)) == address


@pytest.mark.parametrize(
    "value", [b"", b"<>", b'"a <sip:a@h>', b"<sip:a@h", b"<sip:a@h> x", b"a b", b"<<sip:a@h>>", b"<a>"]
)
def test_what_is_no_address_is_refused(value: bytes) -> None:
    with pytest.raises(ParseError):
        NameAddr.parse(value)


def test_a_quoted_string_is_unquoted() -> None:
    assert unquote(rb'"a \"b\" \\ c"') == rb'a "b" \ c'
    assert unquote(b"plain") == b"plain"
