"""Sans-IO: holds answers until a standby has acknowledged what they promise, for at most a budget."""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class SemiSync(StrEnum):
    """How much an answer may wait for the standby."""

    ON = "on"  # up to the budget, then it leaves and is counted
    OFF = "off"
    STRICT = "strict"  # never without an acknowledgement: after the budget it is dropped


@dataclass(slots=True)
class _Held(Generic[T]):
    sequence: int
    release_at: float
    sends: list[T]


class HoldQueue(Generic[T]):
    """Answers in the order of their journal sequence.

    `on`: without a synced peer nothing is held. `strict`: an answer without a peer waits for its budget too
    (the peer may be back by then) and is then dropped, so that the phone retransmits; the caller's own
    transaction state stays as if it had been sent.
    """

    def __init__(self, mode: SemiSync, budget: float) -> None:
        self.mode = mode
        self.budget = budget
        self.acked = 0  # highest sequence that some synced standby has
        self.peer_synced = False
        self.acknowledged = 0  # answers that left after an acknowledgement
        self.released = 0  # answers that left without, after the budget or with the last peer
        self.dropped = 0  # strict
        self._held: deque[_Held[T]] = deque()

    @property
    def deadline(self) -> float | None:
        """When to call `on_timer`."""
        return self._held[0].release_at if self._held else None

    def __len__(self) -> int:
        return sum(len(held.sends) for held in self._held)

    def hold(self, sends: list[T], sequence: int, now: float) -> list[T]:
        """Keep these answers until `sequence` is acknowledged; returns those that may leave at once."""
        if not sends or self.mode is SemiSync.OFF:
            return sends
        if not self.peer_synced:
            if self.mode is SemiSync.ON:
                return sends
        elif sequence <= self.acked:
            self.acknowledged += len(sends)
            return sends
        self._held.append(_Held(sequence, now + self.budget, sends))
        return []

    def on_ack(self, sequence: int) -> list[T]:
        """A synced standby has all up to `sequence`; returns what may leave now."""
        self.acked = max(self.acked, sequence)
        free: list[T] = []
        while self._held and self._held[0].sequence <= self.acked:
            free += self._held.popleft().sends
        self.acknowledged += len(free)
        return free

    def on_peers(self, *, synced: bool) -> list[T]:
        """Whether any synced standby is connected; returns what need not wait any more."""
        self.peer_synced = synced
        if synced or self.mode is SemiSync.STRICT:
            return []
        return self._release(None)

    def on_timer(self, now: float) -> list[T]:
        """Let go what has waited for its budget."""
        return self._release(now)

    def _release(self, now: float | None) -> list[T]:
        free: list[T] = []
        while self._held and (now is None or self._held[0].release_at <= now):
            free += self._held.popleft().sends
        if self.mode is SemiSync.STRICT:
            self.dropped += len(free)
            return []
        self.released += len(free)
        return free
