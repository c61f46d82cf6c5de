"""Sans-IO: bytes to Request or Response (RFC 3261 sections 7, 25): name the lines, check the vital ones.

Deviations: empty parameters (`;;`) pass in all headers. A request that cannot be answered (no readable start
line, no Via) leaves nothing for a 400.
"""

from contextlib import suppress
from typing import TypeVar

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
from sipcore.message.headers import known, line_value, long_name
from sipcore.message.limits import LIMITS, over
from sipcore.message.message import NO_VIA, Message, Request, Response
from sipcore.message.params import split_values

MAX_CSEQ = 2**32 - 1  # section 8.1.1.5
MAX_CONTENT_LENGTH = 2**32 - 1
MAX_MAX_FORWARDS = 255

_START = b":"  # in place of a name for the start line
_SINGLE = {
    b"from": "From", b"to": "To", b"call-id": "Call-ID", b"cseq": "CSeq",
    b"max-forwards": "Max-Forwards", b"content-length": "Content-Length",
}  # fmt: skip
_MANDATORY = {b"via": "Via", b"from": "From", b"to": "To", b"call-id": "Call-ID", b"cseq": "CSeq"}
_MAX_FORWARDS = {b"Max-Forwards: %d" % number: number for number in range(MAX_MAX_FORWARDS + 1)}
_CONTENT_LENGTH = {b"Content-Length: %d" % number: number for number in range(2048)}

T = TypeVar("T")
_MAX_SEEN = 4096
_MAX_SEEN_LINE = 256  # bytes
# The messages of a call repeat these lines byte for byte: what they say, by line. Bounded.
_tags: dict[bytes, bytes] = {}
_call_ids: dict[bytes, bytes] = {}
_cseqs: dict[bytes, tuple[int, bytes]] = {}


def parse(data: bytes) -> Request | Response:
    """Parse one datagram. Raises ParseError and nothing else, whatever the bytes are."""
    if data[:1] in b"\r\n":
        data = data.lstrip(b"\r\n")  # section 7.5
    head, complete, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n", LIMITS.header_lines + 1)
    find = known.get
    names = [find(line.partition(b":")[0], b"") for line in lines]
    names[0] = _START
    first_lines = dict(zip(names, lines, strict=True))
    ends = len(lines) - 1
    if b"" in first_lines or not complete or head.count(b"\n") != ends or head.count(b"\r") != ends:
        return _parse_odd(data)  # folded, or a name that was not seen yet, or broken
    message = _start(lines, names, first_lines, body)
    if len(head) > LIMITS.harmless or len(data) > LIMITS.message_bytes:
        _check_limits(message, len(data), len(head), is_cut=len(lines) > LIMITS.header_lines + 1)
    if len(first_lines) != len(names):
        _keep_first(message)
    _read_vital(message)
    return message


def _parse_odd(data: bytes) -> Request | Response:
    """The same, with care for what most messages do not have."""
    head, complete, body = data.partition(b"\r\n\r\n")
    if not complete:
        head = head.rstrip(b"\r\n")
    lines = head.split(b"\r\n", LIMITS.header_lines + 1)
    is_cut = len(lines) > LIMITS.header_lines + 1
    defect = _defect(head, lines, complete=bool(complete) or is_cut)
    del lines[LIMITS.header_lines + 1 :]
    lines = _unfolded(lines)
    names = [_START, *[long_name(line.partition(b":")[0]) if b":" in line else b"" for line in lines[1:]]]
    first_lines = dict(zip(names, lines, strict=True))
    message = _start(lines, names, first_lines, body)
    _check_limits(message, len(data), len(head), is_cut=is_cut)
    if b"" in first_lines:
        defect = "Bad header line"
    if defect:
        raise _error(message, defect)
    if len(first_lines) != len(names):
        _keep_first(message)
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


def _check_limits(message: Request | Response, size: int, head_size: int, *, is_cut: bool) -> None:
    """What is too much gets its own answer, so far as there is a Via to send it to."""
    limits = LIMITS
    failed = ""
    if size > limits.message_bytes:
        failed = "message_bytes"
    elif head_size > limits.header_bytes:
        failed = "header_bytes"
    elif is_cut:
        failed = "header_lines"
    elif _count(message, b"via") > limits.vias:
        failed = "vias"
    elif _count(message, b"record-route") > limits.record_routes:
        failed = "record_routes"
    elif isinstance(message, Request) and len(message.uri) > limits.uri_bytes:
        failed = "uri_bytes"
    if failed:
        refused = over(failed)
        raise _error(message, refused.reason, status=refused.status)


def _count(message: Message, name: bytes) -> int:
    """At most so many values a header has; commas in quotes are counted with the others."""
    lines = message.names.count(name)
    if lines <= 1:
        return message.first_lines[name].count(b",") + 1 if lines else 0
    pairs = zip(message.head, message.names, strict=True)
    return sum(line.count(b",") + 1 for line, known in pairs if known == name)


