"""Sans-IO: messages and keepalives in a stream; the property test cuts it everywhere."""

import pytest

from sipcore.transport.framing import Framing
from tests.kit.sip_messages import request

BODY = b"v=0\r\n\r\nodd"


def message(method: bytes = b"OPTIONS", body: bytes = b"", length: bytes | None = None) -> bytes:
    """A message with a Content-Length that is right, unless another is given."""
    value = b"%d" % len(body) if length is None else length
    return b"%b sip:x SIP/2.0\r\nCall-ID: 1\r\nContent-Length: %b\r\n\r\n%b" % (method, value, body)


def test_one_read_may_hold_many_messages_and_the_beginning_of_one_more() -> None:
    framing = Framing()
    first, second = message(body=BODY), message(b"BYE")
    assert framing.feed(first + second + first[:30]) == [first, second]
    assert framing.pending
    assert framing.feed(first[30:]) == [first]
    assert not framing.pending


def test_a_body_may_look_like_the_end_of_headers_and_like_a_message() -> None:
    inner = message(body=message(b"BYE"))
    assert Framing().feed(inner * 2) == [inner, inner]


@pytest.mark.parametrize(
    "line",
    [b"l: 3", b"L : 3", b"content-LENGTH:3", b"Content-Length: \t3 ", b"Content-Length:\r\n 3", b"l:003"],
)
def test_content_length_is_read_in_all_of_its_forms(line: bytes) -> None:
    data = b"OPTIONS sip:x SIP/2.0\r\n" + line + b"\r\n\r\nabc"
    assert Framing().feed(data + b"BYE ") == [data]


def test_two_line_ends_are_a_ping_one_is_nothing() -> None:
    framing = Framing()
    assert framing.feed(b"\r\n\r\n") == []
    assert framing.pings == 1
    assert framing.feed(b"\r\n" + message() + b"\r\n") == [message()]
    assert framing.pings == 1
    assert framing.feed(b"\r\n" + message() + b"\r\n\r\n\r\n\r\n\r") == [message()]
    assert framing.pings == 4
    assert not framing.pending
    assert framing.error is None


@pytest.mark.parametrize(
    ("data", "reason", "answerable"),
    [
        (b"\x16\x03\x01", "does not begin with byte 0x16", False),
        (b" x", "does not begin", False),
        (b"\rX", "does not begin", False),
        (b"OPTIONS sip:x SIP/2.0\r\nTo: x\r\n\r\n", "is missing", False),
        (message(length=b"3\r\nl: 4"), "with two values", False),
        (message(length=b"-999"), "no length", True),
        (message(length=b""), "no length", True),
        (message(length=b"1 1"), "no length", True),
        (message(length=b"99999999999"), "no length", True),
        (message(length=b"9999"), "the limit is 2000", True),
        (b"X" * 1004, "headers over 1000 bytes", False),
        (b"X" * 1001 + b"\r\n\r\n", "headers over 1000 bytes", False),
    ],
)
def test_what_is_no_sip_or_too_big_ends_the_stream_after_the_good_messages(
    data: bytes, reason: str, answerable: bool
) -> None:
    framing = Framing(max_message=2000, max_header=1000)
    assert framing.feed(message() + data) == [message()]
    assert framing.error is not None
    assert reason in str(framing.error)
    assert bool(framing.error.head) is answerable
    assert framing.feed(message()) == []
    assert not framing.pending


def test_a_message_at_the_limit_passes() -> None:
    body = b"x" * (65535 - len(message(length=b"65000")))
    data = message(body=body)
    assert len(data) == 65535
    framing = Framing()
    assert [whole for at in range(0, 65535, 1000) for whole in framing.feed(data[at : at + 1000])] == [data]


def test_a_usual_request_is_cut_as_it_is() -> None:
    data = request()
    assert Framing().feed(data) == [data]
