"""Sans-IO: a circuit breaker: a store that fails is left alone for a while, then one call tries it again."""

from enum import IntEnum


class BreakerState(IntEnum):
    """CLOSED: calls go through. OPEN: none does. HALF_OPEN: one is on its way to see whether it works."""

    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2


CLOSED, OPEN, HALF_OPEN = BreakerState


class Breaker:
    """Opens after `threshold` failures in a row, for `pause` seconds that double up to `longest_pause`."""

    def __init__(self, *, threshold: int = 3, pause: float = 0.5, longest_pause: float = 10.0) -> None:
        self.state = CLOSED
        self.opened = 0  # times
        self._threshold = threshold
        self._shortest = self._pause = pause
        self._longest = longest_pause
        self._failures = 0
        self._until = 0.0

    def allows(self, now: float) -> bool:
        """Whether a call may be made now; of an open breaker whose pause is over, one may."""
        if self.state is CLOSED:
            return True
        if self.state is OPEN and now >= self._until:
            self.state = HALF_OPEN
            return True
        return False

    def on_success(self) -> None:
        """The store has answered."""
        self._failures = 0
        if self.state is HALF_OPEN:
            self.state = CLOSED
            self._pause = self._shortest

    def on_failure(self, now: float) -> None:
        """The store has not answered."""
        self._failures += 1
        if self.state is HALF_OPEN:
            self._pause = min(self._pause * 2, self._longest)
            self._open(now)
        elif self.state is CLOSED and self._failures >= self._threshold:
            self._open(now)

    def on_abandoned(self) -> None:
        """Nobody waits any more for what a call would have brought: the next one may try."""
        if self.state is HALF_OPEN:
            self.state = OPEN

    def _open(self, now: float) -> None:
        self.state = OPEN
        self.opened += 1
        self._until = now + self._pause
