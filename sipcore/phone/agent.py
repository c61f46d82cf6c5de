"""Sans-IO: a SIP user agent with many users on one socket: registers, calls, answers, hangs up.

Commands go in as method calls, datagrams by `feed`; `outbox` holds what to send, `events` what happened.
"""

from collections.abc import Callable, Mapping

from sipcore.errors import ParseError
from sipcore.message import Request, Response, Uri, build_response, parse
from sipcore.phone.calls import Callee, Caller, Leg
from sipcore.phone.digest import Challenge, choose
from sipcore.phone.line import Exchange
from sipcore.phone.options import Options
from sipcore.phone.registration import Registration
from sipcore.timers import Timer, TimerWheel
from sipcore.transaction.key import client_key
from sipcore.transaction.layer import ClientTransaction, ServerTransaction, TransactionLayer
from sipcore.transaction.timers import TimerValues
from sipcore.transport.layer import Hop, Send

ALLOW = (b"Allow", b"INVITE, ACK, CANCEL, BYE, OPTIONS")
MAX_STALE = 3  # answers to "stale" before we call it a failure
INVITE_LIFE = 600.0  # how long answers of further branches are still acknowledged, seconds

Event = dict[str, object]


class Phone:
    """The agent; `seed` makes its tokens unlike those of any other phone."""

    def __init__(
        self,
        *,
        local: Hop,
        proxy: Hop,
        domain: bytes,
        passwords: Mapping[bytes, bytes],
        seed: bytes,
        timers: TimerValues,
        now: float,
    ) -> None:
        self.proxy = proxy
        self.timers = timers
        self.outbox: list[Send] = []
        self.events: list[Event] = []
        self.dropped = 0  # datagrams that were no SIP
        self.auto_answer: set[bytes] = set()
        self._domain = domain
        self._passwords = passwords
        self._seed = seed
        self._count = 0
        self.host = local.host.encode()
        host = b"[" + self.host + b"]" if b":" in self.host else self.host
        self._sent_by = b"%b:%d" % (host, local.port)
        self._transport = local.transport
        self._wheel = TimerWheel(now=now)
        self._layer = TransactionLayer(user=self, wheel=self._wheel, outbox=self.outbox, timers=timers)
        self._exchanges: dict[bytes, Exchange] = {}  # by key of the client transaction
        self._challenges: dict[bytes, Challenge] = {}
        self._registrations: dict[bytes, Registration] = {}
        self._legs: dict[tuple[bytes, bytes], Leg] = {}  # by Call-ID and our tag
        self._callers: dict[str, Caller] = {}
        self._callees: dict[str, Callee] = {}
        self._merged: dict[tuple[bytes, bytes, int], Callee] = {}  # section 8.2.2.2

    # Commands

    def register(self, user: bytes, expires: int, now: float) -> None:
        """Register a user, or with `expires` 0 take the binding away."""
        if user not in self._registrations:
            self._registrations[user] = Registration(self, user, self._domain)
        self._registrations[user].register(expires, now)

    def call(self, name: str, caller: bytes, called: bytes, now: float) -> None:
        """Call someone: a user of our domain, user@domain, or a URI."""
        leg = Caller(self, name, caller, called, self._domain)
        self._callers[name] = self._legs[leg.key] = leg
        leg.invite(now)

    def answer(self, name: str, now: float) -> bool:
        """Answer a ringing call."""
        callee = self._callees.get(name)
        return callee is not None and callee.answer(now)

    def reject(self, name: str, status: int, now: float) -> bool:
        """Refuse a ringing call."""
        callee = self._callees.get(name)
        return callee is not None and callee.reject(status, now)

    def cancel(self, name: str, now: float) -> bool:
        """Give up a call that is not answered."""
        caller = self._callers.get(name)
        return caller is not None and caller.cancel(now)

    def bye(self, name: str, side: str, now: float) -> bool:
        """End a call that is up, from the side of the caller or the callee."""
        legs: Mapping[str, Leg] = self._callees if side == "callee" else self._callers
        leg = legs.get(name)
        return leg is not None and leg.bye(now)

    def options(self, name: str, user: bytes, now: float, uri: bytes = b"") -> None:
        """Ask the proxy (or any URI) for its options: shows that it lives."""
        Options(self, name, user, self._domain).send(uri or b"sip:" + self._domain, now)

    @property
    def holds(self) -> int:
        """How many calls and requests are remembered."""
        return (
            len(self._legs)
            + len(self._callers)
            + len(self._callees)
            + len(self._merged)
            + len(self._exchanges)
        )

    # The wire and the clock

    @property
    def deadline(self) -> float | None:
        """When to call `on_timer` next."""
        return self._wheel.deadline

    def on_timer(self, now: float) -> None:
        """Carry out what is due."""
        self._wheel.advance(now)

    def feed(self, data: bytes, source: Hop, now: float) -> None:
        """A datagram came."""
        try:
            message = parse(data)
        except ParseError:
            self.dropped += 1
            return
        self._layer.receive(message, source, now)

    # What the transaction layer tells us

    def on_request(self, request: Request, source: Hop, tx: ServerTransaction | None, now: float) -> None:
        """A new request, or the ACK of a 2xx (then `tx` is None)."""
        del source
        leg = self._legs.get((request.call_id, request.to_tag)) if request.to_tag else None
        if request.method == b"ACK":
            if isinstance(leg, Callee):
                leg.on_ack(now)
        elif tx is None:
            return
        elif request.to_tag and leg is None:
            self._respond(tx, request, 481, now)
        elif leg is not None:
            self._in_dialog(request, tx, leg, now)
        elif request.method == b"INVITE":
            self._invited(request, tx, now)
        else:
            self._respond(tx, request, 200 if request.method == b"OPTIONS" else 405, now)

    def on_cancel(
        self,
        cancel: Request,
        source: Hop,
        cancel_tx: ServerTransaction,
        invite_tx: ServerTransaction | None,
        now: float,
    ) -> None:
        """Section 9.2."""
        del source
        callee = self._merged.get((cancel.call_id, cancel.from_tag, cancel.cseq))
        if invite_tx is None or callee is None:
            self._respond(cancel_tx, cancel, 481, now)
            return
        self._respond(cancel_tx, cancel, 200, now, callee.tag)
        callee.on_cancel(now)

    def on_response(self, tx: ClientTransaction | None, response: Response, now: float) -> None:
        """A response; without a transaction it can still be the 200 of a call (its transaction has ended)."""
        key = client_key(response.top_via.branch, response.method)
        exchange = self._exchanges.get(key)
        if exchange is None:
            return
        if response.status >= 200 and response.method != b"INVITE":
            del self._exchanges[key]
        exchange.on_response(response, now)

    def on_timeout(self, tx: ClientTransaction, now: float) -> None:
        """No final response came."""
        exchange = self._exchanges.pop(tx.key, None)
        if exchange is not None:
            exchange.on_timeout(now)

    def on_transport_error(self, tx: ClientTransaction, now: float) -> None:
        """It could not be sent: no final response comes either."""
        self.on_timeout(tx, now)

    # What registrations and calls ask of us (line.Line)

    def token(self) -> bytes:
        """A text that was never used before."""
        self._count += 1
        return b"%b-%x" % (self._seed, self._count)

    def via(self) -> bytes:
        """A Via value with a new branch; rport for a phone behind a NAT (RFC 3581)."""
        transport = self._transport.upper().encode()
        return b"SIP/2.0/%b %b;branch=z9hG4bK%b;rport" % (transport, self._sent_by, self.token())

    def contact(self, user: bytes) -> bytes:
        """The Contact value of one user."""
        param = b"" if self._transport == "udp" else b";transport=" + self._transport.encode()
        return b"<sip:%b@%b%b>" % (user, self._sent_by, param)

    def credentials(self, user: bytes, method: bytes, uri: bytes) -> list[tuple[bytes, bytes]]:
        """The header that answers the last challenge to this user, if there was one."""
        challenge = self._challenges.get(user)
        if challenge is None:
            return []
        name = b"Proxy-Authorization" if challenge.proxy else b"Authorization"
        password = self._passwords.get(user, b"")
        return [(name, challenge.answer(user, password, method=method, uri=uri, cnonce=self.token()))]

    def challenged(self, user: bytes, response: Response, retries: int) -> bool:
        """Remember the challenge; False when our credentials were refused, or we have none."""
        proxy = response.status == 407
        new = choose(response.lines(b"proxy-authenticate" if proxy else b"www-authenticate"), proxy=proxy)
        if new is None or user not in self._passwords:
            return False
        if retries and not (new.stale and retries < MAX_STALE):
            self._challenges.pop(user, None)
            return False
        self._challenges[user] = new
        return True

    def request(self, data: bytes, hop: Hop, exchange: Exchange, now: float) -> None:
        """Send a request in a transaction of its own."""
        tx = self._layer.request(data, hop, now)
        self._exchanges[tx.key] = exchange
        if tx.method == b"INVITE":  # several answers may come, so time ends it
            self.schedule(now + INVITE_LIFE, lambda _now: self._drop(tx.key))

    def send(self, data: bytes, hop: Hop) -> None:
        """Send an ACK for a 2xx."""
        self.outbox.append(Send(data, hop))

    def schedule(self, at: float, callback: Callable[[float], None]) -> Timer:
        """Call back at this time."""
        return self._wheel.schedule(at, callback)

    def unschedule(self, timer: Timer) -> None:
        """Do not call back."""
        self._wheel.cancel(timer)

    def emit(self, event: str, **fields: object) -> None:
        """Keep an event for the shell."""
        self.events.append({"event": event, **fields})

    def forget(self, name: str, key: tuple[bytes, bytes]) -> None:
        """A leg is over for good."""
        leg = self._legs.pop(key, None)
        if self._callers.get(name) is leg:
            self._callers.pop(name, None)
        if isinstance(leg, Callee):
            self._merged.pop(leg.merged, None)
            if self._callees.get(name) is leg:
                self._callees.pop(name, None)

    # Steps

    def _drop(self, key: bytes) -> None:
        self._exchanges.pop(key, None)

    def _invited(self, request: Request, tx: ServerTransaction, now: float) -> None:
        shared = request.first(b"x-call-id") or request.call_id
        name = shared.decode("utf-8", "replace")
        merged = (request.call_id, request.from_tag, request.cseq)
        if merged in self._merged:
            self.emit("duplicate_invite", id=name)
            self._respond(tx, request, 482, now)
            return
        user = Uri.parse(request.uri).user
        if user not in self._passwords:
            self._respond(tx, request, 404, now)
            return
        callee = Callee(self, name, user, invite=request, tx=tx)
        self._merged[merged] = self._callees[name] = self._legs[callee.key] = callee
        callee.ring(now)
        if user in self.auto_answer:
            callee.answer(now)

    def _in_dialog(self, request: Request, tx: ServerTransaction, leg: Leg, now: float) -> None:
        if request.method == b"BYE":
            self._respond(tx, request, 200, now)
            leg.on_bye(now)
        else:  # a new offer is refused, the session goes on as it was (section 14.2)
            self._respond(tx, request, 488 if request.method == b"INVITE" else 200, now)

    def _respond(
        self, tx: ServerTransaction, request: Request, status: int, now: float, tag: bytes = b""
    ) -> None:
        to_tag = request.to_tag or tag or self.token()
        headers = (ALLOW,) if request.method == b"OPTIONS" or status == 405 else ()
        tx.respond(build_response(request, status, to_tag=to_tag, headers=headers), status, now)
