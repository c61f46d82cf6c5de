"""Sans-IO: one walk over the answers that are there: RFC 3263 sections 4.1 and 4.2.

A walk never waits. What it does not know it notes in `missing` and goes on; when those answers have come, the
lookup walks again.

Deviations: a SIP URI without NAPTR records goes to all of the transports that have SRV records, in our order
of preference, not to one of them alone. NAPTR and SRV questions that failed count as "no such record".
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from sipcore.message import Uri
from sipcore.resolver.order import SERVICES, RandInt, naptr_order, rotated, srv_order
from sipcore.resolver.records import Answer, Naptr, Outcome, Question, RecordType, Srv, address, domain_name

DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 80, "wss": 443}
SECURE = {"tcp": "tls", "tls": "tls", "ws": "wss", "wss": "wss"}  # what a sips URI makes of a transport
VERIFIED = frozenset({"tls", "wss"})
SRV_NAMES = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}  # RFC 7118 has none for WebSocket
MAX_RECORDS = 32  # of one answer
MAX_CANDIDATES = 16


class Candidate(NamedTuple):
    """An address to try: `host` is an IP address, `name` the domain that a certificate there must have."""

    host: str
    port: int
    transport: str
    name: str = ""


Ask = Callable[[Question], Answer | None]
Transports = Mapping[str, tuple[int, ...]]


class Search:
    """A walk from `uri` to its candidates; of the answers only what `ask` gives is known."""

    def __init__(self, transports: Transports, ask: Ask, randint: RandInt) -> None:
        self._transports = transports
        self._ask = ask
        self._randint = randint
        self.missing: list[Question] = []

    def candidates(self, uri: Uri) -> list[Candidate]:
        """Those that are known so far, best first; they are all when `missing` is empty."""
        target = domain_name(uri.params.get(b"maddr") or uri.host)  # section 4: TARGET
        if target is None:
            return []
        name = uri.host.removesuffix(b".").decode("latin-1")  # RFC 5922 section 4: that of the URI
        found: dict[tuple[str, int, str], Candidate] = {}
        for transport, host, port in self._places(uri, target):
            for ip in self._addresses(host, transport):
                verified = name if transport in VERIFIED else ""
                found.setdefault((ip, port, transport), Candidate(ip, port, transport, verified))
        return list(found.values())[:MAX_CANDIDATES]

    def _places(self, uri: Uri, target: str) -> Iterator[tuple[str, str, int]]:
        """Transport, host name and port of each server, in order."""
        named, secure = uri.params.get(b"transport"), uri.scheme == b"sips"
        if named or uri.port is not None:
            transport = transport_of(uri, self._transports)
            if transport is None:
                return
            if uri.port is not None:
                yield transport, target, uri.port
            else:
                yield from self._by_srv(transport, target)
            return
        ours = [t for t in self._transports if not secure or t in VERIFIED]
        naptrs = naptr_order(self._naptrs(target), ours)
        if naptrs:
            for naptr in naptrs:
                yield from self._by_naptr(naptr, target)
        elif not self.missing:
            yield from self._without_naptr(uri, target, ours)

    def _by_naptr(self, naptr: Naptr, target: str) -> Iterator[tuple[str, str, int]]:
        transport = SERVICES[naptr.service]
        if naptr.flags == "a":
            yield transport, naptr.replacement, DEFAULT_PORTS[transport]
        else:
            yield from self._by_srv(transport, target, naptr.replacement)

    def _without_naptr(self, uri: Uri, target: str, ours: list[str]) -> Iterator[tuple[str, str, int]]:
        """No NAPTR: SRV for each transport of ours; no SRV either: the name itself (sections 4.1 and 4.2)."""
        answered = False
        for transport in ours:
            servers = self._srvs(f"{SRV_NAMES[transport]}.{target}") if transport in SRV_NAMES else None
            if servers is not None:
                answered = True
                yield from ((transport, srv.target, srv.port) for srv in servers)
        default = transport_of(uri, self._transports)
        if not answered and default is not None:
            yield default, target, DEFAULT_PORTS[default]

    def _by_srv(self, transport: str, target: str, name: str = "") -> Iterator[tuple[str, str, int]]:
        """The servers of an SRV name; where there is no such name, TARGET with the default port."""
        if not name and transport in SRV_NAMES:
            name = f"{SRV_NAMES[transport]}.{target}"
        servers = self._srvs(name) if name else None
        if servers is not None:
            yield from ((transport, srv.target, srv.port) for srv in servers)
        else:
            yield transport, target, DEFAULT_PORTS[transport]

    def _naptrs(self, name: str) -> list[Naptr]:
        answer = self._known(Question(name, RecordType.NAPTR))
        return [record for record in answer.records if isinstance(record, Naptr)] if answer else []

    def _srvs(self, name: str) -> list[Srv] | None:
        """The servers, in order, none of a service that is switched off; None: there is no such record."""
        answer = self._known(Question(name, RecordType.SRV))
        if answer is None:
            return []
        if answer.outcome is not Outcome.FOUND:
            return None
        records = (record for record in answer.records if isinstance(record, Srv) and record.target)
        return srv_order(records, self._randint)[:MAX_RECORDS]

    def _addresses(self, host: str, transport: str) -> Iterator[str]:
        """The addresses of a host in the IP versions that we have for this transport (RFC 7984)."""
        versions = self._transports[transport]
        literal = address(host.encode())  # an SRV target that should have been a name
        if literal is not None:
            if literal[1] in versions:
                yield literal[0]
            return
        for version in versions:
            answer = self._known(Question(host, RecordType.AAAA if version == 6 else RecordType.A))
            if answer is not None:
                ips = [record for record in answer.records if isinstance(record, str)]
                yield from rotated(ips[:MAX_RECORDS], self._randint)

    def _known(self, question: Question) -> Answer | None:
        answer = self._ask(question)
        if answer is None:
            self.missing.append(question)
        return answer


def transport_of(uri: Uri, transports: Transports) -> str | None:
    """Section 4.1: the one that the URI names, or the default of its scheme; None: none of ours."""
    named = (uri.params.get(b"transport") or b"").decode("latin-1").lower()
    if uri.scheme == b"sips":
        named = SECURE.get(named, "") if named else "tls"
    elif uri.scheme != b"sip":
        return None
    elif not named:
        named = "udp" if "udp" in transports else next(iter(transports), "")
    return named if named in transports else None
