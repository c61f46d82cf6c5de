"""Sans-IO: the proxy core, RFC 3261 sections 16.3 to 16.5, 16.10, 16.11: checks, route, target set.

Deviations: domain names in Request-URIs and Routes are not resolved yet (404 for a foreign domain, 500 when
no branch can be reached); no sips.
"""

from dataclasses import dataclass

from sipcore.auth.digest import DigestAuth
from sipcore.dialog.table import DialogTable
from sipcore.errors import ParseError
from sipcore.location.table import LocationTable
from sipcore.message import NameAddr, Request, Response, Uri, Via, build_response
from sipcore.proxy.branch import loop_mark, own_tag
from sipcore.proxy.forking import Target, serial_groups
from sipcore.proxy.forward import Forwarded, Forwarder, Listener, is_address
from sipcore.proxy.record_route import RouteInfo, route_information
from sipcore.proxy.response_context import Branch, ResponseContext, relayed
from sipcore.replication.capability import Kind
from sipcore.replication.journal import Journal
from sipcore.transaction.layer import ClientTransaction, ServerTransaction, TransactionLayer
from sipcore.transport.layer import Hop, Send, may_answer, response_hop

ALLOW = b"INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, MESSAGE, SUBSCRIBE, NOTIFY, REFER, INFO, UPDATE, PRACK"
Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """What the proxy is told; times in seconds.

    `listeners`: our own addresses (host, port) in the order of Hop.listener; as the host of a Request-URI
    they stand for `domains[0]`. Domains in lower case.
    """

    domains: tuple[bytes, ...]
    listeners: tuple[Listener, ...]
    timer_c: float = 180.0
    no_answer: float = 180.0
    max_branches: int = 16
    authenticate_invite: bool = False  # challenge requests that our own users begin, not only REGISTER


class Refused(Exception):
    """The answer to a request that goes no further."""

    def __init__(self, status: int, reason: bytes = b"", headers: tuple[Header, ...] = ()) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.headers = headers


