"""Sans-IO: bytes to Request or Response (RFC 3261 sections 7, 25): name the lines, check the vital ones.

Deviations: empty parameters (`;;`) pass in all headers. A request that cannot be answered (no readable start
line, no Via) leaves nothing for a 400.
"""

from contextlib import suppress

from sipcore.errors import ParseError
from sipcore.message.fields import MAX_PORT, NameAddr, Via
from sipcore.message.grammar import (
    ABSOLUTE_URI,
    ADDRESS_LINE,
    CALL_ID_LINE,
    CSEQ_LINE,
    EMPTY_VALUE,
    IS_SIP_REQUEST_URI,
    REQUEST_LINE,
    SIP_VERSION,
    STATUS_LINE,
    TOKEN,
    VIA_LINE,
)
from sipcore.message.headers import line_value, long_name
from sipcore.message.limits import LIMITS, over
from sipcore.message.message import NO_VIA, Message, Request, Response
from sipcore.message.params import split_values

MAX_CSEQ = 2**32 - 1  # section 8.1.1.5
MAX_CONTENT_LENGTH = 2**32 - 1
MAX_MAX_FORWARDS = 255

SINGLE = {
    b"from": "From", b"to": "To", b"call-id": "Call-ID", b"cseq": "CSeq",
    b"max-forwards": "Max-Forwards", b"content-length": "Content-Length",
}  # fmt: skip
_MANDATORY = {b"via": "Via", b"from": "From", b"to": "To", b"call-id": "Call-ID", b"cseq": "CSeq"}


def parse_carefully(data: bytes) -> Request | Response:
    """Parse one datagram, whatever it looks like. Raises ParseError and nothing else."""
    if data[:1] in b"\r\n":
        data = data.lstrip(b"\r\n")  # section 7.5
    head, complete, body = data.partition(b"\r\n\r\n")
    if not complete:
        head = head.rstrip(b"\r\n")
    lines = head.split(b"\r\n", LIMITS.header_lines + 1)
    is_cut = len(lines) > LIMITS.header_lines + 1
    defect = _defect(head, lines, complete=bool(complete) or is_cut)
    del lines[LIMITS.header_lines + 1 :]
    lines = _unfolded(lines)
    names = [long_name(line.partition(b":")[0]) if b":" in line else b"" for line in lines[1:]]
    # backwards, so that the first line of a name is the one that stays
    first_lines = dict(zip(reversed(names), lines[:0:-1], strict=True))
    message = _start(lines, first_lines, body)
    failed = exceeded(message, len(data), len(head), is_cut=is_cut)
    if failed:
        refused = over(failed)
        raise _error(message, refused.reason, status=refused.status)
    if b"" in first_lines:
        defect = "Bad header line"
    if not defect and len(first_lines) != len(names):
        defect = next((f"Multiple {title}" for name, title in SINGLE.items() if names.count(name) > 1), "")
    if defect:
        raise _error(message, defect)
    _read_vital(message)
    return message


def _defect(head: bytes, lines: list[bytes], *, complete: bool) -> str:
    if len(head.splitlines()) != len(lines) and len(lines) <= LIMITS.header_lines + 1:
        return "CR or LF alone in a header"
    return "" if complete else "No empty line after the headers"


def _unfolded(lines: list[bytes]) -> list[bytes]:
    """Join each continuation to its header; the line breaks stay in it, so that it leaves as it came."""
    joined: list[list[bytes]] = []
    for line in lines:
        if line[:1] in (b" ", b"\t") and len(joined) > 1:
            joined[-1].append(line)
        else:
            joined.append([line])
    return [b"\r\n".join(parts) for parts in joined]


def exceeded(message: Request | Response, size: int, head_size: int, *, is_cut: bool = False) -> str:
    """The limit that a message is over; empty: it is within all of them."""
    limits = LIMITS
    found = {
        "message_bytes": size > limits.message_bytes,
        "header_bytes": head_size > limits.header_bytes,
        "header_lines": is_cut,
        "vias": _count(message, b"via") > limits.vias,
        "record_routes": _count(message, b"record-route") > limits.record_routes,
        "uri_bytes": isinstance(message, Request) and len(message.uri) > limits.uri_bytes,
    }
    return next((name for name, is_over in found.items() if is_over), "")


def _count(message: Message, name: bytes) -> int:
    """At most so many values a header has; commas in quotes are counted with the others."""
    if name not in message.first_lines:
        return 0
    if len(message.first_lines) == len(message.head) - 1:
        return message.first_lines[name].count(b",") + 1
    pairs = zip(message.head, message.names, strict=True)
    return sum(line.count(b",") + 1 for line, known in pairs if known == name)


def _start(lines: list[bytes], first_lines: dict[bytes, bytes], body: bytes) -> Request | Response:
    start = lines[0]
    found = REQUEST_LINE.match(start)
    if found is not None:
        request = Request(lines, first_lines, body)
        request.method, request.uri = found.groups()
        request.top_via = NO_VIA
        return request
    found = STATUS_LINE.match(start)
    if found is not None:
        response = Response(lines, first_lines, body)
        status, response.reason = found.groups()
        response.status = int(status)
        return response
    if start[:4].upper() == b"SIP/":
        return _status_line(start, Response(lines, first_lines, body))
    return _unusual_request_line(start, Request(lines, first_lines, body))


