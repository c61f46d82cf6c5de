"""Sans-IO: Record-Route, loose routing and strict routing, RFC 3261 sections 16.4, 16.6 and 16.12.

Where a request leaves by another listener than it came to (another transport or address family), or over a
flow, two values are written, both with `r2=on` as OpenSIPS does it: each side sees the address that it can
reach, and both are cut together.
"""

from hashlib import blake2b
from typing import NamedTuple

from sipcore.errors import ParseError
from sipcore.message import NameAddr, Request, Uri
from sipcore.proxy.flow_token import FlowTokens
from sipcore.proxy.listeners import Listeners
from sipcore.proxy.settings import Refused
from sipcore.transport.layer import Hop

_SIGNATURE = b";c="  # the last parameter of our Record-Route values


class RouteInfo(NamedTuple):
    """A request after section 16.4: where it is to go before any lookup."""

    uri: bytes  # Request-URI
    routes: list[bytes]  # Route values that are left
    removed: int  # Route values cut from the front
    rewritten: bool  # a strict router put our own URI into the Request-URI: all Routes are written anew
    params: dict[bytes, bytes | None]  # of our own Route value that was cut last
    flow: Hop | None  # the flow that its token names
    claim: bytes | None = None  # signature in our own Route value that was cut; None: none was ours


NO_ROUTES = RouteInfo(b"", [], 0, rewritten=False, params={}, flow=None)
"""Of a request without Route."""


