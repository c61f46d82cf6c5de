"""Sans-IO: a request as a route sees it: text where OpenSIPS has pseudo-variables.

In a branch route the Request-URI and the header edits are those of the branch, in a reply route the headers
are those of the reply.
"""

from sipcore.auth.digest import Verdict
from sipcore.errors import ParseError
from sipcore.message import Message, NameAddr, Request, Response, Uri
from sipcore.proxy.branch import Branch
from sipcore.proxy.call import Call as ProxyCall
from sipcore.proxy.call import HeaderEdit
from sipcore.script.context import Context
from sipcore.script.errors import RouteError
from sipcore.script.services import Services
from sipcore.script.text import one_line, text


class Call(Context):
    """A request on its way; the names of the attributes are those of the pseudo-variables."""

    __slots__ = (
        "branch",
        "decided",
        "dropped",
        "proxy_call",
        "reply",
        "reply_edits",
        "reply_headers",
        "verdict",
    )

    def __init__(self, services: Services, proxy_call: ProxyCall) -> None:
        super().__init__(services)
        self.proxy_call = proxy_call
        self.branch: Branch | None = None  # in a branch route
        self.reply: Response | None = None  # in a reply route
        self.reply_edits: list[HeaderEdit] | None = None  # of the reply, in a reply route
        self.reply_headers: list[tuple[bytes, bytes]] | None = None  # for replies that are made here
        self.verdict: Verdict | None = None  # of the last authorization
        self.decided = False  # it was relayed or answered
        self.dropped = False  # in a request or branch route: nothing is sent

    @property
    def now(self) -> float:
        """Monotonic seconds: when the message came that the route was called for, or when it was resumed."""
        return self.proxy_call.now

    @now.setter
    def now(self, value: float) -> None:
        self.proxy_call.now = value

    # The request line

    @property
    def request(self) -> Request:
        """The request as it came."""
        return self.proxy_call.request

    @property
    def method(self) -> str:
        """INVITE, BYE, ... OpenSIPS: $rm."""
        return text(self.proxy_call.request.method)

    @property
    def ru(self) -> str:
        """Request-URI, as changed so far; may be set. OpenSIPS: $ru."""
        return text(self._uri)

    @ru.setter
    def ru(self, value: str) -> None:
        self._put(one_line(value, "ru"))

    @property
    def rU(self) -> str:
        """User part of the Request-URI; may be set. OpenSIPS: $rU."""
        return text(Uri.parse(self._uri).user)

    @rU.setter
    def rU(self, value: str) -> None:
        uri = Uri.parse(self._uri)
        uri.user = one_line(value, "rU")
        self._put(bytes(uri))

    @property
    def rd(self) -> str:
        """Domain of the Request-URI; may be set. OpenSIPS: $rd."""
        return text(Uri.parse(self._uri).host)

    @rd.setter
    def rd(self, value: str) -> None:
        uri = Uri.parse(self._uri)
        uri.host = one_line(value, "rd")
        self._put(bytes(uri))

    @property
    def rp(self) -> int:
        """Port of the Request-URI, 0 when it has none; may be set. OpenSIPS: $rp."""
        return Uri.parse(self._uri).port or 0

    @rp.setter
    def rp(self, value: int) -> None:
        uri = Uri.parse(self._uri)
        uri.port = value or None
        self._put(bytes(uri))

    @property
    def scheme(self) -> str:
        """Scheme of the Request-URI: sip, sips, tel. OpenSIPS: $(ru{uri.schema})."""
        return text(self._uri.partition(b":")[0].lower())

    @property
    def ou(self) -> str:
        """Request-URI as it came. OpenSIPS: $ou."""
        return text(self.proxy_call.request.uri)

    @property
    def du(self) -> str:
        """URI to send to in place of the Request-URI; may be set, also to "". OpenSIPS: $du."""
        return text(self.proxy_call.destination)

    @du.setter
    def du(self, value: str) -> None:
        data = one_line(value, "du")
        if data:
            Uri.parse(data)
        self.proxy_call.destination = data

    # From, To and the rest of the vital headers

    @property
    def fu(self) -> str:
        """From URI. OpenSIPS: $fu."""
        return text(_address(self._message, b"from"))

    @property
    def fU(self) -> str:
        """User part of the From URI. OpenSIPS: $fU."""
        return text(_uri(self._message, b"from").user)

    @property
    def fd(self) -> str:
        """Domain of the From URI. OpenSIPS: $fd."""
        return text(_uri(self._message, b"from").host)

    @property
    def ft(self) -> str:
        """From tag. OpenSIPS: $ft."""
        return text(self._message.from_tag)

    @property
    def tu(self) -> str:
        """To URI. OpenSIPS: $tu."""
        return text(_address(self._message, b"to"))

    @property
    def tU(self) -> str:
        """User part of the To URI. OpenSIPS: $tU."""
        return text(_uri(self._message, b"to").user)

    @property
    def td(self) -> str:
        """Domain of the To URI. OpenSIPS: $td."""
        return text(_uri(self._message, b"to").host)

    @property
    def tt(self) -> str:
        """To tag, empty in an initial request. OpenSIPS: $tt."""
        return text(self._message.to_tag)

    @property
    def ci(self) -> str:
        """Call-ID. OpenSIPS: $ci."""
        return text(self.proxy_call.request.call_id)

    @property
    def cs(self) -> int:
        """CSeq number. OpenSIPS: $cs."""
        return self.proxy_call.request.cseq

    @property
    def ct(self) -> str:
        """Contact, as it stands in the message. OpenSIPS: $ct."""
        return self.hdr("Contact")

    @property
    def ua(self) -> str:
        """User-Agent. OpenSIPS: $ua."""
        return self.hdr("User-Agent")

    @property
    def rb(self) -> bytes:
        """The body. OpenSIPS: $rb."""
        return self._message.body

    def hdr(self, name: str, index: int = 0) -> str:
        """The value of a header line, "" when there is none; -1: the last one. OpenSIPS: $(hdr(name)[i])."""
        lines = self._message.lines(name.lower().encode())
        return text(lines[index]) if -len(lines) <= index < len(lines) else ""

    def hdrs(self, name: str) -> list[str]:
        """All values of a header, comma-separated ones one by one. OpenSIPS: $(hdr(name)[*])."""
        return [text(value) for value in self._message.values(name.lower().encode())]

    # Where it came from, who sent it

    @property
    def si(self) -> str:
        """Source address. OpenSIPS: $si."""
        return self.proxy_call.source.host

    @property
    def sp(self) -> int:
        """Source port. OpenSIPS: $sp."""
        return self.proxy_call.source.port

    @property
    def proto(self) -> str:
        """Transport that it came over: udp, tcp, tls, ws or wss. OpenSIPS: $proto."""
        return self.proxy_call.source.transport

    @property
    def au(self) -> str:
        """User that proved who it is, "" before. OpenSIPS: $au."""
        return text(self.proxy_call.user)

    @property
    def values(self) -> dict[str, str]:
        """Values of this call, kept to its end and over a takeover. OpenSIPS: $avp(name)."""
        return self.proxy_call.values

    # Replies

    @property
    def rs(self) -> int:
        """Status of the reply; in a failure route of the best one. OpenSIPS: $rs, $T_reply_code."""
        return self.reply.status if self.reply is not None else self.proxy_call.status

    @property
    def rr(self) -> str:
        """Reason of the reply in a reply route. OpenSIPS: $rr."""
        return text(self.reply.reason) if self.reply is not None else ""

    @property
    def key(self) -> str:
        """The Call-ID, for log lines."""
        return self.ci

    # Steps

    @property
    def _message(self) -> Message:
        return self.reply if self.reply is not None else self.proxy_call.request

    @property
    def _uri(self) -> bytes:
        return self.branch.uri if self.branch is not None else self.proxy_call.uri

    def _put(self, uri: bytes) -> None:
        try:
            Uri.parse(uri)
        except ParseError as error:
            raise RouteError(f"{uri[:60]!r} is no URI: {error}") from None
        if self.branch is not None:
            self.branch.uri = uri
        else:
            self.proxy_call.uri = uri


def _address(message: Message, name: bytes) -> bytes:
    return NameAddr.parse(message.first(name) or b"").uri


def _uri(message: Message, name: bytes) -> Uri:
    return Uri.parse(_address(message, name))
