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
TEL_EQUAL = [
    (b"tel:+1-201-555-0123", b"tel:+12015550123"),
    (b"tel:+1(201)555.0123;ext=1-2", b"TEL:+12015550123;EXT=12"),
    (b"tel:7042;phone-context=Example.com", b"tel:70-42;phone-context=example.com"),
    (b"tel:863-1234;phone-context=+1-914", b"tel:8631234;phone-context=+1914"),
]
TEL_UNEQUAL = [
    (b"tel:+12015550123", b"tel:12015550123"),
    (b"tel:+12015550123", b"tel:+12015550123;ext=1"),
    (b"tel:7042;phone-context=a.example.com", b"tel:7042;phone-context=aexample.com"),
    (b"tel:+12015550123", b"sip:+12015550123@example.com;user=phone"),
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


@pytest.mark.parametrize(("one", "other"), EQUAL + TEL_EQUAL)
def test_uris_that_the_rfc_calls_equal_match_both_ways(one: bytes, other: bytes) -> None:
    assert Uri.parse(one).matches(Uri.parse(other))
    assert Uri.parse(other).matches(Uri.parse(one))


@pytest.mark.parametrize(("one", "other"), UNEQUAL + TEL_UNEQUAL)
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
        (b"tel:+1-201;phone-context=x", b"tel:+1201"),
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
        b"sip::pw@h",
        b"tel:",
        b"tel:+",
        b"tel:--",
        b"tel:12x",
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
