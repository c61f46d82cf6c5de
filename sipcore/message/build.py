"""Sans-IO: new messages: responses (RFC 3261 section 8.2.6), ACK (17.1.1.3), CANCEL (9.1)."""

from collections.abc import Iterable, Sequence

from sipcore.message.message import Message, Request, Response
from sipcore.message.status import reason_phrase

Headers = Iterable[tuple[bytes, bytes]]

_COPIED = (b"from", b"to", b"call-id", b"cseq")


def build_response(
    request: Request,
    status: int,
    reason: bytes = b"",
    *,
    to_tag: bytes = b"",
    headers: Headers = (),
    body: bytes = b"",
) -> bytes:
    """A response; Via, From, To, Call-ID, CSeq are copied, `to_tag` is added when the request has none.

    Of a request that was refused by the parser it copies what is there.
    """
    first_lines = request.first_lines
    out = [b"SIP/2.0 %d %b" % (status, reason or reason_phrase(status)), *_lines(request, b"via")]
    for name in _COPIED:
        line = first_lines.get(name)
        if line is not None:
            if name == b"to" and to_tag and not request.to_tag:
                line += b";tag=" + to_tag
            out.append(line)
    if status == 100 and b"timestamp" in first_lines:
        out.append(first_lines[b"timestamp"])
    out += [name + b": " + value for name, value in headers]
    out += (b"Content-Length: %d" % len(body), b"", body)
    return b"\r\n".join(out)


def build_request(
    method: bytes, uri: bytes, *, headers: Sequence[tuple[bytes, bytes]], body: bytes = b""
) -> bytes:
    """A request with these headers, in this order, and Content-Length."""
    out = [method + b" " + uri + b" SIP/2.0", *(name + b": " + value for name, value in headers)]
    out += (b"Content-Length: %d" % len(body), b"", body)
    return b"\r\n".join(out)


def build_ack(invite: Request, response: Response) -> bytes:
    """The ACK of a final response other than 2xx: To is the response's, the rest is the INVITE's."""
    return _same_hop(invite, b"ACK", _line(response, b"to"))


def build_cancel(invite: Request) -> bytes:
    """The CANCEL of an INVITE that was sent: same top Via, same everything that matching looks at."""
    return _same_hop(invite, b"CANCEL", _line(invite, b"to"))


def _same_hop(invite: Request, method: bytes, to: bytes) -> bytes:
    out = (
        method + b" " + invite.uri + b" SIP/2.0",
        b"Via: " + bytes(invite.top_via),
        _line(invite, b"from"),
        to,
        _line(invite, b"call-id"),
        b"CSeq: %d %b" % (invite.cseq, method),
        b"Max-Forwards: 70",
        *_lines(invite, b"route"),
        b"Content-Length: 0",
        b"",
        b"",
    )
    return b"\r\n".join(out)


def _line(message: Message, name: bytes) -> bytes:
    return message.first_lines.get(name, b"")


def _lines(message: Message, name: bytes) -> list[bytes]:
    line = message.first_lines.get(name)
    if line is None:
        return []
    if len(message.first_lines) == len(message.head) - 1:  # none is there twice
        return [line]
    return [at for at, known in zip(message.head, message.names, strict=True) if known == name]
