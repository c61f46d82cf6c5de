"""Sans-IO: the ten steps of request forwarding, RFC 3261 section 16.6, by splicing.

Deviations: the next hop must be an IP address and the transport UDP (names are not resolved yet).
"""

from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

from sipcore.errors import ParseError
from sipcore.message import Edit, NameAddr, Request, Uri
from sipcore.proxy.branch import branch_id
from sipcore.proxy.forking import Target
from sipcore.proxy.record_route import RouteInfo, is_loose, record_route
from sipcore.transport.layer import DEFAULT_PORT, Hop

MAX_FORWARDS = 70
RECORD_ROUTED = frozenset({b"INVITE", b"SUBSCRIBE", b"REFER"})  # what makes dialogs
Listener = tuple[str, int]


class Forwarded(NamedTuple):
    """A request ready to leave; `hop` None: we know no way there."""

    branch: bytes
    data: bytes
    hop: Hop | None


class Forwarder:
    """Writes the copies of requests; `listeners` are our own addresses in the order of Hop.listener."""

    def __init__(self, listeners: tuple[Listener, ...]) -> None:
        self.listeners = listeners
        self._sent_by = [(wire_host(host), port) for host, port in listeners]
        self._via = [b"SIP/2.0/UDP %b:%d;branch=" % sent_by for sent_by in self._sent_by]
        self.record_routes = [record_route(*sent_by) for sent_by in self._sent_by]
        self._families = [":" in host for host, _ in listeners]

    def forward(
        self, request: Request, info: RouteInfo, target: Target, mark: bytes, incoming: int
    ) -> Forwarded:
        """The copy of `request` for one target; `incoming` is the listener that the request came to."""
        branch = branch_id(request, mark, target.uri)
        edit = Edit(request)
        uri, next_uri = self._route(edit, info, target)
        if uri != request.uri:  # step 2
            edit.request_uri(uri)
        hops_left = request.max_forwards  # step 3
        if hops_left is None:
            edit.append(b"Max-Forwards", b"%d" % MAX_FORWARDS)
        else:
            edit.replace(b"Max-Forwards", b"%d" % (hops_left - 1))
        hop = target.received if next_uri is None else self.hop(next_uri, incoming)  # step 7
        outgoing = incoming if hop is None else hop.listener
        if request.method in RECORD_ROUTED and not request.to_tag:  # step 4
            edit.insert_first(b"Record-Route", self.record_routes[incoming])
            if outgoing != incoming:
                edit.insert_first(b"Record-Route", self.record_routes[outgoing])
        edit.insert_first(b"Via", self._via[outgoing] + branch)  # step 8
        return Forwarded(branch, edit.build(), hop)

    def hop(self, uri: bytes, incoming: int) -> Hop | None:
        """Where a URI leads, None when it is no IP address or not reached over UDP."""
        try:
            parsed = Uri.parse(uri)
        except ParseError:
            return None
        host = (parsed.params.get(b"maddr") or parsed.host).strip(b"[]").decode("latin-1")
        if parsed.scheme != b"sip" or not is_address(host):
            return None
        if (parsed.params.get(b"transport") or b"udp").lower() != b"udp":
            return None
        return Hop(host, parsed.port or DEFAULT_PORT, self.listener_for(host, incoming))

    def listener_for(self, host: str, incoming: int) -> int:
        """The listener to send from: where the request came to, or one of the host's address family."""
        families = self._families
        if incoming < len(families) and families[incoming] == (":" in host):
            return incoming
        return next((index for index, six in enumerate(families) if six == (":" in host)), 0)

    def listener_of(self, host: bytes, port: int | None) -> int | None:
        """Which listener this sent-by means, None when it is not ours."""
        wanted = (host.lower(), port or DEFAULT_PORT)
        return self._sent_by.index(wanted) if wanted in self._sent_by else None

    def _route(self, edit: Edit, info: RouteInfo, target: Target) -> tuple[bytes, bytes | None]:
        """Write the Routes; returns Request-URI and URI of the next hop (None: the NAT binding)."""
        routes = info.routes
        if target.route:
            routes = [*target.route, *routes]  # step 5: the Path of the registration
        if routes and not is_loose(routes[0]):  # step 6: the next hop is a strict router
            first = NameAddr.parse(routes[0]).uri
            self._write_routes(edit, [*routes[1:], b"<%b>" % target.uri])
            return first, first
        if info.rewritten or target.route:
            self._write_routes(edit, routes)
        else:
            for _ in range(info.removed):
                edit.remove_first_value(b"Route")
        if routes:
            return target.uri, NameAddr.parse(routes[0]).uri
        return target.uri, None if target.received is not None else target.uri

    @staticmethod
    def _write_routes(edit: Edit, routes: list[bytes]) -> None:
        edit.remove(b"Route")
        for route in reversed(routes):
            edit.insert_first(b"Route", route)


def wire_host(host: str) -> bytes:
    """An address as it stands in a Via or a URI: IPv6 in brackets."""
    return (f"[{host}]" if ":" in host else host).lower().encode()


@lru_cache(4096)
def is_address(host: str) -> bool:
    """Whether this is an IP address (and no name)."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
