"""Sans-IO: a request on its way through the routes, and what the routes are told."""

from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from sipcore.message import Request, Response, Uri
from sipcore.proxy.edits import Change, HeaderEdit
from sipcore.proxy.forking import Target
from sipcore.proxy.record_route import NO_ROUTES, RouteInfo
from sipcore.transaction.machine import ServerTransaction
from sipcore.transport.layer import Hop

if TYPE_CHECKING:
    from sipcore.dialog.dialog import Dialog
    from sipcore.proxy.branch import Branch
    from sipcore.proxy.response_context import ResponseContext

MAX_KEPT = 256  # bytes of a URI that is kept
_read = lru_cache(4096)(Uri.parse)  # the requests of a dialog all have the same one
__all__ = ["Call", "Change", "HeaderEdit", "Routes"]


class Call:
    """A request on its way: the operations of `Proxy` read and change it; the routes decide which.

    What of it a takeover needs is in `proxy.takeover`: all but `request`, `source`, `tx`, `now` and what
    follows from them.
    """

    __slots__ = (
        "_parsed", "_parsed_of", "branch_route", "context", "deciding", "destination", "dialog",
        "edits", "failure_route", "fr_inv_timer", "fr_timer", "groups", "info", "mark", "now", "path",
        "record_params", "record_routed", "recurse", "reply_route", "request", "source", "tx", "uri", "user",
        "values",
    )  # fmt: skip

    def __init__(self, request: Request, source: Hop, tx: ServerTransaction | None, now: float) -> None:
        self.request = request
        self.source = source
        self.tx = tx  # None: an ACK, which nobody answers
        self.now = now  # when the message came that the routes are called for
        self.uri = request.uri  # Request-URI as changed so far
        self.mark = b""  # first part of its branch ids; `check` sets it
        self.info: RouteInfo = NO_ROUTES  # `loose_route` sets it
        self.dialog: Dialog | None = None  # that of a request within one; `may_relay` sets it
        self.groups: list[list[Target]] = []  # target set, section 16.5; one group after the other
        self.destination = b""  # URI to send to in place of the Request-URI ($du of OpenSIPS)
        self.edits: list[HeaderEdit] = []
        self.record_routed = False
        self.record_params = b""  # `;name=value` for our Record-Route
        self.path = False  # put us into the Path of a REGISTER, RFC 3327
        self.branch_route = ""  # names of the armed routes
        self.failure_route = ""
        self.reply_route = ""
        self.deciding = ""  # name of the failure route that is deciding now
        self.fr_timer = 0.0  # seconds to wait for a first response; 0: timer B or F
        self.fr_inv_timer = 0.0  # seconds that a group may ring; 0: as configured
        self.recurse: bool | None = None  # None: as configured
        self.user = b""  # who has proved to send it
        self.values: dict[str, str] = {}  # AVPs
        self.context: ResponseContext | None = None  # once it has been relayed
        self._parsed: Uri | None = None
        self._parsed_of = b""

    @property
    def target_uri(self) -> Uri:
        """`uri`, parsed, not to be changed; ParseError when it is none."""
        parsed = self._parsed
        if parsed is None or self._parsed_of is not self.uri:
            uri = self._parsed_of = self.uri
            self._parsed = parsed = _read(uri) if len(uri) <= MAX_KEPT else Uri.parse(uri)
        return parsed

    @property
    def status(self) -> int:
        """In a failure route: the best final response so far; 0 before there is one."""
        return self.context.best_status if self.context is not None else 0

    @property
    def cancelled(self) -> bool:
        """Whether the caller has changed its mind."""
        return self.context is not None and self.context.cancelled

    def append_header(self, name: bytes, value: bytes) -> None:
        """Add a header line to what is relayed."""
        self.edits.append(HeaderEdit(Change.APPEND, name, value))

    def insert_header(self, name: bytes, value: bytes) -> None:
        """Add a header line above those of its name."""
        self.edits.append(HeaderEdit(Change.INSERT, name, value))

    def replace_header(self, name: bytes, value: bytes) -> None:
        """Give the first line of that header another value, or add it."""
        self.edits.append(HeaderEdit(Change.REPLACE, name, value))

    def remove_header(self, name: bytes) -> None:
        """Take out every line of that header."""
        self.edits.append(HeaderEdit(Change.REMOVE, name))

    def replace_body(self, content_type: bytes, body: bytes) -> None:
        """Put in another body."""
        self.edits.append(HeaderEdit(Change.BODY, content_type, body))


class Routes(Protocol):
    """Who decides what becomes of a request: a script, or the default routes.

    `Refused` and `ParseError` out of `on_request` are answered by the proxy.
    """

    def on_request(self, call: Call) -> None:
        """A new request, or an ACK (`call.tx` is None)."""

    def on_branch(self, call: Call, branch: "Branch") -> bool:
        """`call.branch_route` is armed and this copy is about to be written: change its `uri` or `edits`.

        False: it is not sent.
        """

    def on_reply(self, call: Call, response: Response) -> Response | None:
        """`call.reply_route` is armed: the response to go on with, as it came or edited.

        None drops it; a final response goes on all the same.
        """

    def on_failure(self, call: Call) -> None:
        """The failure route named `call.deciding` decides, now or later.

        It ends with `Proxy.relay` (new targets), `Proxy.reply` or `Proxy.finish` (the best response goes to
        the caller); until then the caller waits, and a CANCEL ends it. `call.failure_route` is empty: who
        wants to be called again arms it again.
        """
