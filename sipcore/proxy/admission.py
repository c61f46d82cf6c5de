"""Sans-IO: whether a request may be forwarded, RFC 3261 section 16.3, and for whom."""

from collections.abc import Callable
from typing import Protocol

from sipcore.auth.digest import CredentialsUnavailableError, DigestAuth, Pending
from sipcore.dialog.dialog import Dialog
from sipcore.dialog.session_timer import Verdict
from sipcore.errors import ParseError
from sipcore.location.table import LocationTable
from sipcore.message import NameAddr, Request, Response, Uri, Via
from sipcore.proxy.branch_id import loop_mark
from sipcore.proxy.call import Call
from sipcore.proxy.listeners import Listeners
from sipcore.proxy.max_breadth import max_breadth
from sipcore.proxy.record_route import RecordRoutes
from sipcore.proxy.settings import Header, ProxySettings, Refused, WaitsError
from sipcore.transaction.machine import ServerTransaction
from sipcore.transport.layer import Hop


class Dialogs(Protocol):
    """Who follows the dialogs, as the proxy needs him."""

    heir: Callable[[Hop], Hop]  # the connection that a phone has instead of the one that it had

    def find(self, message: Request | Response) -> Dialog | None:
        """The dialog that a message belongs to."""

    def on_invite(self, invite: Request, now: float, source: Hop | None = None) -> int:
        """An initial INVITE is about to be forwarded: 0, or the status to refuse it with."""

    def session_timer(self, request: Request) -> Verdict:
        """What RFC 4028 wants of an INVITE or UPDATE before it is forwarded."""

    def on_request(
        self, request: Request, now: float, source: Hop | None = None, dialog: Dialog | None = None
    ) -> None:
        """A request within a dialog (this one, if it was found already) is about to be forwarded."""

    def on_response(
        self, response: Response, now: float, request: Request | None = None, hop: Hop | None = None
    ) -> tuple[Header, ...]:
        """A response to INVITE or UPDATE goes to the caller, with these headers in it."""

    def on_failure(self, invite: Request, now: float, status: int = 0) -> None:
        """An INVITE ended with this status and no 2xx, whoever said so."""


class Admission:
    """The operations of the proxy that say no."""

    def __init__(
        self,
        settings: ProxySettings,
        listeners: Listeners,
        record_routes: RecordRoutes,
        location: LocationTable,
        *,
        dialogs: Dialogs,
        auth: DigestAuth | None,
    ) -> None:
        self.settings = settings
        self.listeners = listeners
        self.record_routes = record_routes
        self.location = location
        self.dialogs = dialogs
        self.auth = auth
        self.domains = frozenset(settings.domains)

    def check(self, call: Call) -> None:
        """Section 16.3: is this request one that may be forwarded? The syntax was checked by the parser."""
        request = call.request
        if request.max_forwards == 0:
            raise Refused(483)
        call.mark = mark = loop_mark(request)
        if self.has_looped(request, mark):
            raise Refused(482)  # RFC 5393 section 4.2
        names = request.first_lines
        if b"proxy-require" in names:
            extensions = request.lines(b"proxy-require")
            raise Refused(420, headers=((b"Unsupported", b", ".join(extensions)),))
        if b"max-breadth" in names and not max_breadth(request):
            raise Refused(440)  # RFC 5393 section 5.3

    def has_looped(self, request: Request, mark: bytes) -> bool:
        """Section 16.3 step 4: whether a Via with this mark is ours; that of another SIP core is no loop."""
        if mark not in request.first_lines[b"via"] and not _is_below(request, mark):
            return False
        for value in request.values(b"via"):
            via = Via.parse(value)
            transport = via.transport.lower().decode("latin-1")
            if (
                via.branch.startswith(mark)
                and self.listeners.index_of(via.host, via.port, transport) is not None
            ):
                return True
        return False

    def authenticate(self, call: Call) -> None:
        """Challenge who says that he is one of our users, sections 16.3 step 6 and 22.3."""
        caller = NameAddr.parse(call.request.first(b"from") or b"").uri
        if self.auth is None or not self.is_ours(Uri.parse(caller)):
            return
        verdict = self.auth.check(call.request, call.now, proxy=True, source=call.source)
        if verdict.pending is not None:
            raise WaitsError(verdict.pending)
        if verdict.user is None:
            raise Refused(verdict.status, headers=verdict.headers)
        if verdict.user != Uri.parse(caller).user:
            raise Refused(403, b"Not your address-of-record")
        call.user = verdict.user

    def is_ours(self, uri: Uri) -> bool:
        """Whether this URI lies in our domains or names this node itself."""
        if b"maddr" in uri.params and uri.params[b"maddr"] != uri.host:
            return False  # it would go there
        return uri.host in self.domains or self.listeners.names_us(uri)

    def is_user(self, uri: Uri) -> bool:
        """Whether one of our users has this address, registered or not."""
        if self.auth is None:
            return self.location.record(self.location.aor(uri)) is not None
        users = self.auth.credentials
        try:
            found = [users.ha1(uri.user, algorithm) for algorithm in users.algorithms()]
        except CredentialsUnavailableError:
            return True  # nobody can say: he may come back
        for ha1 in found:
            if isinstance(ha1, Pending):
                raise WaitsError(ha1)
        return any(ha1 is not None for ha1 in found)

    def may_relay(self, call: Call) -> bool:
        """Whether we send this to a foreign domain: who is not ours gets no open relay.

        Ours is who has authenticated, and, where nobody is asked to, who calls from a registered address;
        also what belongs to a dialog that we know or, by our Record-Route, once knew.
        """
        request = call.request
        if self.settings.relay == "any" or call.user or call.info.flow is not None:
            return True
        if request.to_tag:
            call.dialog = self.dialogs.find(request)
            if call.dialog is not None or self.record_routes.is_signed(call.info, request.call_id):
                return True
        caller = Uri.parse(NameAddr.parse(request.first(b"from") or b"").uri)
        if self.settings.authenticate or not self.is_ours(caller):
            return False
        return any(
            (binding.received.host if binding.received is not None else _host(binding.uri))
            == call.source.host
            for binding in self.location.find(caller, call.now)
        )


def may_forget(call: Call, tx: ServerTransaction) -> bool:
    """Whether an INVITE may be refused without state, sections 8.2.7 and 26.3.2.4.

    What timer G would repeat hits whomever a datagram names as its source: who has not shown that he is there
    gets one answer for each that he sends. Who has had a 100 sends no more, so his transaction stays.
    """
    return not (tx.last_status or tx.reliable or call.user or call.context)


def _is_below(request: Request, mark: bytes) -> bool:
    """Whether the mark stands in a Via under the first line."""
    return request.has_more_than_one(b"via") and any(mark in line for line in request.lines(b"via"))


def _host(uri: bytes) -> str:
    try:
        return Uri.parse(uri).host.strip(b"[]").decode("latin-1")
    except ParseError:
        return ""
