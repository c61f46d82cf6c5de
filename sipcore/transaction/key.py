"""Sans-IO: how a message finds its transaction, RFC 3261 sections 17.1.3 and 17.2.3."""

from sipcore.message import Request, Via

MAGIC_COOKIE = b"z9hG4bK"


def client_key(branch: bytes, method: bytes) -> bytes:
    """Of a response (top branch, method of its CSeq) or of the request that it answers, section 17.1.3."""
    return branch + b" " + method


def server_key_of(via: Via, method: bytes) -> bytes:
    """The same by the top Via, of a request or of a response to it."""
    return b"%b %b:%d %b" % (via.branch, via.host.lower(), via.port or 5060, method)


def server_key(request: Request, method: bytes) -> bytes:
    """Of the transaction of this method that a request belongs to; for ACK that method is INVITE."""
    via, branch = request.top_via, request.branch
    if branch.startswith(MAGIC_COOKIE):
        return b"%b %b:%d %b" % (branch, via.host.lower(), via.port or 5060, method)  # as server_key_of
    # Before RFC 3261 branches were not unique. The To tag stays out: the INVITE has none, its ACK has ours.
    sent_by = b"%b %b:%d" % (branch, via.host.lower(), via.port or 5060)
    return b"\n".join((sent_by, request.uri, request.call_id, b"%d" % request.cseq, request.from_tag, method))
