"""Sans-IO: the usual message in one pass; `parser` reads what is unusual, and says what is wrong with it."""

import re

from sipcore.errors import ParseError
from sipcore.message.fields import MAX_PORT, Via
from sipcore.message.grammar import REQUEST_LINE, STATUS_LINE, VIA_LINE
from sipcore.message.headers import known
from sipcore.message.limits import LIMITS
from sipcore.message.message import Request, Response
from sipcore.message.parser import (
    SINGLE,
    exceeded,
    parse_carefully,
    read_call_id,
    read_cseq,
    read_length,
    read_max_forwards,
    read_tag,
)
from sipcore.message.seen import Seen

_MAX_VIA_PARAMS = 16


class _Unusual(Exception):
    """This message is one for the careful parser."""


def _port(digits: bytes) -> int:
    if int(digits) > MAX_PORT:
        raise _Unusual
    return int(digits)


_tags = Seen(read_tag)
_call_ids = Seen(read_call_id)
_cseqs = Seen(read_cseq)
_max_forwards = Seen(read_max_forwards)
_lengths = Seen(read_length)
_ports = Seen(_port)


def parse(data: bytes) -> Request | Response:
    """Parse one datagram. Raises ParseError and nothing else, whatever the bytes are."""
    try:
        return _parse_usual(data)
    # a header is missing, or its name was not seen yet; a line without a colon; what is not in its usual form
    except (KeyError, ValueError, ParseError, _Unusual):
        return parse_carefully(data)


def _parse_usual(data: bytes) -> Request | Response:
    head, complete, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n", LIMITS.header_lines + 1)
    text = b"".join(lines)
    if not complete or b"\r" in text or b"\n" in text:
        raise _Unusual
    # backwards, so that the first line of a name is the one that stays
    first_lines = {known[line[: line.index(b":")]]: line for line in lines[:0:-1]}
    if len(first_lines) != len(lines) - 1:
        _check_repeated(head, lines, first_lines)
    if b"content-length" in first_lines:
        length = _lengths[first_lines[b"content-length"]]
        if length != len(body):
            body = _cut(body, length)
    is_response = lines[0].startswith(b"SIP/2.0 ")
    message = Response(lines, first_lines, body) if is_response else Request(lines, first_lines, body)
    message.from_tag = _tags[first_lines[b"from"]]
    message.to_tag = _tags[first_lines[b"to"]]
    message.call_id = _call_ids[first_lines[b"call-id"]]
    message.cseq, message.method = _cseqs[first_lines[b"cseq"]]
    if b"max-forwards" in first_lines:
        message.max_forwards = _max_forwards[first_lines[b"max-forwards"]]
    via = VIA_LINE.match(first_lines[b"via"])
    if isinstance(message, Request):
        _read_request(message, REQUEST_LINE.match(lines[0]), via)
    else:
        _read_response(message, STATUS_LINE.match(lines[0]), via)
    is_small = len(head) <= LIMITS.harmless and len(data) <= LIMITS.message_bytes
    if not is_small and exceeded(message, len(data), len(head)):
        raise _Unusual
    return message


def _read_request(request: Request, start: re.Match[bytes] | None, via: re.Match[bytes] | None) -> None:
    if start is None or via is None:
        raise _Unusual
    method, request.uri = start.groups()
    if method != request.method:
        raise _Unusual
    transport, host, digits, branch, rest = via.groups()
    if rest == b";rport" and branch is not None:  # as most phones write it
        port = None if digits is None else _ports[digits]
        request.top_via = Via(transport, host, port, {b"branch": branch, b"rport": None})
        request.branch = branch
    elif rest.count(b";") > _MAX_VIA_PARAMS:
        raise _Unusual
    else:
        request.top_via = top_via = Via.usual(via)
        request.branch = top_via.branch


def _read_response(response: Response, start: re.Match[bytes] | None, via: re.Match[bytes] | None) -> None:
    if start is None or via is None:
        raise _Unusual
    status, response.reason = start.groups()
    response.status = int(status)
    _, _, digits, branch, rest = via.groups()
    if rest or branch is None or (digits is not None and int(digits) > MAX_PORT):
        raise _Unusual
    response.via = via
    response.branch = branch


def _cut(body: bytes, length: int) -> bytes:
    """Section 18.3: over UDP what follows the body is discarded."""
    if length > len(body):
        raise _Unusual
    return body[:length]


def _check_repeated(head: bytes, lines: list[bytes], first_lines: dict[bytes, bytes]) -> None:
    """Some names are there twice: most often Via and Record-Route alone; six must not be."""
    more = len(lines) - 1 - len(first_lines)
    more -= (head.count(b"\r\nVia: ") or 1) + (head.count(b"\r\nRecord-Route: ") or 1) - 2
    if more:
        names = [known[line.partition(b":")[0]] for line in lines[1:]]
        if any(names.count(name) > 1 for name in SINGLE):
            raise _Unusual
