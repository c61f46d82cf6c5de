"""Sans-IO: requests of our own within a dialog, to either side, as if the other one had sent them.

RFC 3261 section 12.2.1.1 says how: tags, route set, remote target, CSeq. A BYE takes the number after the
last one seen, for nothing comes after it. An OPTIONS that only asks whether somebody is there takes the last
one seen *itself*: by section 12.2.2 a lower number is refused and a higher one is remembered, so an equal one
is good and leaves the dialog as it was; the other side's next request is in order. Where no request was seen
yet it is 0, which no first request is below. OpenSIPS counts up instead, and has to rewrite the CSeq of every
later request and response. An end that refuses the equal number (with 500) has answered, and so it lives.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sipcore.dialog.dialog import Dialog, EndReason, Leg
from sipcore.dialog.settings import Side
from sipcore.message import NameAddr, Uri, build_request
from sipcore.transport.layer import Hop

MAX_CSEQ = 2**31 - 1  # section 8.1.1.5
Header = tuple[bytes, bytes]

CAUSES = {  # RFC 3326: the SIP status that says it best
    EndReason.LIFETIME: (408, "lifetime of the call is over"),
    EndReason.NO_ACK: (408, "no ACK"),
    EndReason.SESSION_EXPIRED: (408, "session expired"),
    EndReason.PING_FAILED: (408, "the other side does not answer"),
    EndReason.OPERATOR: (487, "ended by the operator"),
    EndReason.SCRIPT: (487, "ended by the platform"),
}


class Outgoing(NamedTuple):
    """A request without our Via, the URI of its next hop, and the hop where that URI does not lead there."""

    data: bytes
    next_uri: bytes
    hop: Hop | None


def bye(dialog: Dialog, leg: Leg, side: Side, reason: EndReason) -> Outgoing:
    """The BYE that ends the call for one side."""
    cause, text = CAUSES.get(reason, (487, "ended"))
    seen = dialog.cseq if side is Side.CALLEE else leg.cseq
    headers = [(b"Reason", f'SIP;cause={cause};text="{text}"'.encode())]
    return _request(b"BYE", dialog, leg, side, cseq=min(seen + 1, MAX_CSEQ), headers=headers)


def ping(dialog: Dialog, leg: Leg, side: Side, now: float) -> Outgoing:
    """The OPTIONS that asks one side whether it still has the dialog.

    Timestamp (section 20.38) makes it unlike the one before, so that our branch is another one too and no
    server transaction answers it from memory.
    """
    seen = dialog.cseq if side is Side.CALLEE else leg.cseq
    headers = [(b"Timestamp", b"%.3f" % now), (b"Accept", b"application/sdp")]
    return _request(b"OPTIONS", dialog, leg, side, cseq=min(seen, MAX_CSEQ), headers=headers)


def _request(
    method: bytes, dialog: Dialog, leg: Leg, side: Side, *, cseq: int, headers: Sequence[Header]
) -> Outgoing:
    caller = b"<%b>;tag=%b" % (dialog.from_uri, dialog.from_tag)
    callee = b"<%b>;tag=%b" % (dialog.to_uri, leg.tag)
    target: Dialog | Leg
    if side is Side.CALLEE:
        local, remote, target = caller, callee, leg
    else:
        local, remote, target = callee, caller, dialog
    uri, routes, next_uri = _way(target.contact or dialog.to_uri, list(target.route_set))
    lines = [
        *((b"Route", route) for route in routes),
        (b"Max-Forwards", b"70"),
        (b"From", local),
        (b"To", remote),
        (b"Call-ID", dialog.call_id),
        (b"CSeq", b"%d %b" % (cseq, method)),
        *headers,
    ]
    hop = None if target.route_set else target.hop
    return Outgoing(build_request(method, uri, headers=lines), next_uri, hop)


def _way(target: bytes, routes: list[bytes]) -> tuple[bytes, list[bytes], bytes]:
    """Request-URI, Route values and the URI of the next hop; a strict router first changes them."""
    if not routes:
        return target, [], target
    first = NameAddr.parse(routes[0]).uri
    if b"lr" in Uri.parse(first).params:
        return target, routes, first
    return first, [*routes[1:], b"<%b>" % target], first