def _start(
    lines: list[bytes], names: list[bytes], first_lines: dict[bytes, bytes], body: bytes
) -> Request | Response:
    start = lines[0]
    found = REQUEST_LINE.match(start)
    if found is not None:
        request = Request(lines, names, first_lines, body)
        request.method, request.uri = found.groups()
        request.top_via = NO_VIA
        return request
    found = STATUS_LINE.match(start)
    if found is not None:
        response = Response(lines, names, first_lines, body)
        status, response.reason = found.groups()
        response.status = int(status)
        return response
    if start[:4].upper() == b"SIP/":
        return _status_line(start, Response(lines, names, first_lines, body))
    return _unusual_request_line(start, Request(lines, names, first_lines, body))


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


def _keep_first(message: Request | Response) -> None:
    """Some names are there twice: most often Via and Record-Route alone; six must not be."""
    names, head, first_lines = message.names, message.head, message.first_lines
    more = len(names) - len(first_lines)
    for name in (b"via", b"record-route"):
        if more and name in first_lines:
            first_lines[name] = head[names.index(name)]
            more -= names.count(name) - 1
    if not more:
        return
    # backwards, so that the first line of a name is the one that stays
    first_lines.update(zip(reversed(names), reversed(head), strict=True))
    for name, title in _SINGLE.items():
        if names.count(name) > 1:
            raise _error(message, f"Multiple {title}")


def _read_vital(message: Request | Response) -> None:
    """Read the headers that every message has, once; ParseError says which of them is wrong."""
    first_lines = message.first_lines
    try:
        _read_via(message, first_lines[b"via"])
        line = first_lines[b"from"]
        tag = _tags.get(line)
        message.from_tag = _tag(line, "From") if tag is None else tag
        line = first_lines[b"to"]
        tag = _tags.get(line)
        message.to_tag = _tag(line, "To") if tag is None else tag
        line = first_lines[b"call-id"]
        message.call_id = _call_ids.get(line) or _call_id(line)
        line = first_lines[b"cseq"]
        message.cseq, method = _cseqs.get(line) or _cseq(line)
        if method != message.method:
            _take_method(message, method)
        if b"max-forwards" in first_lines:
            _read_max_forwards(message, first_lines[b"max-forwards"])
        if b"content-length" in first_lines:
            _cut_body(message, first_lines[b"content-length"])
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


def _call_id(line: bytes) -> bytes:
    found = CALL_ID_LINE.match(line)
    value = found[1] if found is not None else line_value(line)
    if not value or len(value.split()) > 1:
        raise ParseError("Bad Call-ID")
    return _keep(_call_ids, line, value)


def _tag(line: bytes, title: str) -> bytes:
    found = ADDRESS_LINE.match(line)
    if found is not None:
        return _keep(_tags, line, found[1] or b"")
    try:
        return NameAddr.parse(line_value(line)).tag
    except ParseError:
        raise ParseError(f"Bad {title}") from None


def _cseq(line: bytes) -> tuple[int, bytes]:
    found = CSEQ_LINE.match(line)
    digits, method, *_ = found.groups() if found is not None else (*line_value(line).split(None, 1), b"", b"")
    if found is None and (not TOKEN.match(method) or not digits.isdigit() or len(digits) > 10):
        raise ParseError("Bad CSeq")
    number = int(digits)
    if number > MAX_CSEQ:
        raise ParseError("Bad CSeq")
    return _keep(_cseqs, line, (number, method))


def _take_method(message: Request | Response, method: bytes) -> None:
    if message.is_request:
        raise ParseError("CSeq method does not match the request line")
    message.method = method


def _keep(seen: dict[bytes, T], line: bytes, value: T) -> T:
    if len(line) <= _MAX_SEEN_LINE:
        if len(seen) >= _MAX_SEEN:
            seen.clear()
        seen[line] = value
    return value


def _read_max_forwards(message: Message, line: bytes) -> None:
    number = _MAX_FORWARDS.get(line)
    message.max_forwards = _number(line, MAX_MAX_FORWARDS, "Max-Forwards") if number is None else number


def _cut_body(message: Message, line: bytes) -> None:
    """Section 18.3: over UDP what follows the body is discarded, a body that is cut short is refused."""
    length = _CONTENT_LENGTH.get(line)
    if length is None:
        length = _number(line, MAX_CONTENT_LENGTH, "Content-Length")
    have = len(message.body)
    if length < have:
        message.body = message.body[:length]
    elif length > have:
        raise ParseError("Content-Length is larger than the body")


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
    # the first line of each name, whatever stood in the way of finding that out
    first_lines.update(zip(reversed(message.names), reversed(message.head), strict=True))
    if message.top_via is NO_VIA:
        message.top_via = Via(b"", b"", None)
        with suppress(ParseError):
            _read_via(message, first_lines[b"via"])
    if not message.to_tag and b"to" in first_lines:  # a response must not add a second one
        with suppress(ParseError):
            message.to_tag = _tag(first_lines[b"to"], "To")
    return ParseError(reason, status=status, partial=message)
