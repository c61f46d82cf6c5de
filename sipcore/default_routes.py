"""Sans-IO: the routes of a server without a script: a registrar and a proxy for the users of its domains."""

from typing import Protocol

from sipcore.message import Request, Response, Uri
from sipcore.message.status import METHODS
from sipcore.proxy.branch import Branch
from sipcore.proxy.call import Call
from sipcore.proxy.core import RECORD_ROUTED, Proxy
from sipcore.proxy.settings import Refused
from sipcore.transaction.layer import ServerTransaction
from sipcore.transport.layer import Hop

ALLOW = b"INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, MESSAGE, SUBSCRIBE, NOTIFY, REFER, INFO, UPDATE, PRACK"


class Registers(Protocol):
    """The registrar, as the routes need it."""

    def on_request(self, request: Request, source: Hop, tx: ServerTransaction, now: float) -> None:
        """Carry out a REGISTER of one of our domains and answer it through `tx`."""


class DefaultRoutes:
    """REGISTER of ours to the registrar, requests of a dialog along their route, all else to its user."""

    def __init__(self, proxy: Proxy, registrar: Registers) -> None:
        self._proxy = proxy
        self._registrar = registrar

    def on_request(self, call: Call) -> None:
        """The whole way of a request."""
        proxy, request = self._proxy, call.request
        if request.method == b"REGISTER" and call.tx is not None and proxy.is_ours(call.target_uri):
            self._registrar.on_request(request, call.source, call.tx, call.now)
            return
        proxy.check(call)
        along = proxy.loose_route(call)
        uri = call.target_uri
        if uri.scheme != b"sip" and not self._knows(uri.scheme):
            raise Refused(416)  # sections 16.3 step 2 and 26.2.2
        if along and request.to_tag:
            self._follow(call, uri)
            return
        if proxy.settings.authenticate and request.method not in (b"ACK", b"CANCEL"):
            proxy.authenticate(call)
        if request.method in RECORD_ROUTED and not request.to_tag:
            proxy.record_route(call)
        if call.info.routes or call.info.flow is not None or not self._is_ours(uri):
            self._send_out(call)
        else:
            self._to_user(call, uri)

    def on_branch(self, call: Call, branch: Branch) -> bool:
        """No branch route is ever armed."""
        return True

    def on_reply(self, call: Call, response: Response) -> Response | None:
        """No reply route is ever armed."""
        return response

    def on_failure(self, call: Call) -> None:
        """No failure route is ever armed; one may have been where this call comes from."""
        self._proxy.finish(call, call.now)

    def _knows(self, scheme: bytes) -> bool:
        return scheme == b"tel" or (scheme == b"sips" and self._proxy.listeners.secure)

    def _is_ours(self, uri: Uri) -> bool:
        if uri.scheme == b"tel":
            if not self._proxy.settings.tel_users:
                raise Refused(416)
            return True
        return self._proxy.is_ours(uri)

    def _follow(self, call: Call, uri: Uri) -> None:
        """Within a dialog: the route set says where to; without any more Routes the Request-URI does."""
        proxy, info = self._proxy, call.info
        if not info.routes and info.flow is None and proxy.is_ours(uri):
            self._to_user(call, uri)
            return
        if not proxy.may_relay(call):
            raise Refused(481)  # a stranger's, with a To tag that he made up
        proxy.relay(call, call.now)

    def _send_out(self, call: Call) -> None:
        proxy = self._proxy
        if not proxy.may_relay(call):
            raise Refused(404, b"Domain not served here")
        proxy.relay(call, call.now)

    def _absent(self, uri: Uri) -> Refused:
        if not self._proxy.settings.hide_users and not self._proxy.is_user(uri):
            return Refused(404)
        if uri.scheme == b"sips":  # RFC 5630: there is no sips contact
            return Refused(480, headers=((b"Warning", b'380 %b "SIPS Not Allowed"' % uri.host),))
        return Refused(480)

    def _to_user(self, call: Call, uri: Uri) -> None:
        proxy = self._proxy
        if not uri.user:
            if call.request.method == b"OPTIONS":  # section 11.2
                proxy.reply(call, 200, b"", ((b"Allow", ALLOW), (b"Accept", b"application/sdp")))
                return
            # section 21.5.2: 501 is for a method that nobody here knows
            raise Refused(404 if call.request.method in METHODS else 501)
        if not proxy.lookup(call):
            raise self._absent(uri)
        proxy.relay(call, call.now)
