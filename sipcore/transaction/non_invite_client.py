"""Sans-IO: the non-INVITE client transaction, RFC 3261 figure 6.

The machine is `TABLE` at the end of the class: (state, input) -> (action, next state).
"""

from collections.abc import Callable
from enum import IntEnum
from math import inf
from typing import ClassVar

from sipcore.message import Response
from sipcore.transaction.machine import ClientTransaction, Owner
from sipcore.transport.layer import Hop


class State(IntEnum):
    """The states of figure 6."""

    TRYING = 0
    PROCEEDING = 1
    COMPLETED = 2
    TERMINATED = 3


class Input(IntEnum):
    """What a transaction is told."""

    RESPONSE_1XX = 0
    RESPONSE_200_699 = 1
    TIMER_E = 2
    TIMER_F = 3
    TIMER_K = 4
    TRANSPORT_ERROR = 5


TRYING, PROCEEDING, COMPLETED, TERMINATED = State
Action = Callable[["NonInviteClient", Response | None, float], None]


class NonInviteClient(ClientTransaction):
    """A request other than INVITE and ACK that we sent."""

    __slots__ = ("state",)

    def __init__(self, owner: Owner, key: bytes, hop: Hop, *, method: bytes, data: bytes) -> None:
        super().__init__(owner, key, hop, method=method, data=data)
        self.state = TRYING

    def start(self, now: float) -> None:
        """Send the request; timers E and F run, section 17.1.2.2."""
        timers = self._owner.timers
        self._send()
        self.ends_at = now + timers.f
        self.interval = timers.t1
        if not self.reliable:
            self.resend_at = now + timers.t1
        self._arm()

    @property
    def heard(self) -> bool:
        """Whether any response has come."""
        return self.state is not TRYING

    def on_response(self, response: Response, now: float) -> None:
        """A response with our branch and method."""
        self.feed(Input.RESPONSE_1XX if response.status < 200 else Input.RESPONSE_200_699, now, response)

    def feed(self, given: Input, now: float, response: Response | None = None) -> None:
        """One input: carry out the row of TABLE, if there is one."""
        row = self.TABLE.get((self.state, given))
        if row is not None:
            action, self.state = row
            action(self, response, now)
        if self.state is TERMINATED:
            self.drop()
        else:
            self._arm()

    def on_transport_error(self, now: float) -> None:
        """What it sent last could not be sent."""
        self.feed(Input.TRANSPORT_ERROR, now)

    def _on_resend_timer(self, now: float) -> None:
        self.feed(Input.TIMER_E, now)

    def _on_end_timer(self, now: float) -> None:
        self.feed(Input.TIMER_K if self.state is COMPLETED else Input.TIMER_F, now)

    # Actions

    def _resend(self, _response: Response | None, now: float) -> None:
        self.interval = min(2 * self.interval, self._owner.timers.t2)
        self._repeat(now)

    def _resend_slowly(self, _response: Response | None, now: float) -> None:
        self.interval = self._owner.timers.t2  # section 17.1.2.2: in Proceeding always T2
        self._repeat(now)

    def _repeat(self, now: float) -> None:
        self.resend_at = now + self.interval
        self._send()

    def _complete(self, response: Response | None, now: float) -> None:
        self.resend_at = inf
        self.ends_at = now + (0.0 if self.reliable else self._owner.timers.k)
        self._tell(response, now)

    def _tell(self, response: Response | None, now: float) -> None:
        assert response is not None
        self._owner.user.on_response(self, response, now)

    def _time_out(self, _response: Response | None, now: float) -> None:
        self._owner.user.on_timeout(self, now)

    def _fail(self, _response: Response | None, now: float) -> None:
        self._owner.user.on_transport_error(self, now)

    def _end(self, _response: Response | None, _now: float) -> None:
        pass

    TABLE: ClassVar[dict[tuple[State, Input], tuple[Action, State]]] = {
        (TRYING, Input.TIMER_E): (_resend, TRYING),
        (TRYING, Input.TIMER_F): (_time_out, TERMINATED),
        (TRYING, Input.TRANSPORT_ERROR): (_fail, TERMINATED),
        (TRYING, Input.RESPONSE_1XX): (_tell, PROCEEDING),
        (TRYING, Input.RESPONSE_200_699): (_complete, COMPLETED),
        (PROCEEDING, Input.TIMER_E): (_resend_slowly, PROCEEDING),
        (PROCEEDING, Input.TIMER_F): (_time_out, TERMINATED),
        (PROCEEDING, Input.TRANSPORT_ERROR): (_fail, TERMINATED),
        (PROCEEDING, Input.RESPONSE_1XX): (_tell, PROCEEDING),
        (PROCEEDING, Input.RESPONSE_200_699): (_complete, COMPLETED),
        (COMPLETED, Input.TIMER_K): (_end, TERMINATED),
    }
