"""Sans-IO: bytes to Request or Response (RFC 3261 sections 7, 25): name the lines, check the vital ones.

Deviations: empty parameters (`;;`) pass in all headers. A request that cannot be answered (no readable start
line, no Via) leaves nothing for a 400.
"""

from contextlib import suppress

from sipcore.errors import ParseError
from sipcore.message.fields import NameAddr, Via
from sipcore.message.grammar import (
    ABSOLUTE_URI,
    EMPTY_VALUE,
    IS_SIP_REQUEST_URI,
    REQUEST_LINE,
    SIP_VERSION,
    TOKEN,
    USUAL_ADDRESS,
)
from sipcore.message.headers import known, line_value, long_name
from sipcore.message.message import NO_VIA, Message, Request, Response
from sipcore.message.params import split_values
from sipcore.message.status import METHODS

MAX_BYTES = 65535
MAX_HEADERS = 256  # lines; a request may have been through 70 hops that wrote Via and Record-Route
MAX_CSEQ = 2**32 - 1  # section 8.1.1.5
MAX_CONTENT_LENGTH = 2**32 - 1
MAX_MAX_FORWARDS = 255

_START = b":"  # in place of a name for the start line
_SINGLE = {
    b"from": "From", b"to": "To", b"call-id": "Call-ID", b"cseq": "CSeq",
    b"max-forwards": "Max-Forwards", b"content-length": "Content-Length",
}  # fmt: skip
_MANDATORY = {b"via": "Via", b"from": "From", b"to": "To", b"call-id": "Call-ID", b"cseq": "CSeq"}
_NUMBERS = range(MAX_HEADERS + 1)


def parse(data: bytes) -> Request | Response:
    """Parse one datagram. Raises ParseError and nothing else, whatever the bytes are."""
    if data[:1] in b"\r\n":
        data = data.lstrip(b"\r\n")  # section 7.5
    if len(data) > MAX_BYTES:
        raise ParseError(f"Message over {MAX_BYTES} bytes", status=513)
    head, complete, body = data.partition(b"\r\n\r\n")
    if not complete:
        head = head.rstrip(b"\r\n")
    lines = head.split(b"\r\n", MAX_HEADERS + 1)
    if len(lines) > MAX_HEADERS + 1:
        raise ParseError(f"More than {MAX_HEADERS} header lines")
    is_odd = len(head.splitlines()) != len(lines)
    find = known.get
    names = [find(line.partition(b":")[0], b"") for line in lines]
    names[0] = _START
    if b"" in names:  # folded, or a name that was not seen yet
        lines = _unfolded(lines)
        names = [_START, *[long_name(line.partition(b":")[0]) if b":" in line else b"" for line in lines[1:]]]
        is_odd = is_odd or b"" in names
    message = _start(lines, names, body)
    if is_odd or not complete:
        raise _error(message, _defect(names, head))
    _read_vital(message)
    return message


def _defect(names: list[bytes], head: bytes) -> str:
    if b"" in names:
        return "Bad header line"
    if len(head.splitlines()) != len(head.split(b"\r\n")):
        return "CR or LF alone in a header"
    return "No empty line after the headers"


def _unfolded(lines: list[bytes]) -> list[bytes]:
    """Join each continuation to its header; the line breaks stay in it, so that it leaves as it came."""
    joined: list[list[bytes]] = []
    for line in lines:
        if line[:1] in (b" ", b"\t") and len(joined) > 1:
            joined[-1].append(line)
        else:
            joined.append([line])
    return [b"\r\n".join(parts) for parts in joined]


def _start(lines: list[bytes], names: list[bytes], body: bytes) -> Request | Response:
    start = lines[0]
    found = REQUEST_LINE.match(start)
    if found is not None:
        request = Request(lines, names, body)
        request.method, request.uri = found.groups()
        return request
    if start[:4].upper() == b"SIP/":
        return _status_line(start, Response(lines, names, body))
    return _unusual_request_line(start, Request(lines, names, body))


def _unusual_request_line(start: bytes, request: Request) -> Request:
    parts = start.split(b" ")
    if len(parts) < 3 or not TOKEN.match(parts[0]):
        raise ParseError("Bad request line")
    request.method, request.uri, version = parts[0], parts[1], parts[-1]
    if len(parts) > 3 or not SIP_VERSION.match(version):
        raise _error(request, "Bad request line")
    if version.upper() != b"SIP/2.0":
        raise _error(request, "SIP version is not 2.0", status=505)
    is_sip = request.uri[:5].lower().startswith((b"sip:", b"sips:"))
    if not (IS_SIP_REQUEST_URI if is_sip else ABSOLUTE_URI).match(request.uri):
        raise _error(request, "Bad Request-URI")
    return request


