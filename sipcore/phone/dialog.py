"""Sans-IO: what a user agent keeps of a dialog, RFC 3261 section 12, and the requests it sends inside it.

Deviations: a strict router in the route set (no `lr`) is treated like a loose one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self

from sipcore.errors import ParseError
from sipcore.message import NameAddr, Request, Response, Uri, build_request
from sipcore.transport.layer import Hop

MAX_FORWARDS = b"70"


@dataclass(slots=True)
class Dialog:
    """One side of a dialog; `local` and `remote` are whole From and To values with their tags."""

    call_id: bytes
    local: bytes
    remote: bytes
    route: list[bytes]
    target: bytes
    cseq: int

    @classmethod
    def of_response(cls, response: Response) -> Self:
        """As the caller sees it, section 12.1.2: the route set is the Record-Route turned round."""
        return cls(
            call_id=response.call_id,
            local=response.first(b"from") or b"",
            remote=response.first(b"to") or b"",
            route=response.values(b"record-route")[::-1],
            target=contact_of(response),
            cseq=response.cseq,
        )

    @classmethod
    def of_request(cls, request: Request, tag: bytes) -> Self:
        """As the called side sees it, section 12.1.1."""
        return cls(
            call_id=request.call_id,
            local=(request.first(b"to") or b"") + b";tag=" + tag,
            remote=request.first(b"from") or b"",
            route=request.values(b"record-route"),
            target=contact_of(request),
            cseq=0,
        )

    def request(
        self, method: bytes, via: bytes, cseq: int, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> bytes:
        """A request within the dialog, section 12.2.1.1."""
        lines = [
            (b"Via", via),
            *((b"Route", value) for value in self.route),
            (b"Max-Forwards", MAX_FORWARDS),
            (b"From", self.local),
            (b"To", self.remote),
            (b"Call-ID", self.call_id),
            (b"CSeq", b"%d %b" % (cseq, method)),
            *headers,
        ]
        return build_request(method, self.target, headers=lines)

    def next_hop(self, default: Hop) -> Hop:
        """Where requests go: the first of the route set, else the peer; a name goes through `default`."""
        uri = Uri.parse(NameAddr.parse(self.route[0]).uri if self.route else self.target)
        host = uri.host.strip(b"[]").decode("ascii", "replace")
        try:
            ip_address(host)
        except ValueError:
            return default
        return Hop(host, uri.port or 5060, default.listener, default.transport)


def contact_of(message: Request | Response) -> bytes:
    """The URI of the first Contact, b"" if there is none."""
    values = message.values(b"contact")
    try:
        return NameAddr.parse(values[0]).uri if values else b""
    except ParseError:
        return b""