class Proxy:
    """A stateful proxy for the users of its domains; a transaction user."""

    def __init__(
        self,
        settings: ProxySettings,
        layer: TransactionLayer,
        location: LocationTable,
        *,
        dialogs: DialogTable,
        journal: Journal,
        auth: DigestAuth | None = None,
    ) -> None:
        self.settings = settings
        self.timer_c = settings.timer_c
        self.no_answer = settings.no_answer
        self.layer = layer
        self.wheel = layer.wheel
        self.location = location
        self.dialogs = dialogs
        self.forwarder = Forwarder(settings.listeners)
        self._journal = journal
        self._auth = auth
        self._domains = frozenset(settings.domains)
        self._own_routes = frozenset(route.strip(b"<>") for route in self.forwarder.record_routes)
        self.requests = 0
        self.refused = 0  # requests that were answered here with an error
        self.dropped = 0  # messages that lead nowhere: strangers' responses, ACKs without a way
        self.stray_responses = 0  # passed on without a transaction
        layer.observer = self.on_moved

    @property
    def counters(self) -> dict[str, int]:
        """What was counted since the start."""
        return {
            "requests": self.requests,
            "refused": self.refused,
            "dropped": self.dropped,
            "stray_responses": self.stray_responses,
        }

    # Inputs: the transaction user

    def on_request(self, request: Request, source: Hop, tx: ServerTransaction | None, now: float) -> None:
        """A new request; without a transaction it is an ACK."""
        self.requests += 1
        if tx is None:
            self._on_ack(request, source, now)
            return
        try:
            self._proxy(request, source, tx, now)
        except Refused as refused:
            self._refuse(tx, refused, now)
        except ParseError as error:
            self._refuse(tx, Refused(error.status, error.reason.encode()), now)

    def on_cancel(
        self,
        cancel: Request,
        source: Hop,
        cancel_tx: ServerTransaction,
        invite_tx: ServerTransaction | None,
        now: float,
    ) -> None:
        """Answer it and cancel the branches; without the INVITE pass it on statelessly, section 16.10."""
        if invite_tx is None:
            cancel_tx.drop()
            if not self._stateless(cancel, source, now):
                data = build_response(cancel, 481, to_tag=own_tag(cancel))
                self.layer.outbox.append(Send(data, cancel_tx.hop))
            return
        # what the caller knows the standby must know: hold
        cancel_tx.respond(build_response(cancel, 200, to_tag=own_tag(cancel)), 200, now, hold=True)
        if isinstance(invite_tx.context, ResponseContext):
            invite_tx.context.on_cancel(now)

    def on_response(self, tx: ClientTransaction | None, response: Response, now: float) -> None:
        """A response to one of our branches, or a stray one."""
        branch = tx.context if tx is not None else None
        if isinstance(branch, Branch) and branch.context is not None:
            branch.context.on_response(branch, response, now)
        elif tx is None or (tx.method == b"INVITE" and response.status < 300):
            self._on_stray(response, now)

    def on_timeout(self, tx: ClientTransaction, now: float) -> None:
        """A branch without a final response."""
        branch = tx.context
        if isinstance(branch, Branch) and branch.context is not None:
            branch.context.on_timeout(branch, now)

    def on_moved(self, tx: ServerTransaction, now: float) -> None:
        """An INVITE server transaction made a step: the standby hears of it."""
        self.touch(tx)
        if tx.ended and isinstance(tx.context, ResponseContext):
            tx.context.close()

    # Services for the response contexts

    def forward(self, context: ResponseContext, target: Target) -> Forwarded:
        """The copy of the context's request for this target."""
        listener = context.tx.source.listener
        return self.forwarder.forward(context.request, context.info, target, context.mark, listener)

    def touch(self, tx: ServerTransaction) -> None:
        """The standby must hear of this transaction."""
        self._journal.touch(Kind.TRANSACTION, tx.key)

    def on_relayed(self, response: Response, now: float) -> None:
        """A response to INVITE is about to leave towards the caller."""
        self.dialogs.on_response(response, now)

    def on_failed(self, request: Request, now: float) -> None:
        """An INVITE has ended without a 2xx."""
        self.dialogs.on_failure(request, now)

    # Steps

    def is_ours(self, uri: bytes) -> bool:
        """Whether this URI lies in our domains or names this node itself."""
        try:
            parsed = Uri.parse(uri)
        except ParseError:
            return False
        return parsed.host in self._domains or self._names_us(parsed)

    def is_us(self, uri: bytes) -> bool:
        """Whether this URI names this node itself: what we put into Record-Route."""
        if uri in self._own_routes:
            return True
        parsed = Uri.parse(uri)
        return not parsed.user and (self._names_us(parsed) or parsed.host in self._domains)

    def _names_us(self, uri: Uri) -> bool:
        return self.forwarder.listener_of(uri.host, uri.port) is not None

    def _proxy(self, request: Request, source: Hop, tx: ServerTransaction, now: float) -> None:
        mark = loop_mark(request)
        self._validate(request, mark)
        info = route_information(request, self.is_us)
        uri = Uri.parse(info.uri)
        if uri.scheme != b"sip":
            raise Refused(416)
        if request.to_tag:
            self.dialogs.on_request(request, now)
        elif self.settings.authenticate_invite:
            self._authenticate(request, now)
        groups = self._groups(request, info, uri, now)
        if request.method == b"INVITE":
            if not request.to_tag:
                self.dialogs.on_invite(request, now)
            tx.respond(build_response(request, 100), 100, now, hold=True)
        ResponseContext(self, tx, groups, info=info, mark=mark).start(now)

    def _validate(self, request: Request, mark: bytes) -> None:
        """Section 16.3; the syntax was checked by the parser."""
        if request.max_forwards == 0:
            raise Refused(483)
        if mark in request.raw:
            raise Refused(482)
        extensions = request.lines(b"proxy-require")
        if extensions:
            raise Refused(420, headers=((b"Unsupported", b", ".join(extensions)),))

    def _authenticate(self, request: Request, now: float) -> None:
        caller = NameAddr.parse(request.first(b"from") or b"").uri
        if self._auth is None or not self.is_ours(caller):
            return
        verdict = self._auth.check(request, now, proxy=True)
        if verdict.user is None:
            raise Refused(verdict.status, headers=verdict.headers)
        if verdict.user != Uri.parse(caller).user:
            raise Refused(403, b"Not your address-of-record")

    def _groups(self, request: Request, info: RouteInfo, uri: Uri, now: float) -> list[list[Target]]:
        """The target set, section 16.5; Refused when it is empty."""
        groups = self._targets(info, uri, now)
        if groups:
            return groups
        if not (uri.host in self._domains or self._names_us(uri)):
            raise Refused(404, b"Domain not served here")
        if not uri.user:
            if request.method == b"OPTIONS":
                raise Refused(200, headers=((b"Allow", ALLOW), (b"Accept", b"application/sdp")))
            raise Refused(404)
        raise Refused(480 if self._is_user(uri) else 404)

    def _targets(self, info: RouteInfo, uri: Uri, now: float) -> list[list[Target]]:
        if info.routes:
            return [[Target(info.uri)]]
        ours = uri.host in self._domains
        if not ours and not self._names_us(uri):
            host = uri.host.strip(b"[]").decode("latin-1")
            return [[Target(info.uri)]] if is_address(host) else []
        if not uri.user:
            return []
        if not ours:
            uri.host = self.settings.domains[0]
        return serial_groups(self.location.lookup(uri.aor(), now), self.settings.max_branches)

    def _is_user(self, uri: Uri) -> bool:
        if self._auth is None:
            return self.location.record(uri.aor()) is not None
        users = self._auth.credentials
        return any(users.ha1(uri.user, algorithm) is not None for algorithm in users.algorithms())

    def _refuse(self, tx: ServerTransaction, refused: Refused, now: float) -> None:
        request = tx.request
        status = refused.status
        self.refused += status >= 300
        data = build_response(
            request, status, refused.reason, to_tag=own_tag(request), headers=refused.headers
        )
        tx.respond(data, status, now, hold=request.method == b"INVITE")

    # Without a transaction

    def _on_ack(self, ack: Request, source: Hop, now: float) -> None:
        """The ACK to a 2xx, or one whose transaction is over."""
        try:
            if ack.to_tag:
                self.dialogs.on_request(ack, now)
            if ack.max_forwards != 0 and self._stateless(ack, source, now):
                return
        except ParseError:
            pass
        self.dropped += 1

    def _stateless(self, request: Request, source: Hop, now: float) -> bool:
        """Forward without state, section 16.11, with the branches that the stateful way would have used."""
        mark = loop_mark(request)
        if mark in request.raw:
            return False
        info = route_information(request, self.is_us)
        sent = False
        for group in self._targets(info, Uri.parse(info.uri), now):
            for target in group:
                forwarded = self.forwarder.forward(request, info, target, mark, source.listener)
                if forwarded.hop is not None:
                    self.layer.outbox.append(Send(forwarded.data, forwarded.hop))
                    sent = True
        return sent

    def _on_stray(self, response: Response, now: float) -> None:
        """Pass a response on by its second Via, sections 16.7 and 16.11, if its first one is ours."""
        via = response.top_via
        listener = self.forwarder.listener_of(via.host, via.port)
        next_via = second_via(response)
        if listener is None or next_via is None:
            self.dropped += 1
            return
        hop = response_hop(next_via, listener)
        hop = Hop(hop.host, hop.port, self.forwarder.listener_for(hop.host, listener))
        if not may_answer(hop):
            self.dropped += 1
            return
        self.stray_responses += 1
        is_invite = response.method == b"INVITE"
        if is_invite:
            self.dialogs.on_response(response, now)
        self.layer.outbox.append(Send(relayed(response), hop, hold=is_invite))


def second_via(response: Response) -> Via | None:
    """The Via under the topmost one; None when there is none, or none that can be read."""
    values = response.values(b"via")
    try:
        return Via.parse(values[1]) if len(values) > 1 else None
    except ParseError:
        return None
