"""Sans-IO: the non-INVITE server transaction, RFC 3261 figure 8.

The machine is `TABLE` at the end of the class: (state, input) -> (action, next state).
"""

from collections.abc import Callable
from enum import IntEnum
from typing import ClassVar

from sipcore.message import Request
from sipcore.transaction.machine import Owner, ServerTransaction
from sipcore.transport.layer import Hop


class State(IntEnum):
    """The states of figure 8."""

    TRYING = 0
    PROCEEDING = 1
    COMPLETED = 2
    TERMINATED = 3


class Input(IntEnum):
    """What a transaction is told."""

    REQUEST = 0  # a retransmission
    SEND_1XX = 1
    SEND_200_699 = 2
    TIMER_J = 3
    TRANSPORT_ERROR = 4


TRYING, PROCEEDING, COMPLETED, TERMINATED = State
Action = Callable[["NonInviteServer", float], None]


class NonInviteServer(ServerTransaction):
    """A request other than INVITE and ACK that came to us."""

    __slots__ = ("state",)

    def __init__(self, owner: Owner, key: bytes, hop: Hop, *, request: Request, source: Hop) -> None:
        super().__init__(owner, key, hop, request=request, source=source)
        self.state = TRYING

    @property
    def ended(self) -> bool:
        """Whether it is in its last state, Terminated."""
        return self.state is TERMINATED

    def respond(self, data: bytes, status: int, now: float, hold: bool = False) -> None:
        """Send a response; one after the final response is ignored, section 17.2.2."""
        row = self.TABLE.get((self.state, Input.SEND_1XX if status < 200 else Input.SEND_200_699))
        if row is not None:
            self.last_response = data
            self.last_status = status
            self.hold = hold
            self._follow(row, now)

    def on_request(self, request: Request, source: Hop, now: float) -> None:
        """A retransmission."""
        self.feed(Input.REQUEST, now)

    def feed(self, given: Input, now: float) -> None:
        """One input: carry out the row of TABLE, if there is one."""
        row = self.TABLE.get((self.state, given))
        if row is not None:
            self._follow(row, now)

    def _follow(self, row: tuple[Action, State], now: float) -> None:
        action, self.state = row
        action(self, now)
        if self.state is TERMINATED:
            self.drop()
        else:
            self._arm()

    def on_transport_error(self, now: float) -> None:
        """What it sent last could not be sent."""
        self.feed(Input.TRANSPORT_ERROR, now)

    def _on_end_timer(self, now: float) -> None:
        self.feed(Input.TIMER_J, now)

    # Actions

    def _answer(self, _now: float) -> None:
        self._send_last()

    def _complete(self, now: float) -> None:
        owner = self._owner
        if self.reliable:
            self.ends_at = now
        else:
            self.ends_at = now + owner.timers.j
            owner.answered(self)
        self._send_last()

    def _absorb(self, _now: float) -> None:
        pass

    TABLE: ClassVar[dict[tuple[State, Input], tuple[Action, State]]] = {
        (TRYING, Input.REQUEST): (_absorb, TRYING),
        (TRYING, Input.SEND_1XX): (_answer, PROCEEDING),
        (TRYING, Input.SEND_200_699): (_complete, COMPLETED),
        (PROCEEDING, Input.REQUEST): (_answer, PROCEEDING),
        (PROCEEDING, Input.SEND_1XX): (_answer, PROCEEDING),
        (PROCEEDING, Input.SEND_200_699): (_complete, COMPLETED),
        (PROCEEDING, Input.TRANSPORT_ERROR): (_absorb, TERMINATED),
        (COMPLETED, Input.REQUEST): (_answer, COMPLETED),
        (COMPLETED, Input.TRANSPORT_ERROR): (_absorb, TERMINATED),
        (COMPLETED, Input.TIMER_J): (_absorb, TERMINATED),
    }
