"""Sans-IO: the proxy: a transaction user whose operations the routes call, RFC 3261 section 16."""

from functools import partial

from sipcore.auth.digest import DigestAuth
from sipcore.errors import ParseError
from sipcore.location.table import LocationTable
from sipcore.message import Request, Response, Uri, build_response
from sipcore.proxy.admission import Admission, Dialogs, may_forget
from sipcore.proxy.branch import Branch, Cancel
from sipcore.proxy.branch_id import OWN_TAG, derived, loop_mark, own_tag
from sipcore.proxy.call import Call, Routes
from sipcore.proxy.flow_token import FlowTokens
from sipcore.proxy.forking import Target, serial_groups, targets_of
from sipcore.proxy.forward import Forwarder
from sipcore.proxy.listeners import Listeners
from sipcore.proxy.nat import pass_request
from sipcore.proxy.originate import Originator
from sipcore.proxy.record_route import RecordRoutes
from sipcore.proxy.response_context import ResponseContext, has_way_back
from sipcore.proxy.sending import LiteralsOnly, Locates, Sending
from sipcore.proxy.settings import Header, ProxySettings, Refused, WaitsError
from sipcore.proxy.stateless import Stateless
from sipcore.replication.capability import Kind
from sipcore.replication.journal import Journal
from sipcore.transaction.invite_server import InviteServer, State
from sipcore.transaction.layer import ClientTransaction, ServerTransaction, TransactionLayer
from sipcore.transport.layer import Hop

SESSION = frozenset({b"INVITE", b"UPDATE"})  # what begins or refreshes sessions
RECORD_ROUTED = frozenset({b"INVITE", b"SUBSCRIBE", b"REFER"})  # what makes dialogs