def _unusual_request_line(start: bytes, request: Request) -> Request:
    request.top_via = NO_VIA
    parts = start.split(b" ", 4)
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
    first_lines = message.first_lines
    try:
        _read_via(message, first_lines[b"via"])
        message.from_tag = read_tag(first_lines[b"from"], "From")
        message.to_tag = read_tag(first_lines[b"to"], "To")
        message.call_id = read_call_id(first_lines[b"call-id"])
        message.cseq, method = read_cseq(first_lines[b"cseq"])
        if method != message.method:
            _take_method(message, method)
        if b"max-forwards" in first_lines:
            message.max_forwards = read_max_forwards(first_lines[b"max-forwards"])
        if b"content-length" in first_lines:
            _cut_body(message, read_length(first_lines[b"content-length"]))
    except KeyError as missing:
        raise _error(message, f"Missing {_MANDATORY[missing.args[0]]}") from None
    except ParseError as error:
        raise _error(message, error.reason) from None


def _read_via(message: Request | Response, line: bytes) -> None:
    found = VIA_LINE.match(line)
    if found is None:
        _read_unusual_via(message, line_value(line))
    elif isinstance(message, Request):
        via = message.top_via = Via.usual(found)
        message.branch = via.params.get(b"branch") or b""
    else:
        _, _, digits, branch, rest = found.groups()
        message.via = found
        if rest or branch is None or (digits and int(digits) > MAX_PORT):
            branch = message.top_via.branch
        message.branch = branch


def _read_unusual_via(message: Request | Response, value: bytes) -> None:
    if b"," in value:
        if b'"' not in value and EMPTY_VALUE.search(value):
            raise ParseError("Bad Via")
        value = split_values(value)[0]
    via = Via.parse(value)
    message.branch = via.branch
    if isinstance(message, Request):
        message.top_via = via
    else:
        message.via = via


def read_call_id(line: bytes) -> bytes:
    """The value of a Call-ID line."""
    found = CALL_ID_LINE.match(line)
    value = found[1] if found is not None else line_value(line)
    if not value or len(value.split()) > 1:
        raise ParseError("Bad Call-ID")
    return value


def read_tag(line: bytes, title: str = "address") -> bytes:
    """The tag in a From or To line; empty when there is none."""
    found = ADDRESS_LINE.match(line)
    if found is not None:
        return found[1] or b""
    try:
        return NameAddr.parse(line_value(line)).tag
    except ParseError:
        raise ParseError(f"Bad {title}") from None


def read_cseq(line: bytes) -> tuple[int, bytes]:
    """Number and method of a CSeq line."""
    found = CSEQ_LINE.match(line)
    digits, method, *_ = found.groups() if found is not None else (*line_value(line).split(None, 1), b"", b"")
    if found is None and (not TOKEN.match(method) or not digits.isdigit() or len(digits) > 10):
        raise ParseError("Bad CSeq")
    number = int(digits)
    if number > MAX_CSEQ:
        raise ParseError("Bad CSeq")
    return number, method


def _take_method(message: Request | Response, method: bytes) -> None:
    if message.is_request:
        raise ParseError("CSeq method does not match the request line")
    message.method = method


def _cut_body(message: Message, length: int) -> None:
    """Section 18.3: over UDP what follows the body is discarded, a body that is cut short is refused."""
    if length > len(message.body):
        raise ParseError("Content-Length is larger than the body")
    message.body = message.body[:length]


def read_max_forwards(line: bytes) -> int:
    """The number in a Max-Forwards line."""
    return _number(line, MAX_MAX_FORWARDS, "Max-Forwards")


def read_length(line: bytes) -> int:
    """The number in a Content-Length line."""
    return _number(line, MAX_CONTENT_LENGTH, "Content-Length")


def _number(line: bytes, limit: int, title: str) -> int:
    digits = line_value(line)
    if not digits.isdigit() or len(digits) > 10 or (number := int(digits)) > limit:
        raise ParseError(f"Bad {title}")
    return number


def _error(message: Request | Response, reason: str, *, status: int = 400) -> ParseError:
    """With the request if it can be answered (section 8.2.6.2): it has a Via and is no ACK."""
    first_lines = message.first_lines
    if not isinstance(message, Request) or message.method == b"ACK" or b"via" not in first_lines:
        return ParseError(reason, status=status)
    if message.top_via is NO_VIA:
        message.top_via = Via(b"", b"", None)
        with suppress(ParseError):
            _read_via(message, first_lines[b"via"])
    if not message.to_tag and b"to" in first_lines:  # a response must not add a second one
        with suppress(ParseError):
            message.to_tag = read_tag(first_lines[b"to"], "To")
    return ParseError(reason, status=status, partial=message)
