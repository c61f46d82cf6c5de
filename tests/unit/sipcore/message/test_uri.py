"""Sans-IO: URIs: the examples of RFC 3261 sections 19.1.3 and 19.1.4."""

import pytest

from sipcore.errors import ParseError
from sipcore.message import Uri

EQUAL = [
    (b"sip:%61lice@atlanta.com;transport=TCP", b"sip:alice@AtLanTa.CoM;Transport=tcp"),
    (b"sip:carol@chicago.com", b"sip:carol@chicago.com;newparam=5"),
    (b"sip:carol@chicago.com;security=on", b"sip:carol@chicago.com;newparam=5"),
    (
        b"sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        b"sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ),
    (
        b"sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        b"sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ),
]
UNEQUAL = [
    (b"SIP:ALICE@AtLanTa.CoM;Transport=udp", b"sip:alice@AtLanTa.CoM;Transport=UDP"),
    (b"sip:bob@biloxi.com", b"sip:bob@biloxi.com:5060"),
    (b"sip:bob@biloxi.com", b"sip:bob@biloxi.com;transport=udp"),
    (b"sip:bob@biloxi.com", b"sip:bob@biloxi.com:6000;transport=tcp"),
    (b"sip:carol@chicago.com", b"sip:carol@chicago.com?Subject=next%20meeting"),
    (b"sip:bob@phone21.boxesbybob.com", b"sip:bob@192.0.2.4"),
    (b"sip:carol@chicago.com;security=on", b"sip:carol@chicago.com;security=off"),
    (b"sip:bob@biloxi.com", b"sips:bob@biloxi.com"),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_uris_that_the_rfc_calls_equal_match_both_ways(one: bytes, other: bytes) -> None:
    assert Uri.parse(one).matches(Uri.parse(other))
    assert Uri.parse(other).matches(Uri.parse(one))


@pytest.mark.parametrize(("one", "other"), UNEQUAL)
def test_uris_that_the_rfc_calls_unequal_match_in_neither_way(one: bytes, other: bytes) -> None:
    assert not Uri.parse(one).matches(Uri.parse(other))
    assert not Uri.parse(other).matches(Uri.parse(one))


@pytest.mark.parametrize(
    ("uri", "aor"),
    [
        (b"sip:Bob@Example.TEST:5070;transport=udp?x=y", b"sip:Bob@example.test"),
        (b"sip:%62ob:secret@example.test", b"sip:bob@example.test"),
        (b"sip:a%40b@example.test", b"sip:a%40b@example.test"),
        (b"sip:nul-%00@h", b"sip:nul-%00@h"),
        (b"sip:%2562ob@h", b"sip:%2562ob@h"),
        (b"sips:bob@h", b"sip:bob@h"),
        (b"sip:example.test", b"sip:example.test"),
        (b"tel:+1-201;phone-context=x", b"tel:+1-201"),
    ],
)
def test_an_address_of_record_is_canonical(uri: bytes, aor: bytes) -> None:
    assert Uri.parse(uri).aor() == aor


def test_a_uri_is_written_as_it_was_read() -> None:
    for text in (b"sip:a:pw@h:5061;lr;x=1?a=b&c=d", b"sip:[2001:db8::1]:5070", b"tel:+1201;ext=5"):
        assert bytes(Uri.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"bob",
        b"sip:",
        b"sip:@h",
        b"sip:a@b@c",
        b"sip:2001:db8::1",
        b"sip:h:70000",
        b"sip:a b@h",
        b"sip:[1::2::3]",
        b"sip:[::ffff:1.2.3.4.5]",
        b"sip:[1]",
    ],
)
def test_what_is_no_uri_is_refused(text: bytes) -> None:
    with pytest.raises(ParseError):
        Uri.parse(text)
