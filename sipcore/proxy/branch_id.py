"""Sans-IO: branch ids that are a function of the request, RFC 3261 section 16.6 step 8.

`z9hG4bK`, 8 digits that are the same whenever the same request comes again (loop detection, section 16.3
step 4), a dot, 20 digits that name the request and the way back, 8 that name the target. A retransmission,
the CANCEL and the hop-by-hop ACK of a request get the same branch, on either node of the pair.

The 20 digits are made with a key of the pair and from what a response brings back, so that a response without
a transaction is passed on only where its request came from: else anyone could have us send to anyone.
"""

from hashlib import blake2b
from zlib import crc32

from sipcore.message import Request, Response, Via
from sipcore.transaction.key import MAGIC_COOKIE

_MARK = len(MAGIC_COOKIE) + 9  # length of the mark
OWN_TAG = 16  # length of the To tags that we make


def loop_mark(request: Request) -> bytes:
    """The first part of the branches of a request, cookie and dot with it: in its own Via it shows a loop.

    It covers what routing looks at, but not the Vias. The To tag stays out: the ACK gets the same mark.
    """
    parts = [request.call_id, request.from_tag, b"%d" % request.cseq, request.uri, *request.lines(b"route")]
    return MAGIC_COOKIE + blake2b(b"\n".join(parts), digest_size=4).hexdigest().encode() + b"."


def branch_id(request: Request, mark: bytes, target: bytes, key: bytes) -> bytes:
    """The branch towards one target (its URI)."""
    return b"%b%b%08x" % (mark, _way_back(request, request.top_via, key), crc32(target))


def is_own_branch(response: Response, next_via: Via, key: bytes) -> bool:
    """Whether we gave this branch to a request that came from where the second Via says; without key: yes."""
    return not key or response.branch[_MARK : _MARK + 20] == _way_back(response, next_via, key)


def derived(secret: bytes, use: bytes) -> bytes:
    """The key for one use, none without a secret; both nodes of a pair have the same secret."""
    if not secret:
        return b""
    return blake2b(secret, person=use, digest_size=32).digest()


def _way_back(message: Request | Response, via: Via, key: bytes) -> bytes:
    host = via.params.get(b"received") or via.host
    parts = (via.branch, via.sent_by, host, message.call_id, b"%d" % message.cseq, message.from_tag)
    return blake2b(b"\n".join(parts), key=key, digest_size=10).hexdigest().encode()


def own_tag(request: Request) -> bytes:
    """The To tag of responses that we make ourselves; the same on both nodes."""
    parts = (request.call_id, request.from_tag, b"%d" % request.cseq)
    return blake2b(b"\n".join(parts), digest_size=OWN_TAG // 2).hexdigest().encode()
