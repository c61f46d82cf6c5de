"""Sans-IO: the INVITE server transaction, RFC 3261 figure 7 as changed by RFC 6026.

The machine is `TABLE` at the end of the class: (state, input) -> (action, next state).
Deviations: the 100 of section 17.2.1 is the transaction user's to send.
"""

from collections.abc import Callable
from enum import IntEnum
from math import inf
from typing import ClassVar

from sipcore.message import Request
from sipcore.transaction.machine import Owner, ServerTransaction
from sipcore.transport.layer import Hop


class State(IntEnum):
    """The states of figure 7; the numbers stand on the replication wire and only grow."""

    PROCEEDING = 0
    ACCEPTED = 1  # RFC 6026
    COMPLETED = 2
    CONFIRMED = 3
    TERMINATED = 4


class Input(IntEnum):
    """What a transaction is told."""

    INVITE = 0  # a retransmission
    ACK = 1
    SEND_1XX = 2
    SEND_2XX = 3
    SEND_300_699 = 4
    TIMER_G = 5
    TIMER_H = 6
    TIMER_I = 7
    TIMER_L = 8
    TRANSPORT_ERROR = 9


PROCEEDING, ACCEPTED, COMPLETED, CONFIRMED, TERMINATED = State
Action = Callable[["InviteServer", Request | None, float], None]


class InviteServer(ServerTransaction):
    """An INVITE that came to us."""

    __slots__ = ("state",)

    def __init__(
        self, owner: Owner, key: bytes, hop: Hop, *, request: Request, source: Hop, state: State = PROCEEDING
    ) -> None:
        super().__init__(owner, key, hop, request=request, source=source)
        self.state = state

    @property
    def ended(self) -> bool:
        """Whether it is in its last state, Terminated."""
        return self.state is TERMINATED

    def respond(self, data: bytes, status: int, now: float, hold: bool = False) -> None:
        """Send a response; a final one to an INVITE that has another final one already is ignored."""
        final = Input.SEND_2XX if status < 300 else Input.SEND_300_699
        given = Input.SEND_1XX if status < 200 else final
        row = self.TABLE.get((self.state, given))
        if row is not None:
            self.last_response = data
            self.last_status = status
            self.hold = hold
            self._carry_out(row, given, now)

    def resume(self, now: float, ends_in: float | None, *, acknowledged: bool = True) -> None:
        """Go on after a takeover: an answer that may have been lost is sent at once.

        `ends_in`: seconds that timer H, I or L still had to run; `acknowledged`: its 2xx has had an ACK.
        """
        if self.state is COMPLETED:
            self._complete(None, now)
        elif (self.state is PROCEEDING and self.last_status > 100) or not acknowledged:
            self._send_last()
        if ends_in is not None:
            self.ends_at = now + ends_in
        self._arm()

    def on_request(self, request: Request, source: Hop, now: float) -> None:
        """A retransmitted INVITE, or an ACK."""
        self.feed(Input.ACK if request.method == b"ACK" else Input.INVITE, now, request)

    def feed(self, given: Input, now: float, request: Request | None = None) -> None:
        """One input: carry out the row of TABLE, if there is one."""
        row = self.TABLE.get((self.state, given))
        if row is None:
            self._arm()
        else:
            self._carry_out(row, given, now, request)

    def _carry_out(
        self, row: tuple["Action", State], given: Input, now: float, request: Request | None = None
    ) -> None:
        before = self.state
        action, self.state = row
        action(self, request, now)
        if self.state is not before or given is Input.SEND_1XX:
            self._owner.moved(self, now)
        if self.state is TERMINATED:
            self.drop()
        else:
            self._arm()

    def on_transport_error(self, now: float) -> None:
        """What it sent last could not be sent."""
        self.feed(Input.TRANSPORT_ERROR, now)

    def _on_resend_timer(self, now: float) -> None:
        self.feed(Input.TIMER_G, now)

    def _on_end_timer(self, now: float) -> None:
        self.feed(self.END_TIMER[self.state], now)

    # Actions

    def _answer_again(self, _request: Request | None, _now: float) -> None:
        self._send_last()

    def _accept(self, _request: Request | None, now: float) -> None:
        self.ends_at = now + self._owner.timers.l
        self._send_last()

    def _complete(self, _request: Request | None, now: float) -> None:
        timers = self._owner.timers
        self.ends_at = now + timers.h
        if not self.reliable:
            self.interval = timers.t1
            self.resend_at = now + timers.t1
        self._send_last()

    def _repeat(self, _request: Request | None, now: float) -> None:
        self.interval = min(2 * self.interval, self._owner.timers.t2)
        self.resend_at = now + self.interval
        self._send_last()

    def _confirm(self, _request: Request | None, now: float) -> None:
        self.resend_at = inf
        self.ends_at = now + (0.0 if self.reliable else self._owner.timers.i)

    def _pass_ack(self, request: Request | None, now: float) -> None:
        # RFC 6026 section 7.1: an ACK that comes in Accepted is the one to the 2xx
        assert request is not None
        self._owner.user.on_request(request, self.source, None, now)

    def _absorb(self, _request: Request | None, _now: float) -> None:
        pass

    END_TIMER: ClassVar[dict[State, Input]] = {
        ACCEPTED: Input.TIMER_L,
        COMPLETED: Input.TIMER_H,
        CONFIRMED: Input.TIMER_I,
    }
    TABLE: ClassVar[dict[tuple[State, Input], tuple[Action, State]]] = {
        (PROCEEDING, Input.INVITE): (_answer_again, PROCEEDING),
        (PROCEEDING, Input.SEND_1XX): (_answer_again, PROCEEDING),
        (PROCEEDING, Input.SEND_2XX): (_accept, ACCEPTED),
        (PROCEEDING, Input.SEND_300_699): (_complete, COMPLETED),
        (PROCEEDING, Input.TRANSPORT_ERROR): (_absorb, TERMINATED),
        (ACCEPTED, Input.INVITE): (_absorb, ACCEPTED),
        (ACCEPTED, Input.ACK): (_pass_ack, ACCEPTED),
        (ACCEPTED, Input.SEND_2XX): (_answer_again, ACCEPTED),
        (ACCEPTED, Input.TRANSPORT_ERROR): (_absorb, ACCEPTED),
        (ACCEPTED, Input.TIMER_L): (_absorb, TERMINATED),
        (COMPLETED, Input.INVITE): (_answer_again, COMPLETED),
        (COMPLETED, Input.ACK): (_confirm, CONFIRMED),
        (COMPLETED, Input.TIMER_G): (_repeat, COMPLETED),
        (COMPLETED, Input.TIMER_H): (_absorb, TERMINATED),
        (COMPLETED, Input.TRANSPORT_ERROR): (_absorb, TERMINATED),
        (CONFIRMED, Input.ACK): (_absorb, CONFIRMED),
        (CONFIRMED, Input.TIMER_I): (_absorb, TERMINATED),
    }
