"""Sans-IO: branch ids that are a function of the request, RFC 3261 section 16.6 step 8.

`z9hG4bK`, 8 digits that are the same whenever the same request comes again (loop detection, section 16.3
step 4), a dot, 20 digits that name request and target. A retransmission, the CANCEL and the hop-by-hop ACK
of a request get the same branch, on either node of the pair.
"""

from hashlib import blake2b

from sipcore.message import Request
from sipcore.transaction.key import MAGIC_COOKIE


def loop_mark(request: Request) -> bytes:
    """The first part of the branches of a request, cookie and dot with it: in its own Via it shows a loop.

    It covers what routing looks at, but not the Vias. The To tag stays out: the ACK gets the same mark.
    """
    parts = [request.call_id, request.from_tag, b"%d" % request.cseq, request.uri, *request.lines(b"route")]
    return MAGIC_COOKIE + blake2b(b"\n".join(parts), digest_size=4).hexdigest().encode() + b"."


def branch_id(request: Request, mark: bytes, target: bytes) -> bytes:
    """The branch towards one target (its URI)."""
    via = request.top_via
    parts = (via.branch, via.sent_by, request.call_id, b"%d" % request.cseq, request.from_tag, target)
    return mark + blake2b(b"\n".join(parts), digest_size=10).hexdigest().encode()


def own_tag(request: Request) -> bytes:
    """The To tag of responses that we make ourselves; the same on both nodes."""
    parts = (request.call_id, request.from_tag, b"%d" % request.cseq)
    return blake2b(b"\n".join(parts), digest_size=8).hexdigest().encode()