class Proxy(Admission):
    """A stateful proxy for the users of its domains.

    `routes` is set by who puts the parts together; it decides, with the operations below, what becomes of a
    request. `Refused` and `ParseError` out of an operation are answers: `refuse` sends them.
    """

    routes: Routes

    def __init__(
        self,
        settings: ProxySettings,
        layer: TransactionLayer,
        location: LocationTable,
        *,
        dialogs: Dialogs,
        journal: Journal,
        auth: DigestAuth | None = None,
        resolver: Locates | None = None,
    ) -> None:
        tokens = FlowTokens(settings.flow_key) if settings.flow_key else None
        listeners = Listeners(settings.listeners)
        domains = frozenset(settings.domains)
        key = derived(settings.flow_key, b"dialog")
        record_routes = RecordRoutes(listeners, domains, tokens, key=key)
        super().__init__(settings, listeners, record_routes, location, dialogs=dialogs, auth=auth)
        self.layer = layer
        self.wheel = layer.wheel
        self._journal = journal
        self._nat_tests = settings.nat_tests
        self.is_us = self.record_routes.is_us
        forwarder = Forwarder(self.listeners, self.record_routes)
        self.sending = Sending(
            forwarder,
            self.listeners,
            resolver or LiteralsOnly(),
            udp_limit=settings.udp_limit,
            key=derived(settings.flow_key, b"branch"),
        )
        self.originator = Originator(layer, self.listeners, self.sending.resolver)
        self.stateless = Stateless(layer, self.listeners, self.sending)
        self.requests = 0
        self.refused = 0  # requests that were answered here with an error
        layer.observer = self.on_moved

    @property
    def counters(self) -> dict[str, int]:
        """What was counted since the start."""
        return {
            "requests": self.requests,
            "refused": self.refused,
            "overloaded": self.layer.overloaded,
            "dropped": self.stateless.dropped,
            "stray_responses": self.stateless.stray_responses,
        }

    # Inputs: the transaction user

    def on_request(self, request: Request, source: Hop, tx: ServerTransaction | None, now: float) -> None:
        """A new request; without a transaction it is an ACK."""
        if tx is None and len(request.to_tag) == OWN_TAG and request.to_tag == own_tag(request):
            return  # the ACK to a refusal that was sent without state
        self.requests += 1
        self.route(Call(request, source, tx, now), now)

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
            call = Call(cancel, source, None, now)
            try:
                sent = self._relay_cancel(call)
            except (Refused, ParseError):
                sent = False
            if not sent:
                self.stateless.reply(cancel, 481, cancel_tx.hop)
            return
        # what the caller knows the standby must know: hold
        cancel_tx.respond(build_response(cancel, 200, to_tag=own_tag(cancel)), 200, now, hold=True)
        _cancel(invite_tx, now)

    def cancel_invite(self, call_id: bytes, from_tag: bytes, now: float) -> bool:
        """End an INVITE that is not answered yet as if its caller had cancelled it; False: there is none.

        Looks at every transaction: for operators and scripts.
        """
        for tx in self.layer.servers.values():
            request = tx.request
            if (
                request.method == b"INVITE"
                and (request.call_id, request.from_tag, request.to_tag) == (call_id, from_tag, b"")
                and tx.last_status < 200
            ):
                _cancel(tx, now)
                return True
        return False

    def on_response(self, tx: ClientTransaction | None, response: Response, now: float) -> None:
        """A response to one of our branches or own requests, or a stray one."""
        context = tx.context if tx is not None else None
        if isinstance(context, Branch):
            if context.context is not None:
                if has_way_back(response):
                    context.context.on_response(context, response, now)
                else:
                    context.context.on_mangled(context, response.status, now)
                return
            if response.status < 200 and context.cancel is Cancel.WANTED:
                context.cancel = Cancel.SENT
                self.stateless.cancel(context, now)
                return
        elif context is not None:
            self.originator.on_response(context, response, now)
            return
        if tx is None and (now > self.stateless.strays_until or self.stateless.comes_again(response, now)):
            self.stateless.dropped += 1  # RFC 6026, RFC 4320 section 4.2
        elif tx is None or (tx.method == b"INVITE" and 200 <= response.status < 300):
            self.on_late(response, now)

    def on_timeout(self, tx: ClientTransaction, now: float) -> None:
        """A branch or request of ours without a final response."""
        branch = tx.context
        if isinstance(branch, Branch):
            if branch.context is not None:
                branch.context.on_timeout(branch, now)
        elif branch is not None:
            self.originator.on_failure(branch, 408, now)

    def on_transport_error(self, tx: ClientTransaction, now: float) -> None:
        """A branch or request of ours that could not be sent, section 8.1.3.1."""
        branch = tx.context
        if isinstance(branch, Branch):
            if branch.context is not None:
                branch.context.on_transport_error(branch, now)
        elif branch is not None:
            self.originator.on_failure(branch, 503, now)

    def on_moved(self, tx: ServerTransaction, now: float) -> None:
        """An INVITE server transaction made a step: the standby hears of it."""
        if self._journal.capabilities:
            self._journal.touch(Kind.TRANSACTION, tx.key)
        if tx.last_status < 300 and not tx.ended:
            return
        if isinstance(tx, InviteServer) and tx.state is State.COMPLETED:
            self.dialogs.on_failure(tx.request, now, tx.last_status)
        if tx.ended and isinstance(tx.context, ResponseContext):
            tx.context.abandon(now)

    # Services for the response contexts

    def touch(self, tx: ServerTransaction) -> None:
        """The standby must hear of this transaction."""
        if self._journal.capabilities:
            self._journal.touch(Kind.TRANSACTION, tx.key)

    def on_late(self, response: Response, now: float) -> None:
        """A response that no server transaction takes any more."""
        if self.stateless.on_response(response) and response.method == b"INVITE":
            self.dialogs.on_response(response, now)

    def route(self, call: Call, now: float) -> None:
        """Ask the routes: for the first time, or again when an operation could not say at once."""
        tx = call.tx
        if not self.layer.active or (tx is not None and tx.last_status >= 200):
            return  # it waited, and meanwhile was cancelled, or this node is no master any more
        call.now = now
        try:
            self.routes.on_request(call)
        except Refused as refused:
            self.refuse(call, refused)
        except ParseError as error:
            self.refuse(call, Refused(error.status, error.reason.encode()))
        except WaitsError as wait:
            self.trying(call, now)
            wait.pending.then(partial(self.route, call))

    # Operations for the routes: where it goes

    def loose_route(self, call: Call) -> bool:
        """Section 16.4: cut our own Routes; True when the request follows a route set of ours."""
        if b"route" not in call.request.first_lines:
            return False
        info = self.record_routes.information(call.request, call.source)
        if info.flow is not None:
            info = info._replace(flow=self.location.moved.heir(info.flow))
        call.info = info
        call.uri = info.uri
        return info.removed > 0 or info.rewritten

    def record_route(self, call: Call, params: bytes = b"") -> None:
        """Stay on the way of the dialog, section 16.6 step 4; `params` such as b";id=7" come back with it."""
        call.record_routed = True
        call.record_params = params

    def add_path(self, call: Call) -> None:
        """Put us on the way to the contacts of a REGISTER that is relayed, RFC 3327."""
        call.path = True

    def lookup(self, call: Call) -> bool:
        """Section 16.5: the contacts of the user whom the Request-URI names; False: there are none."""
        uri = call.target_uri
        if uri.scheme != b"tel" and uri.host not in self.domains:  # an address of ours
            uri = Uri(uri.scheme, uri.user, b"", self.settings.domains[0], params=uri.params)
        targets = targets_of(self.location.find(uri, call.now), secure=uri.scheme == b"sips")
        self._add(call, targets)
        return bool(targets)

    def append_branch(
        self, call: Call, uri: bytes = b"", *, q: float = 1.0, received: Hop | None = None
    ) -> None:
        """Add a target (the Request-URI as it is now); those of equal q ring together, lower q later."""
        self._add(call, [Target(uri or call.uri, received=received, q=q)])

    def _add(self, call: Call, targets: list[Target]) -> None:
        if call.groups:
            targets = [target for group in call.groups for target in group] + targets
        if targets:
            call.groups = serial_groups(targets, self.settings.max_branches)

    # Operations for the routes: how it ends

    def trying(self, call: Call, now: float) -> None:
        """100 to an INVITE that has had no answer yet, section 17.2.1: when a route is about to wait."""
        tx = call.tx
        if tx is not None and not tx.last_status and call.request.method == b"INVITE":
            tx.respond(build_response(call.request, 100), 100, now, hold=True)

    def relay(self, call: Call, now: float) -> None:
        """Forward it to its target set, or to its Request-URI; in a failure route: to new targets."""
        request, tx = call.request, call.tx
        if self._nat_tests and (b"contact" in request.first_lines or b";alias=" in call.uri):
            pass_request(call, self._nat_tests, self.dialogs)
        groups = call.groups or [[Target(call.uri, (), call.info.flow)]]
        call.groups = []
        if call.context is not None:
            call.context.start(groups, now)
            return
        if request.to_tag:
            self.dialogs.on_request(request, now, call.source, call.dialog)
        if tx is None:
            self.stateless.relay(call, groups, now)
            return
        if tx.last_status >= 200 or self.layer.servers.get(tx.key) is not tx:
            return  # cancelled, answered or handed to another node while a route waited
        if request.method in SESSION and not self._admit_session(call, now):
            return
        ResponseContext(self, call, tx).start(groups, now)

    def reply(self, call: Call, status: int, reason: bytes = b"", headers: tuple[Header, ...] = ()) -> None:
        """Answer it here; what was relayed already is cancelled by a final answer."""
        request, tx = call.request, call.tx
        if tx is None:
            self.stateless.dropped += 1
            return
        data = build_response(request, status, reason, to_tag=own_tag(request), headers=headers)
        if call.context is not None and status >= 200:
            call.context.reply(status, data, call.now)
        elif status >= 300 and request.method == b"INVITE" and may_forget(call, tx):
            tx.respond_once(data, status)
        else:
            tx.respond(data, status, call.now, hold=request.method == b"INVITE")

    def refuse(self, call: Call, refused: Refused) -> None:
        """Answer it as the refusal says."""
        self.refused += refused.status >= 300
        self.reply(call, refused.status, refused.reason, refused.headers)

    def finish(self, call: Call, now: float) -> None:
        """The end of a failure route that has nothing better: the best response goes to the caller."""
        if call.context is not None:
            call.context.finish(now)

    def _admit_session(self, call: Call, now: float) -> bool:
        """What the dialogs say about an INVITE or UPDATE; False: they refuse it."""
        request = call.request
        status = 0
        if request.method == b"INVITE":
            if not request.to_tag:
                status = self.dialogs.on_invite(request, now, call.source)
            self.trying(call, now)
        verdict = self.dialogs.session_timer(request)
        if status or verdict.status:
            self.refuse(call, Refused(status or verdict.status, headers=() if status else verdict.headers))
            return False
        for name, value in verdict.headers:
            call.replace_header(name, value)
        return True

    def _relay_cancel(self, call: Call) -> bool:
        self.loose_route(call)
        call.mark = loop_mark(call.request)
        if self.has_looped(call.request, call.mark):
            return False
        uri = call.target_uri
        if not call.info.routes and (self.is_ours(uri) or uri.scheme == b"tel"):
            self.lookup(call)
        elif self.may_relay(call):
            self.append_branch(call, received=call.info.flow)
        return self.stateless.relay(call, call.groups, call.now)


def _cancel(invite: ServerTransaction, now: float) -> None:
    if isinstance(invite.context, ResponseContext):
        invite.context.on_cancel(now)
    else:  # nothing was relayed: a route still waits for something
        data = build_response(invite.request, 487, to_tag=own_tag(invite.request))
        invite.respond(data, 487, now, hold=True)
