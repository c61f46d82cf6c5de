"""Sans-IO: whatever the bytes are: a message that leaves as it came, or one named error."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sipcore.errors import ParseError
from sipcore.message import Edit, NameAddr, Request, Response, Uri, Via, build_response, parse
from sipcore.message.parser import parse_carefully
from sipcore.transport.layer import Hop, may_answer, receive_fixup, response_hop
from tests.kit.sip_messages import INVITE_880, OK_760, request

CONFORMANCE = Path(__file__).parents[1] / "conformance"
FILES = [
    path for rfc in ("rfc4475", "rfc5118", "rfc3665") for path in (CONFORMANCE / rfc / "data").rglob("*.*")
]
CORPUS = [INVITE_880, OK_760, request(), *(path.read_bytes() for path in sorted(FILES))]
SPICE = st.sampled_from(
    [
        *(bytes((code,)) for code in b'\r\n \t;,:"\\<>=@[%*\0\xff'),
        *(b"\r\n", b"\r\n\r\n", b"Via: ", b"v:", b"l: 5\r\n", b"To: <sip:x@y>\r\n", b"SIP/2.0"),
        *(b"-1", b"99999999999", b";tag="),
    ]
)
NAMES = (b"via", b"contact", b"route", b"record-route", b"from", b"expires", b"no-such")


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A message of the corpus with a few bytes cut, put in or doubled."""
    data = draw(st.sampled_from(CORPUS))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 12)))
        middle = draw(st.one_of(SPICE, st.binary(max_size=4), st.just(data[at:end] * 2)))
        data = data[:at] + middle + data[end:]
    return data


def exercise(data: bytes) -> None:
    """Parse, read all that can be read, edit, answer: ParseError is the only thing that may come out."""
    source = Hop("10.0.0.1", 5060)
    try:
        message = parse(data)
    except ParseError as error:
        refused = error
    else:
        read(message, data, source)
        return
    assert refused.reason
    assert refused.status in {400, 505, 513}
    request = refused.partial
    assert request is None or isinstance(request, Request)
    if request is not None:
        if receive_fixup(request, source) is not None:
            request.put_top_via(request.top_via)
        assert build_response(request, refused.status, to_tag=b"t").startswith(b"SIP/2.0 ")


def said(read_message: Callable[[bytes], Request | Response], data: bytes) -> tuple[object, ...]:
    """All that a parser says about a message."""
    try:
        message = read_message(data)
    except ParseError as error:
        return error.reason, error.status
    vital = message.method, message.branch, message.call_id, message.cseq, message.from_tag, message.to_tag
    more = message.max_forwards, message.body, message.raw, message.names, message.first_lines
    return *vital, *more, message.top_via


def read(message: Request | Response, data: bytes, source: Hop) -> None:
    assert Edit(message).build() == message.raw
    assert message.raw in data
    again = parse(message.raw)
    assert (again.raw, again.top_via, again.cseq) == (message.raw, message.top_via, message.cseq)
    may_answer(response_hop(message.top_via, 0))
    for name in NAMES:
        assert len(message.values(name)) >= len(message.lines(name))
    edit = Edit(message)
    edit.remove_first_value(b"Via")
    edit.insert_first(b"Via", b"SIP/2.0/UDP h;branch=z9hG4bK1")
    edit.replace(b"Max-Forwards", b"9")
    assert parse(edit.build()).max_forwards in {9, None}
    if isinstance(message, Request):
        answer = parse(build_response(message, 200, to_tag=b"t"))
        assert (answer.call_id, answer.cseq, answer.method) == (message.call_id, message.cseq, message.method)
        assert answer.to_tag == (message.to_tag or b"t")
        if receive_fixup(message, source) is not None:
            message.put_top_via(message.top_via)
            assert parse(message.raw).top_via == message.top_via


@settings(max_examples=600, deadline=None)
@given(mutated())
def test_a_damaged_message_is_read_or_refused_and_never_more(data: bytes) -> None:
    with suppress(ParseError):  # more values in a line than allowed is found on reading
        exercise(data)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
@example(b"")
@example(b"\r\n\r\n")
@example(b"SIP/2.0")
@example(b": \r\n\r\n")
def test_noise_is_refused_and_never_more(data: bytes) -> None:
    exercise(data)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(SPICE, st.binary(max_size=3), st.sampled_from([b"sip:", b"a", b"h.test", b":5060"])),
        max_size=14,
    )
)
def test_values_out_of_any_bytes_are_read_or_refused_and_written_back(parts: list[bytes]) -> None:
    text = b"".join(parts)
    for kind in (NameAddr, Via, Uri):
        try:
            value = kind.parse(text)
        except ParseError:
            continue
        if isinstance(value, Uri):
            value.aor()
            assert value.matches(value)
        if not isinstance(value, Uri) or value.scheme in (b"sip", b"sips", b"tel"):
            assert kind.parse(bytes(value)) == value


@given(st.one_of(mutated(), st.sampled_from(CORPUS)))
@example(CORPUS[0].replace(b"Max-Forwards: 70", b"Max-Forwards"))
def test_the_quick_parser_and_the_careful_one_say_the_same(data: bytes) -> None:
    assert said(parse, data) == said(parse_carefully, data)
