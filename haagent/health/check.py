"""Sans-IO: one health check: when it runs, what its results make of the verdict, and what it weighs.

    UNKNOWN --first result--> UP or DOWN          (rise and fall count from the second result on)
                                                  (DOWN after `fall` failures where it runs in one role only)
    UP --fall failures in a row, or window_failures of the last `window` results--> DOWN
    DOWN --rise successes in a row, and the window no longer bad--> UP

A run without a result after `timeout` is a failure; what it says later is not heard. Runs do not overlap:
the next begins `interval` after the start of the last, or when that has ended.
"""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from haagent.errors import IllegalTransitionError

MAX_REASON = 160  # characters


class Verdict(StrEnum):
    """What is believed; its value is the word that status shows."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


LEGAL = {
    (Verdict.UNKNOWN, Verdict.UP),
    (Verdict.UNKNOWN, Verdict.DOWN),
    (Verdict.UP, Verdict.DOWN),
    (Verdict.DOWN, Verdict.UP),
    (Verdict.DOWN, Verdict.UNKNOWN),  # it was suspended, and the hold has passed
    (Verdict.UP, Verdict.UNKNOWN),  # it was suspended
}


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """How results count; times are seconds."""

    name: str
    interval: float = 1.0
    timeout: float = 1.0
    rise: int = 2
    fall: int = 3
    window: int = 0  # 0: only runs of failures count
    window_failures: int = 0
    init: Verdict = Verdict.UNKNOWN
    hold: float = 30.0
    patient: bool = False  # from UNKNOWN, too, it takes `fall` failures: the service may still be starting


@dataclass(slots=True)
class Result:
    """What one run has found; `value` is the number in a file that weighs by its content."""

    good: bool
    reason: str
    value: int | None = None


@dataclass(slots=True)
class StartRun:
    """Begin a probe; tell its result with this number."""

    number: int


@dataclass(slots=True)
class AbandonRun:
    """The run has taken too long (or is not wanted any more): end it if that can be done."""

    number: int


@dataclass(slots=True)
class VerdictChanged:
    """What the check says has changed; `reason` is a sentence for log and history."""

    old: Verdict
    new: Verdict
    reason: str


CheckEffect = StartRun | AbandonRun | VerdictChanged


class Check:
    """Schedule and verdict of one check."""

    def __init__(self, settings: CheckSettings) -> None:
        self.settings = settings
        self.verdict = settings.init
        self.reason = "no result yet"
        self.value: int | None = None
        self.last: Result | None = None
        self.last_at: float | None = None
        self.took: float | None = None
        self.streak = 0  # successes in a row, or failures as a negative number
        self.runs = self.failures = self.timeouts = 0
        self.suspended = False
        self._recent: deque[bool] = deque(maxlen=settings.window or 1)
        self._number = 0
        self._running: float | None = None  # when the present run began
        self._next = 0.0
        self._hold_until: float | None = None

    @property
    def deadline(self) -> float | None:
        """When to call `on_timer` next; None: only after something else has happened."""
        if self.suspended:
            return self._hold_until
        return self._next if self._running is None else self._running + self.settings.timeout

    @property
    def next_run(self) -> float | None:
        """When the next run begins; None while it is suspended."""
        return None if self.suspended else self._next

    @property
    def failing(self) -> bool:
        """Whether the last result was bad, believed or not yet."""
        return self.streak < 0

    # Inputs

    def on_startup(self, now: float) -> list[CheckEffect]:
        """Begin at once."""
        self._next = now
        return self.on_timer(now)

    def on_timer(self, now: float) -> list[CheckEffect]:
        """Start the run that is due; give up the one that has taken too long."""
        if self.suspended:
            return self._forget(now)
        effects: list[CheckEffect] = []
        if self._running is not None:
            if now < self._running + self.settings.timeout:
                return []
            self.timeouts += 1
            effects.append(AbandonRun(self._number))
            reason = f"no answer within {self.settings.timeout * 1000:g} ms"
            effects += self._count(Result(False, reason), now)
        if now >= self._next:
            effects.append(self._start(now))
        return effects

    def on_result(self, number: int, result: Result, now: float) -> list[CheckEffect]:
        """What a run has found; of a run that was abandoned it is not believed."""
        if self._running is None or number != self._number:
            return []
        return self._count(result, now)

    def on_hint(self, now: float) -> list[CheckEffect]:
        """Something has happened (a process ended, a link changed): look at once."""
        if self.suspended or self._running is not None:
            return []
        self._next = min(self._next, now)
        return self.on_timer(now)

    def on_role(self, wanted: bool, now: float) -> list[CheckEffect]:
        """Whether the check is to run in the node's present role.

        A bad verdict is held for a while after it was suspended, so that a service that fails on both nodes
        does not go back and forth as fast as it can be checked.
        """
        if wanted is not self.suspended:
            return []
        self.suspended = not wanted
        if wanted:
            self._hold_until = None
            self._forget_results()
            self._next = now
            return self.on_timer(now)
        abandoned: list[CheckEffect] = [AbandonRun(self._number)] if self._running is not None else []
        self._running = None
        self._hold_until = now + (self.settings.hold if self.verdict is Verdict.DOWN else 0.0)
        return [*abandoned, *self._forget(now)]

    # Steps

    def _start(self, now: float) -> StartRun:
        """Runs keep their beat; after a long one or a stall none is made up for."""
        self._number += 1
        self._running = now
        beat = self._next + self.settings.interval
        self._next = beat if beat > now else now + self.settings.interval
        return StartRun(self._number)

    def _count(self, result: Result, now: float) -> list[CheckEffect]:
        began, self._running = self._running, None
        self.took = None if began is None else now - began
        self.last, self.last_at = result, now
        self.runs += 1
        self.failures += not result.good
        self.streak = max(self.streak, 0) + 1 if result.good else min(self.streak, 0) - 1
        self._recent.append(result.good)
        self.value = result.value
        return self._judge(result)

    def _judge(self, result: Result) -> list[CheckEffect]:
        settings, bad = self.settings, self._recent.count(False)
        pattern = settings.window > 0 and bad >= settings.window_failures
        if self.verdict is Verdict.UNKNOWN and (result.good or not settings.patient):
            return self._turn(Verdict.UP if result.good else Verdict.DOWN, result.reason)
        if self.verdict is Verdict.DOWN:
            risen = self.streak >= settings.rise and not pattern
            return self._turn(Verdict.UP, result.reason) if risen else []
        if -self.streak >= settings.fall:
            times = "" if settings.fall == 1 else f" ({-self.streak} times in a row)"
            return self._turn(Verdict.DOWN, f"{result.reason}{times}")
        if pattern and not result.good:
            counted = f"{bad} of the last {len(self._recent)} results were bad"
            return self._turn(Verdict.DOWN, f"{result.reason} ({counted})")
        return []

    def _forget(self, now: float) -> list[CheckEffect]:
        """After the hold a suspended check says nothing any more."""
        if self._hold_until is None or now < self._hold_until:
            return []
        self._hold_until = None
        self._forget_results()
        return self._turn(Verdict.UNKNOWN, "it does not run in this role")

    def _forget_results(self) -> None:
        self.streak = 0
        self._recent.clear()

    def _turn(self, new: Verdict, reason: str) -> list[CheckEffect]:
        old, self.verdict, self.reason = self.verdict, new, reason[:MAX_REASON]
        if old is new:
            return []
        if (old, new) not in LEGAL:
            raise IllegalTransitionError(f"check {self.settings.name}: {old} -> {new} ({reason})")
        return [VerdictChanged(old, new, self.reason)]
