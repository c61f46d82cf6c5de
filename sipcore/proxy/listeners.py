"""Sans-IO: our own addresses: which one a message leaves from, and whether an address means us."""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address

from sipcore.errors import ParseError
from sipcore.message import Uri
from sipcore.proxy.settings import Listener
from sipcore.resolver.locate import DEFAULT_PORTS, SECURE, Candidate
from sipcore.transport.layer import MAX_PORT, Hop

MAX_KEPT = 256  # bytes of a URI whose hop is kept
# A phone's Contact: an IPv4 address and a port, nothing behind them that says otherwise.
_OCTET = rb"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_USUAL = re.compile(rb"sip:(?:[A-Za-z0-9_.+~-]++@)?((?:%b\.){3}%b):([0-9]{1,5})\Z" % (_OCTET, _OCTET))
SECURE_TRANSPORTS = frozenset({"tls", "wss"})


class Listeners:
    """The listeners in the order of Hop.listener, with what of each one stands in messages."""

    def __init__(self, listeners: Iterable[tuple[str, int] | Listener]) -> None:
        self.all = tuple(Listener(*listener) for listener in listeners)
        self.sent_by = [(wire_host(own.host), own.port) for own in self.all]
        self.via = [
            b"SIP/2.0/%b %b:%d;branch=" % (own.transport.upper().encode(), *sent_by)
            for own, sent_by in zip(self.all, self.sent_by, strict=True)
        ]
        self._kinds = [(own.transport, ":" in own.host) for own in self.all]
        self._first = {kind: self._kinds.index(kind) for kind in self._kinds}
        self._exact = {(*sent_by, own.transport): n for n, (sent_by, own) in self._numbered()}
        self._places = {sent_by: n for n, (sent_by, _) in reversed(self._numbered())}
        transports = [own.transport for own in self.all]
        self._usual = "udp" if "udp" in transports or not transports else transports[0]
        self.secure = not SECURE_TRANSPORTS.isdisjoint(transports)  # whether a sips URI can be served
        self._kept = lru_cache(maxsize=8192)(self._direct)

    def sending(self, host: str, transport: str, incoming: int) -> int | None:
        """The listener to send from to this address: where the request came to if it can, else the first."""
        kind = (transport, ":" in host)
        kinds = self._kinds
        if incoming < len(kinds) and kinds[incoming] == kind:
            return incoming
        return self._first.get(kind)

    def index_of(self, host: bytes, port: int | None, transport: str = "") -> int | None:
        """Which listener this sent-by means, None when it is not ours."""
        if port is None:
            port = DEFAULT_PORTS.get(transport, 5060)
        place = host.lower(), port
        return self._exact.get((*place, transport), self._places.get(place))

    def names_us(self, uri: Uri) -> bool:
        """Whether host and port of this URI are ours."""
        port = uri.port
        if port is None:
            port = 5061 if uri.scheme == b"sips" or uri.params.get(b"transport") == b"tls" else 5060
        return (uri.host, port) in self._places

    def hop(self, candidate: Candidate, incoming: int) -> Hop | None:
        """The way to a candidate; None when we have no listener of its transport and address family."""
        listener = self.sending(candidate.host, candidate.transport, incoming)
        if listener is None:
            return None
        return Hop(candidate.host, candidate.port, listener, candidate.transport, 0, candidate.name)

    def direct(self, uri: bytes, incoming: int) -> Hop | None:
        """Where a URI with an IP address leads, without asking anybody; None: the resolver must say."""
        return self._kept(uri, incoming) if len(uri) <= MAX_KEPT else self._direct(uri, incoming)

    def _direct(self, uri: bytes, incoming: int) -> Hop | None:
        usual = _USUAL.match(uri) if self._usual == "udp" else None
        if usual is not None and (port := int(usual[2])) <= MAX_PORT and port:
            return self.hop(Candidate(usual[1].decode(), port, "udp"), incoming)
        try:
            parsed = Uri.parse(uri)
        except ParseError:
            return None
        host = (parsed.params.get(b"maddr") or parsed.host).strip(b"[]").decode("latin-1")
        if parsed.scheme not in (b"sip", b"sips") or not is_address(host):
            return None
        transport = (parsed.params.get(b"transport") or b"").decode("latin-1").lower()
        if parsed.scheme == b"sips":
            transport = SECURE.get(transport, "tls")
        elif not transport:
            transport = self._usual  # RFC 3263 section 4.1
        port = parsed.port or DEFAULT_PORTS.get(transport, 5060)
        name = host if transport in SECURE_TRANSPORTS else ""
        return self.hop(Candidate(host, port, transport, name), incoming)

    def _numbered(self) -> list[tuple[int, tuple[tuple[bytes, int], Listener]]]:
        return list(enumerate(zip(self.sent_by, self.all, strict=True)))


def wire_host(host: str) -> bytes:
    """An address as it stands in a Via or a URI: IPv6 in brackets."""
    return (f"[{host}]" if ":" in host else host).lower().encode()


def is_address(host: str) -> bool:
    """Whether this is an IP address (and no name)."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