def _status_line(start: bytes, response: Response) -> Response:
    version, _, rest = start.partition(b" ")
    status, _, response.reason = rest.partition(b" ")
    if version.upper() != b"SIP/2.0":
        raise ParseError("SIP version is not 2.0", status=505)
    if len(status) != 3 or not status.isdigit() or not b"100" <= status <= b"699":
        raise ParseError("Bad status line")
    response.status = int(status)
    return response


def _read_vital(message: Request | Response) -> None:
    """Read the headers that every message has, once; ParseError says which of them is wrong."""
    at = _positions(message)
    head = message.head
    try:
        _read_via(message, line_value(head[at[b"via"]]))
        message.from_tag = _tag(head[at[b"from"]], "From")
        message.to_tag = _tag(head[at[b"to"]], "To")
        message.call_id = _call_id(line_value(head[at[b"call-id"]]))
        _read_cseq(message, line_value(head[at[b"cseq"]]))
        if b"max-forwards" in at:
            value = line_value(head[at[b"max-forwards"]])
            message.max_forwards = _number(value, MAX_MAX_FORWARDS, "Max-Forwards")
        if b"content-length" in at:
            _cut_body(message, line_value(head[at[b"content-length"]]))
    except KeyError as missing:
        raise _error(message, f"Missing {_MANDATORY[missing.args[0]]}") from None
    except ParseError as error:
        raise _error(message, error.reason) from None


def _positions(message: Message) -> dict[bytes, int]:
    names = message.names
    at = dict(zip(names, _NUMBERS, strict=False))
    if len(at) != len(names):
        for name, title in _SINGLE.items():
            if names.count(name) > 1:
                raise _error(message, f"Multiple {title}")
        if b"via" in at:
            at[b"via"] = names.index(b"via")
    return at


def _read_via(message: Message, value: bytes) -> None:
    if b"," in value:
        if b'"' not in value and EMPTY_VALUE.search(value):
            raise ParseError("Bad Via")
        value = split_values(value)[0]
    message.top_via = Via.parse(value)


def _call_id(value: bytes) -> bytes:
    if not value or b" " in value:
        raise ParseError("Bad Call-ID")
    return value


def _tag(line: bytes, title: str) -> bytes:
    value = line_value(line)
    found = USUAL_ADDRESS.match(value)
    if found is not None:
        return found[1] or b""
    try:
        return NameAddr.parse(value).tag
    except ParseError:
        raise ParseError(f"Bad {title}") from None


def _read_cseq(message: Request | Response, value: bytes) -> None:
    digits, _, method = value.partition(b" ")
    if message.is_request is False and method in METHODS:
        message.method = method
    elif method != message.method:  # white space of another kind, or really another method
        digits, method, *_ = (*value.split(None, 1), b"", b"")
        if not TOKEN.match(method):
            raise ParseError("Bad CSeq")
        if message.is_request and method != message.method:
            raise ParseError("CSeq method does not match the request line")
        message.method = method
    message.cseq = _number(digits, MAX_CSEQ, "CSeq")


def _cut_body(message: Message, value: bytes) -> None:
    """Section 18.3: over UDP what follows the body is discarded, a body that is cut short is refused."""
    length = _number(value, MAX_CONTENT_LENGTH, "Content-Length")
    have = len(message.body)
    if length < have:
        message.body = message.body[:length]
    elif length > have:
        raise ParseError("Content-Length is larger than the body")


def _number(digits: bytes, limit: int, title: str) -> int:
    if not digits.isdigit() or len(digits) > 10 or (number := int(digits)) > limit:
        raise ParseError(f"Bad {title}")
    return number


def _error(message: Message, reason: str, *, status: int = 400) -> ParseError:
    """With the request if it can be answered (section 8.2.6.2): it has a Via and is no ACK."""
    names = message.names
    if not isinstance(message, Request) or message.method == b"ACK" or b"via" not in names:
        return ParseError(reason, status=status)
    if message.top_via is NO_VIA:
        message.top_via = Via(b"", b"", None)
        with suppress(ParseError):
            _read_via(message, line_value(message.head[names.index(b"via")]))
    if not message.to_tag and b"to" in names:  # a response must not add a second one
        with suppress(ParseError):
            message.to_tag = _tag(message.head[names.index(b"to")], "To")
    return ParseError(reason, status=status, partial=message)