class RecordRoutes:
    """What we write into Record-Route and Path, and how we know it again."""

    def __init__(
        self, listeners: Listeners, domains: frozenset[bytes], tokens: FlowTokens | None, *, key: bytes
    ) -> None:
        self._key = key
        self._listeners = listeners
        self._domains = domains
        self._tokens = tokens
        own = zip(listeners.sent_by, listeners.all, strict=True)
        self._params = [
            b"" if one.transport == "udp" else b";transport=" + one.transport.encode() for _, one in own
        ]
        self.plain = [self._value(n) for n in range(len(listeners.all))]
        twins = [self._value(n, params=b";r2=on") for n in range(len(listeners.all))]
        self._own_lines = frozenset(b"Route: " + value[:-1] for value in self.plain)
        self._own = frozenset(value.strip(b"<>") for value in self.plain + twins)

    # Sections 16.4 and 16.12

    def information(self, request: Request, source: Hop) -> RouteInfo:
        """Section 16.4: undo what a strict router did, cut the Route values that are ours."""
        uri, rewritten = request.uri, False
        # as nearly always: one value, and it is what we wrote into Record-Route
        plain, _, claim = request.first_lines[b"route"].rpartition(_SIGNATURE)
        is_plain = (plain or claim[:-1]) in self._own_lines and claim.find(b">") == len(claim) - 1
        if is_plain and not request.has_more_than_one(b"route") and not is_record_route(uri):
            return RouteInfo(uri, [], 1, rewritten, {}, None, claim[:-1])
        routes = request.values(b"route")
        if routes and is_record_route(uri) and self.is_us(uri):
            uri, rewritten = NameAddr.parse(routes.pop()).uri, True
        removed = 0
        cut = b""
        while routes and self.is_us(first := NameAddr.parse(routes[0]).uri):
            cut = first
            del routes[0]
            removed += 1
        own = cut or (request.uri if rewritten else b"")
        plain, mark, claim = own.rpartition(_SIGNATURE)
        if not cut or cut in self._own or (mark and plain in self._own):
            return RouteInfo(uri, routes, removed, rewritten, {}, None, claim if own else None)
        parsed = Uri.parse(cut)
        claim = parsed.params.get(_SIGNATURE[1:-1]) or b""
        return RouteInfo(uri, routes, removed, rewritten, parsed.params, self._flow(parsed, source), claim)

    def is_signed(self, info: RouteInfo, call_id: bytes) -> bool:
        """Whether our Route value that was cut is of this very Call-ID: we set the dialog up."""
        return info.claim is not None and (not self._key or info.claim == self._signature(call_id))

    def is_us(self, uri: bytes) -> bool:
        """Whether this URI names this node itself: what we put into Record-Route."""
        if uri in self._own or uri.rpartition(_SIGNATURE)[0] in self._own:
            return True
        parsed = Uri.parse(uri)
        if parsed.user and (self._tokens is None or b"lr" not in parsed.params):
            return False
        return self._listeners.names_us(parsed) or (not parsed.user and parsed.host in self._domains)

    def _flow(self, uri: Uri, source: Hop) -> Hop | None:
        if not uri.user or self._tokens is None:
            return None
        hop = self._tokens.read(uri.user)
        if hop is None:
            raise Refused(403, b"Flow token is not ours")  # RFC 5626 section 5.3.1
        # of two values the last says where to; a request from the flow itself goes the other way
        return None if hop[:2] == source[:2] and hop.flow == source.flow else hop

    # Section 16.6 step 4

    def record(self, request: Request, params: bytes, ways: "Ways", *, secure: bool) -> tuple[bytes, ...]:
        """Our Record-Route values, from the top, for a request on its way."""
        source, hop, _ = ways
        incoming, outgoing = source.listener, hop.listener
        signature = _SIGNATURE + self._signature(request.call_id) if self._key else b""
        ends = self._ends(request, ways) if self._tokens is not None else NO_TOKENS
        if incoming == outgoing and ends is NO_TOKENS:
            if not params and not secure:
                return (b"%b%b>" % (self.plain[incoming][:-1], signature),)
            return (self._value(incoming, params=params + signature, secure=secure),)
        params += b";r2=on" + signature
        caller = self.token(source) if ends.caller else b""
        callee = self.token(hop) if ends.callee else b""
        return (
            self._value(outgoing, callee, params=params, secure=secure),
            self._value(incoming, caller, params=params, secure=secure),
        )

    def _signature(self, call_id: bytes) -> bytes:
        """What shows that we were there when the dialog was set up; both ends bring it back in Route."""
        return blake2b(call_id, key=self._key, digest_size=5).hexdigest().encode()

    def path(self, source: Hop, *, outbound: bool) -> bytes:
        """Our Path value for a REGISTER from this hop, RFC 3327; RFC 5626 section 5.1 with `outbound`."""
        params = b";ob" if outbound else b""
        return self._value(source.listener, self.token(source), params=params)

    def token(self, hop: Hop) -> bytes:
        """The user part that names this hop; empty when we have no key for it."""
        return self._tokens.make(hop) + b"@" if self._tokens is not None else b""

    @staticmethod
    def _ends(request: Request, ways: "Ways") -> "Ends":
        """Which sides are reached only over their flow, RFC 5626 section 5.3, RFC 7118 section 5."""
        caller = ways.source.transport in ("ws", "wss") or _has_ob(request)
        callee = ways.received is not None and ways.received.flow != 0
        return Ends(caller, callee) if caller or callee else NO_TOKENS

    def _value(self, index: int, user: bytes = b"", *, params: bytes = b"", secure: bool = False) -> bytes:
        scheme = b"sips" if secure else b"sip"
        transport = b"" if secure else self._params[index]
        return b"<%b:%b%b:%d%b;lr%b>" % (scheme, user, *self._listeners.sent_by[index], transport, params)


class Ways(NamedTuple):
    """Where a request came from and goes to, and the connection of its target if it has one."""

    source: Hop
    hop: Hop
    received: Hop | None


class Ends(NamedTuple):
    """Which sides of a dialog get a flow token."""

    caller: bool
    callee: bool


NO_TOKENS = Ends(caller=False, callee=False)


def is_record_route(uri: bytes) -> bool:
    """Whether this is a URI of the form that we put into Record-Route: `lr`, no user."""
    return b";lr" in uri and b"@" not in uri


def is_loose(route: bytes) -> bool:
    """Whether the router behind this Route value is a loose one, section 16.12."""
    return b"lr" in Uri.parse(NameAddr.parse(route).uri).params


def _has_ob(request: Request) -> bool:
    contact = request.first(b"contact")
    if contact is None or b";ob" not in contact:
        return False
    try:
        return b"ob" in Uri.parse(NameAddr.parse(contact).uri).params
    except ParseError:
        return False
