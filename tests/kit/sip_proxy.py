"""Sans-IO: one SIP core as master in virtual time, and the messages of callers and callees by hand."""

from sipcore.auth.digest import DigestAuth
from sipcore.location.binding import Binding
from sipcore.message import Request, Response, build_response, parse
from sipcore.proxy import ProxySettings
from sipcore.proxy.sending import Locates
from sipcore.role import Role
from sipcore.transport.layer import Hop, Send
from tests.kit.sip_messages import parsed_request, request
from tests.kit.sip_pair import SETTINGS, Node

CALLER = Hop("192.0.2.1", 5060)
VIA = b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-1"


class Bench:
    """`say` feeds a message and returns what the core sends upon it."""

    def __init__(
        self,
        settings: ProxySettings = SETTINGS,
        *,
        resolver: Locates | None = None,
        auth: DigestAuth | None = None,
    ) -> None:
        self.now = 0.0
        self.node = Node("a", settings, resolver=resolver, auth=auth)
        self.core = self.node.core
        self.core.on_role(Role.MASTER, 1, 0.0)

    def register(
        self,
        user: bytes,
        host: str,
        *,
        q: float = 1.0,
        path: tuple[bytes, ...] = (),
        uri: bytes = b"",
        received: Hop | None = None,
    ) -> None:
        """A contact of a user."""
        uri = uri or b"sip:%b@%b:5060" % (user, host.encode())
        binding = Binding(uri, call_id=uri, cseq=1, expires_at=1e6, q=q, path=path, received=received)
        self.node.location.save(b"sip:%b@example.test" % user, binding, self.now)

    def say(self, data: bytes, source: Hop = CALLER) -> list[Request | Response]:
        """What the core sends when this comes."""
        self.core.feed(data, source, self.now)
        return self.heard()

    def invite(
        self, uri: bytes = b"sip:bob@example.test", *, via: bytes = VIA, call_id: bytes = b"call-1@127.0.0.1"
    ) -> list[Request | Response]:
        """An INVITE from the caller, to bob if nothing else is said."""
        return self.say(request(b"INVITE", uri, via=via, call_id=call_id))

    def answer(self, sent: Request | Response, status: int, tag: bytes = b"") -> list[Request | Response]:
        """The callee answers what the core sent to it."""
        assert isinstance(sent, Request)
        headers = ((b"Contact", b"<%b>" % sent.uri),)
        data = build_response(sent, status, to_tag=tag or b"tag-of-" + sent.uri[-16:], headers=headers)
        return self.say(data, Hop("192.0.2.2", 5060))

    def run(self, seconds: float) -> list[Request | Response]:
        """Let time pass; what was sent meanwhile."""
        found: list[Request | Response] = []
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + 0.05, end)
            self.core.on_timer(self.now)
            found += self.heard()
        return found

    def sends(self) -> list[Send]:
        """What is to be sent, with its hops."""
        return self.core.take()

    def heard(self) -> list[Request | Response]:
        """What is to be sent, parsed."""
        return [parse(send.data) for send in self.core.take()]


def brief(messages: list[Request | Response]) -> list[str]:
    """A method or a status for each."""
    return [str(m.status) if isinstance(m, Response) else m.method.decode() for m in messages]


def of(method: bytes, messages: list[Request | Response]) -> list[Request]:
    """The requests of this method."""
    return [m for m in messages if isinstance(m, Request) and m.method == method]


__all__ = ["CALLER", "VIA", "Bench", "brief", "of", "parsed_request", "request"]
