"""Sans-IO: new messages: responses (RFC 3261 section 8.2.6), ACK (17.1.1.3), CANCEL (9.1)."""

from collections.abc import Iterable, Sequence

from sipcore.message.message import Request, Response
from sipcore.message.parser import reason_phrase

Headers = Iterable[tuple[bytes, bytes]]


def build_response(
    request: Request,
    status: int,
    reason: bytes = b"",
    *,
    to_tag: bytes = b"",
    headers: Headers = (),
    body: bytes = b"",
) -> bytes:
    """A response; Via, From, To, Call-ID, CSeq are copied, `to_tag` is added when the request has none."""
    out = [b"SIP/2.0 %d %s" % (status, reason or reason_phrase(status))]
    head, index = request.head, request.index
    out += [head[at] for at in index[b"via"]]
    for name in (b"from", b"to", b"call-id", b"cseq"):
        line = head[index[name][0]]
        if name == b"to" and to_tag and not request.to_tag:
            line += b";tag=" + to_tag
        out.append(line)
    if status == 100 and b"timestamp" in index:
        out.append(head[index[b"timestamp"][0]])
    out += [name + b": " + value for name, value in headers]
    out.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(out) + b"\r\n\r\n" + body


def build_request(
    method: bytes, uri: bytes, *, headers: Sequence[tuple[bytes, bytes]], body: bytes = b""
) -> bytes:
    """A request with these headers, in this order, and Content-Length."""
    out = [method + b" " + uri + b" SIP/2.0", *(name + b": " + value for name, value in headers)]
    out.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(out) + b"\r\n\r\n" + body


def build_ack(invite: Request, response: Response) -> bytes:
    """The ACK of a final response other than 2xx: To is the response's, the rest is the INVITE's."""
    to = response.head[response.index[b"to"][0]]
    return _same_hop(invite, b"ACK", to)


def build_cancel(invite: Request) -> bytes:
    """The CANCEL of an INVITE that was sent: same top Via, same everything that matching looks at."""
    return _same_hop(invite, b"CANCEL", invite.head[invite.index[b"to"][0]])


def _same_hop(invite: Request, method: bytes, to: bytes) -> bytes:
    head, index = invite.head, invite.index
    out = [
        method + b" " + invite.uri + b" SIP/2.0",
        b"Via: " + bytes(invite.top_via),
        head[index[b"from"][0]],
        to,
        head[index[b"call-id"][0]],
        b"CSeq: %d %s" % (invite.cseq, method),
        b"Max-Forwards: 70",
    ]
    out += [head[at] for at in index.get(b"route", ())]
    out.append(b"Content-Length: 0")
    return b"\r\n".join(out) + b"\r\n\r\n"
