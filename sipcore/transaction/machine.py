"""Sans-IO: what the four transactions have in common: deadlines in the timer wheel, and whom they serve."""

from math import inf
from typing import Protocol

from sipcore.message import Request, Response, parse
from sipcore.timers import Timer, TimerWheel
from sipcore.transaction.timers import TimerValues
from sipcore.transaction.traffic import Traffic
from sipcore.transport.layer import Hop, Send


class Transaction:
    """A transaction: it has at most one retransmission timer and one timer that ends its state.

    The nearer of the two is its only entry in the timer wheel. `context` belongs to the transaction user.
    """

    __slots__ = ("_armed_at", "_owner", "_timer", "context", "ends_at", "hop", "interval", "key", "resend_at")

    def __init__(self, owner: "Owner", key: bytes, hop: Hop) -> None:
        self.key = key
        self.hop = hop  # where it sends to
        self.context: object = None
        self.interval = 0.0  # until the next retransmission
        self.resend_at = inf
        self.ends_at = inf
        self._owner = owner
        self._timer: Timer | None = None
        self._armed_at = inf

    @property
    def reliable(self) -> bool:
        """Whether the transport itself repeats what is lost."""
        return self.hop.transport != "udp"

    def on_timer(self, now: float) -> None:
        """The nearer deadline has come."""
        self._timer = None
        self._armed_at = inf
        if self.ends_at <= now:
            self._on_end_timer(now)
        elif self.resend_at <= now:
            self._owner.traffic.resent += 1
            self._on_resend_timer(now)
        else:
            self._arm()

    def on_transport_error(self, now: float) -> None:
        """What it sent last could not be sent."""
        raise NotImplementedError

    def send_again(self) -> None:
        """Send what it sent last, over a new connection."""
        raise NotImplementedError

    def drop(self) -> None:
        """Forget the transaction: no timer of it fires any more, nothing is sent."""
        self.ends_at = self.resend_at = inf
        if self._timer is not None:
            self._arm()
        self._owner.forget(self)

    def _on_end_timer(self, now: float) -> None:
        raise NotImplementedError

    def _on_resend_timer(self, now: float) -> None:
        raise NotImplementedError

    def _arm(self) -> None:
        at = min(self.resend_at, self.ends_at)
        if at == self._armed_at:
            return
        wheel = self._owner.wheel
        if self._timer is not None:
            wheel.cancel(self._timer)
        self._armed_at = at
        self._timer = wheel.schedule(at, self.on_timer) if at < inf else None


class ClientTransaction(Transaction):
    """A request that we sent; `data` are its bytes, with our Via on top."""

    __slots__ = ("_request", "data", "method")

    def __init__(self, owner: "Owner", key: bytes, hop: Hop, *, method: bytes, data: bytes) -> None:
        super().__init__(owner, key, hop)
        self.method = method
        self.data = data
        self._request: Request | None = None

    @property
    def request(self) -> Request:
        """The request, parsed when somebody asks (for its ACK or CANCEL)."""
        if self._request is None:
            request = parse(self.data)
            assert isinstance(request, Request)
            self._request = request
        return self._request

    def start(self, now: float) -> None:
        """Send the request for the first time."""
        raise NotImplementedError

    def on_response(self, response: Response, now: float) -> None:
        """A response that matched."""
        raise NotImplementedError

    def send_again(self) -> None:
        """The request, as long as nobody has answered it."""
        if not self.heard:
            self._send()

    @property
    def heard(self) -> bool:
        """Whether any response has come."""
        raise NotImplementedError

    def _send(self) -> None:
        self._owner.outbox.append(Send(self.data, self.hop))


class ServerTransaction(Transaction):
    """A request that came to us; `hop` is where its responses go, section 18.2.2."""

    __slots__ = ("hold", "last_response", "last_status", "request", "source")

    def __init__(self, owner: "Owner", key: bytes, hop: Hop, *, request: Request, source: Hop) -> None:
        super().__init__(owner, key, hop)
        self.request = request
        self.source = source
        self.last_response = b""
        self.last_status = 0
        self.hold = False

    def respond(self, data: bytes, status: int, now: float, hold: bool = False) -> None:
        """Send a response and keep it for retransmissions; ignored where the state does not allow it.

        `hold`: it may leave only when the standby knows what it promises.
        """
        raise NotImplementedError

    def respond_once(self, data: bytes, status: int) -> None:
        """Send a final response and forget the request, section 8.2.7: when it comes again it is a new one.

        Only as long as no provisional response was sent: that would have stopped its retransmissions.
        """
        self.last_response = data
        self.last_status = status
        self._send_last()
        self.drop()

    def send_again(self) -> None:
        """The last response; 100 says nothing to who has heard nothing yet."""
        if self.last_status > 100:
            self._send_last()

    @property
    def ended(self) -> bool:
        """Whether it is in its last state, Terminated."""
        raise NotImplementedError

    def on_request(self, request: Request, source: Hop, now: float) -> None:
        """A retransmission, or the ACK."""
        raise NotImplementedError

    def _send_last(self) -> None:
        if self.last_response:
            self._owner.traffic.sent[self.last_status // 100] += 1
            self._owner.outbox.append(Send(self.last_response, self.hop, self.hold))


class TransactionUser(Protocol):
    """Who uses transactions: a proxy, a registrar, a phone."""

    def on_request(self, request: Request, source: Hop, tx: ServerTransaction | None, now: float) -> None:
        """A new request; `tx` is None for an ACK that no transaction takes (that to a 2xx)."""

    def on_cancel(
        self,
        cancel: Request,
        source: Hop,
        cancel_tx: ServerTransaction,
        invite_tx: ServerTransaction | None,
        now: float,
    ) -> None:
        """A CANCEL, and the INVITE that it means if there is one; the user answers both."""

    def on_response(self, tx: ClientTransaction | None, response: Response, now: float) -> None:
        """A response to pass on; `tx` None: no transaction of ours waits for it."""

    def on_timeout(self, tx: ClientTransaction, now: float) -> None:
        """No final response in time (timer B or F): as if a 408 had come."""

    def on_transport_error(self, tx: ClientTransaction, now: float) -> None:
        """The request could not be sent: as if a 503 had come, section 8.1.3.1."""


class Owner(Protocol):
    """What a transaction needs of the layer that holds it."""

    wheel: TimerWheel
    outbox: list[Send]
    timers: TimerValues
    traffic: Traffic
    user: TransactionUser

    def forget(self, tx: Transaction) -> None:
        """The transaction has ended."""

    def moved(self, tx: ServerTransaction, now: float) -> None:
        """An INVITE server transaction changed its state or its last response."""

    def answered(self, tx: ServerTransaction) -> None:
        """A request other than INVITE has its final answer, and may be repeated all the same."""
