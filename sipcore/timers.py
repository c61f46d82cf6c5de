"""Sans-IO: one timer wheel for all of the core: schedule and cancel in constant time.

A slot is a dict, so that cancelling is eager; what is further away than one turn of the wheel goes
round again.
"""

from collections.abc import Callable

Callback = Callable[[float], None]


_SLACK = 1e-4  # of a tick: what a time loses when it is divided
LOOK_AHEAD = 100  # ticks that are searched for the next timer; then it is looked for anew


class Timer:
    """A pending call; keep it to cancel it."""

    __slots__ = ("callback", "tick")

    def __init__(self, tick: int, callback: Callback) -> None:
        self.tick = tick
        self.callback = callback


class TimerWheel:
    """Timers in `slots` slots of `tick` seconds; a timer fires at the first tick at or after its time."""

    def __init__(self, *, now: float = 0.0, tick: float = 0.01, slots: int = 8192) -> None:
        self._tick = tick
        self._slots: list[dict[Timer, None]] = [{} for _ in range(slots)]
        self._mask = slots - 1
        if slots & self._mask:
            raise ValueError(f"slots: {slots} is not a power of two")
        self._done = int(now / tick)  # every tick up to and with this one has been fired
        self._next = 0  # no timer is before this tick; 0: to be found
        self.pending = 0

    def schedule(self, at: float, callback: Callback) -> Timer:
        """Have `callback(now)` called at `at` (seconds, same clock as `advance`)."""
        tick = -int(-at // self._tick)
        if tick <= self._done:
            tick = self._done + 1
        if tick < self._next or not self.pending:
            self._next = tick
        timer = Timer(tick, callback)
        self._slots[tick & self._mask][timer] = None
        self.pending += 1
        return timer

    def cancel(self, timer: Timer) -> None:
        """Forget a timer; one that has fired or was cancelled already is no error."""
        slot = self._slots[timer.tick & self._mask]
        if timer in slot:
            del slot[timer]
            self.pending -= 1

    @property
    def deadline(self) -> float | None:
        """When to call `advance` next; None when nothing is pending. Never later than the next timer."""
        if not self.pending:
            return None
        if not self._next:
            self._next = self._find_next()
        return self._next * self._tick

    def _find_next(self) -> int:
        slots, mask, tick = self._slots, self._mask, self._done
        look = min(len(slots), LOOK_AHEAD)
        for ahead in range(1, look):
            if slots[(tick + ahead) & mask]:
                return tick + ahead
        return tick + look

    def advance(self, now: float) -> None:
        """Fire everything that is due, in the order of its ticks."""
        last = int(now / self._tick + _SLACK)
        if last < self._next:
            self._done = max(self._done, last)
            return
        self._next = 0
        if self.pending and last - self._done > len(self._slots):
            self._leap(last, now)
        while self._done < last:
            if not self.pending:
                self._done = last
                return
            self._done += 1
            slot = self._slots[self._done & self._mask]
            if slot:
                self._fire([timer for timer in slot if timer.tick <= self._done], now)

    def _leap(self, last: int, now: float) -> None:
        """More than a turn at once: the order of the slots is no longer that of the ticks."""
        self._done = last
        due = [timer for slot in self._slots for timer in slot if timer.tick <= last]
        self._fire(sorted(due, key=lambda timer: timer.tick), now)

    def _fire(self, due: list[Timer], now: float) -> None:
        for timer in due:
            slot = self._slots[timer.tick & self._mask]
            if timer in slot:  # an earlier callback may have cancelled it
                del slot[timer]
                self.pending -= 1
                timer.callback(now)
