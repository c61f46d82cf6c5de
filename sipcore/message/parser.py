"""Sans-IO: bytes to Request or Response (RFC 3261 sections 7, 25): index the lines, check the vital ones."""

import re

from sipcore.errors import ParseError
from sipcore.message.message import COMPACT, MAX_CSEQ, Index, Message, Request, Response
from sipcore.message.status import REASON

MAX_BYTES = 65535
MAX_HEADERS = 256
MAX_CONTENT_LENGTH = 2**31

_TOKEN = re.compile(rb"[A-Za-z0-9.!%*_+`'~-]+\Z")
_VERSION = re.compile(rb"SIP/\d+\.\d+\Z", re.IGNORECASE)
_URI = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>]+\Z")
_MANDATORY = (b"via", b"from", b"to", b"call-id", b"cseq")
_SINGLE = (b"from", b"to", b"call-id", b"cseq", b"max-forwards", b"content-length")

_names: dict[bytes, bytes] = {}  # spelling seen on the wire -> long lower-case name; bounded
_MAX_NAMES = 1024


def parse(data: bytes) -> Request | Response:
    """Parse one datagram.  Raises ParseError and nothing else, whatever the bytes are."""
    if len(data) > MAX_BYTES:
        raise ParseError(f"Message over {MAX_BYTES} bytes", status=513)
    if data[:1] in b"\r\n":
        data = data.lstrip(b"\r\n")  # section 7.5
    end = data.find(b"\r\n\r\n")
    head, body = (data.rstrip(b"\r\n"), b"") if end < 0 else (data[:end], data[end + 4 :])
    lines = head.split(b"\r\n")
    if b"\r\n " in head or b"\r\n\t" in head:
        lines = _unfold(lines)
    if len(lines) > MAX_HEADERS:
        raise ParseError(f"More than {MAX_HEADERS} header lines")
    bad: str | None = None
    index: Index = {}
    known = _names
    for number in range(1, len(lines)):
        spelling, colon, _ = lines[number].partition(b":")
        name = known.get(spelling) or long_name(spelling)
        if not colon or not name:
            bad = bad or "Bad header line"
            continue
        if name in index:
            index[name].append(number)
        else:
            index[name] = [number]
    message = _start_line(data, lines, index, body)
    reason = bad or _defect(message, complete=end >= 0)
    if reason is not None:
        raise _error(message, reason)
    return message


def long_name(spelling: bytes) -> bytes:
    """The long form in lower case of a header name as it was spelled; empty when it is no token."""
    found = _names.get(spelling)
    if found is not None:
        return found
    name = spelling.rstrip(b" \t").lower()
    if not _TOKEN.match(name):
        return b""
    name = COMPACT.get(name, name)
    if len(_names) < _MAX_NAMES:
        _names[spelling] = name
    return name


def _unfold(lines: list[bytes]) -> list[bytes]:
    """Join each continuation to its header; the line breaks stay in it, so that it leaves as it came."""
    joined: list[bytes] = []
    for line in lines:
        if line[:1] in (b" ", b"\t") and len(joined) > 1:
            joined[-1] += b"\r\n" + line
        else:
            joined.append(line)
    return joined


def _start_line(data: bytes, lines: list[bytes], index: Index, body: bytes) -> Request | Response:
    start = lines[0]
    if start[:4].upper() == b"SIP/":
        return _status_line(start, Response(data, lines, index, body))
    request = Request(data, lines, index, body)
    parts = start.split(b" ")
    version = parts[-1]
    if len(parts) < 3 or not _TOKEN.match(parts[0]) or not _VERSION.match(version):
        raise ParseError("Bad request line")
    request.method = parts[0]
    request.uri = parts[1]
    if version.upper() != b"SIP/2.0":
        raise ParseError("SIP version is not 2.0", status=505, partial=_answerable(request))
    if len(parts) != 3 or not _URI.match(parts[1]):
        raise ParseError("Bad Request-URI", partial=_answerable(request))
    return request


def _status_line(start: bytes, response: Response) -> Response:
    version, _, rest = start.partition(b" ")
    status, _, response.reason = rest.partition(b" ")
    if (
        version.upper() != b"SIP/2.0"
        or len(status) != 3
        or not status.isdigit()
        or not 100 <= int(status) <= 699
    ):
        raise ParseError("Bad status line")
    response.status = int(status)
    return response


def _defect(message: Request | Response, *, complete: bool) -> str | None:
    """What is wrong with the headers that every message has; also reads Call-ID, CSeq and Content-Length."""
    index = message.index
    for name in _MANDATORY:
        if name not in index:
            return f"Missing {name.decode().title()}"
    for name in _SINGLE:
        if len(index.get(name, ())) > 1:
            return f"Multiple {name.decode().title()}"
    try:
        message.top_via  # noqa: B018 - parsed here so that it cannot fail later
        reason = _read_cseq(message) or _check_addresses(message)
        length = message.number(b"content-length", limit=MAX_CONTENT_LENGTH)
        if message.is_request:
            message.number(b"max-forwards", limit=255)
    except ParseError as error:
        return error.reason
    if reason is not None:
        return reason
    if length is not None:
        if length > len(message.body):
            return "Content-Length is larger than the body"
        message.body = message.body[:length]
    return None if complete else "No empty line after the headers"


def _read_cseq(message: Message) -> str | None:
    number, _, method = (message.first(b"cseq") or b"").partition(b" ")
    method = method.strip()
    if not number.isdigit() or len(number) > 10 or int(number) > MAX_CSEQ or not _TOKEN.match(method):
        return "Bad CSeq"
    if message.is_request and method != message.method:
        return "CSeq method does not match the request line"
    message.method = method
    message.cseq = int(number)
    message.call_id = message.first(b"call-id") or b""
    return None if message.call_id else "Bad Call-Id"


def _check_addresses(message: Message) -> str | None:
    for name in (b"from", b"to"):
        value = message.first(name) or b""
        if b":" not in value or value.count(b"<") != value.count(b">") or _unbalanced(value):
            return f"Bad {name.decode().title()}"
    message.from_tag, message.to_tag  # noqa: B018 - read now: a bad one is found here
    return None


def _unbalanced(value: bytes) -> bool:
    return b'"' in value and len(re.findall(rb'(?<!\\)"', value)) % 2 == 1


def _error(message: Request | Response, reason: str) -> ParseError:
    return ParseError(reason, partial=_answerable(message) if isinstance(message, Request) else None)


def _answerable(request: Request) -> Request | None:
    """The request, if it has what a response copies (section 8.2.6.2), each once, and is no ACK."""
    index = request.index
    if request.method == b"ACK" or any(name not in index for name in _MANDATORY):
        return None
    try:
        request.top_via  # noqa: B018 - the way back must be readable
    except ParseError:
        return None
    return request


def reason_phrase(status: int) -> bytes:
    """The phrase of a status code."""
    return REASON.get(status, b"Unknown")
