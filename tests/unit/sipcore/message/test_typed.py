"""Sans-IO: typed header values: read as their RFCs say, written so that they are read alike again."""

from collections.abc import Callable

import pytest

from sipcore.errors import ParseError
from sipcore.message.fields import NameAddr
from sipcore.message.message import Message
from sipcore.message.typed import (
    RAck,
    SessionExpires,
    TokenValue,
    asserted_identities,
    contacts,
    diversions,
    event,
    history,
    min_se,
    q_of,
    rack,
    reasons,
    session_expires,
)
from tests.kit.sip_messages import parsed_request, request


def having(*headers: tuple[bytes, bytes]) -> Message:
    return parsed_request(request(headers=headers))


def test_what_is_not_there_is_none_or_empty() -> None:
    bare = having()
    assert (event(bare), session_expires(bare), min_se(bare), rack(bare)) == (None, None, None, None)
    assert (contacts(bare), diversions(bare), history(bare), reasons(bare)) == ([], [], [], [])
    assert asserted_identities(bare) == []


def test_event_session_timer_and_rack_are_read_by_long_and_compact_name() -> None:
    message = having(
        (b"o", b"presence ;id=7"),
        (b"x", b"1800;Refresher=UAS"),
        (b"Min-SE", b"90"),
        (b"RAck", b"7  1 INVITE"),
    )
    found, timer, least = event(message), session_expires(message), min_se(message)
    assert found is not None
    assert (found.token, found.id) == (b"presence", b"7")
    assert timer is not None
    assert (timer.seconds, timer.refresher) == (1800, b"uas")
    assert least is not None
    assert least.seconds == 90
    assert rack(message) == RAck(7, 1, b"INVITE")


def test_reasons_of_two_protocols_stand_in_one_line() -> None:
    message = having((b"Reason", b'Q.850;cause=16;text="a, \\"b\\"", SIP ;cause=200'))
    assert [(reason.token, reason.cause, reason.text) for reason in reasons(message)] == [
        (b"Q.850", 16, b'a, "b"'),
        (b"SIP", 200, b""),
    ]


def test_contacts_have_their_q_and_a_star_is_none() -> None:
    found = contacts(having((b"m", b"<sip:a@h>;q=0.5, <sip:b@h>"), (b"Contact", b"<sip:c@h>;q=1.000")))
    assert found is not None
    assert [q_of(contact) for contact in found] == [500, 1000, 1000]
    assert contacts(having((b"Contact", b"*"))) is None


def test_diversion_history_and_identity_are_addresses() -> None:
    message = having(
        (b"Diversion", b"<sip:a@h>;reason=user-busy;counter=1"),
        (b"History-Info", b"<sip:a@h?Reason=SIP%3Bcause%3D302>;index=1, <sip:b@h>;index=1.1;mp=1"),
        (b"P-Asserted-Identity", b'"A" <sip:a@h>, <tel:+4930>'),
    )
    assert diversions(message)[0].params == {b"reason": b"user-busy", b"counter": b"1"}
    assert [entry.params[b"index"] for entry in history(message)] == [b"1", b"1.1"]
    assert [identity.uri for identity in asserted_identities(message)] == [b"sip:a@h", b"tel:+4930"]


@pytest.mark.parametrize(
    ("read", "header"),
    [
        (event, (b"Event", b"")),
        (event, (b"Event", b"a b")),
        (session_expires, (b"Session-Expires", b"-1")),
        (session_expires, (b"Session-Expires", b"99999999999")),
        (min_se, (b"Min-SE", b"4294967296")),
        (rack, (b"RAck", b"1 INVITE")),
        (rack, (b"RAck", b"1 2 INVITE x")),
        (reasons, (b"Reason", b";cause=1")),
        (contacts, (b"Contact", b"<sip:a@h>, *")),
        (history, (b"History-Info", b"<sip:a@h>")),
        (history, (b"History-Info", b"<sip:a@h>;index=1.")),
        (asserted_identities, (b"P-Asserted-Identity", b"<sip:a@h>, <sip:b@h>")),
        (asserted_identities, (b"P-Asserted-Identity", b"<http://h>")),
    ],
)
def test_what_is_no_such_value_is_an_error(
    read: Callable[[Message], object], header: tuple[bytes, bytes]
) -> None:
    with pytest.raises(ParseError):
        read(having(header))


@pytest.mark.parametrize("q", [b"2", b"0.1234", b"-1", b"nan", b""])
def test_a_q_has_three_digits_and_is_at_most_one(q: bytes) -> None:
    (contact,) = contacts(having((b"Contact", b"<sip:a@h>;q=" + q))) or [NameAddr(b"", b"")]
    with pytest.raises(ParseError):
        q_of(contact)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (TokenValue, b"presence ; id = 7;x"),
        (TokenValue, b'SIP;text="a;b"'),
        (SessionExpires, b"0090 ; refresher=uac"),
        (RAck, b"1\t2   INVITE"),
    ],
)
def test_what_is_written_is_read_alike(
    kind: type[TokenValue] | type[SessionExpires] | type[RAck], value: bytes
) -> None:
    first = kind.parse(value)
    assert kind.parse(bytes(first)) == first
    assert bytes(kind.parse(bytes(first))) == bytes(first)
