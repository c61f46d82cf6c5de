"""Sans-IO: STUN keepalives; the sample answers of RFC 5769 are the oracle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.transport.stun import binding_response

ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")
REQUEST = bytes.fromhex("000100002112a442") + ID


def request(*attributes: bytes) -> bytes:
    body = b"".join(attributes)
    return b"\0\1" + len(body).to_bytes(2, "big") + REQUEST[4:] + body


def test_the_answer_tells_the_address_in_the_form_of_rfc_5769() -> None:
    # sections 2.2 and 2.3: 192.0.2.1 and 2001:db8:1234:5678:11:2233:4455:6677, port 32853
    assert binding_response(REQUEST, "192.0.2.1", 32853) == (
        bytes.fromhex("0101000c2112a442") + ID + bytes.fromhex("002000080001a147e112a643")
    )
    assert binding_response(REQUEST, "2001:db8:1234:5678:11:2233:4455:6677", 32853) == (
        bytes.fromhex("010100182112a442")
        + ID
        + bytes.fromhex("002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9")
    )


def test_what_may_be_ignored_is_ignored() -> None:
    data = request(b"\x80\x22\0\5agent\0\0\0", b"\0\6\0\3abc\0")
    assert (binding_response(data, "192.0.2.1", 1) or b"")[:2] == b"\1\1"


def test_an_attribute_that_we_had_to_understand_is_named_with_420() -> None:
    answer = binding_response(request(b"\0\3\0\4\0\0\0\6"), "192.0.2.1", 1) or b""
    assert answer[:2] == b"\1\x11"
    assert len(answer) == 20 + int.from_bytes(answer[2:4], "big")
    assert b"\0\x09\0\x15\0\0\4\x14Unknown Attribute" in answer
    assert answer.endswith(b"\0\x0a\0\2\0\3\0\0")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        REQUEST[:19],
        REQUEST + b"\0",
        REQUEST + b"\0\0\0\0",
        REQUEST.replace(b"\x21\x12\xa4\x42", b"\0\0\0\0"),
        b"\1\1" + REQUEST[2:],
        b"\0\1\0\2" + REQUEST[4:] + b"\0\0",
        request(b"\x80\x22\0\5abc\0"),
        request(b"\x80\x22\xff\xff"),
    ],
)
def test_what_is_no_binding_request_gets_no_answer(data: bytes) -> None:
    assert binding_response(data, "192.0.2.1", 1) is None


@given(st.binary(max_size=60), st.booleans())
def test_no_bytes_break_it(data: bytes, framed: bool) -> None:
    binding_response(request(data) if framed else data, "192.0.2.1", 1)
