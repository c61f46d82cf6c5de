"""Sans-IO: one timer wheel for all of the core: schedule and cancel in constant time.

A slot is a dict, so that cancelling is eager; what is further away than one turn of the wheel goes
round again.
"""

from collections.abc import Callable

Callback = Callable[[float], None]


class Timer:
    """A pending call; keep it to cancel it."""

    __slots__ = ("at", "callback", "slot")

    def __init__(self, at: float, callback: Callback, slot: int) -> None:
        self.at = at
        self.callback = callback
        self.slot = slot


class TimerWheel:
    """Timers in `slots` slots of `tick` seconds; a timer fires at the first tick at or after its time."""

    def __init__(self, *, now: float = 0.0, tick: float = 0.01, slots: int = 8192) -> None:
        self._tick = tick
        self._slots: list[dict[int, Timer]] = [{} for _ in range(slots)]
        self._mask = slots - 1
        if slots & self._mask:
            raise ValueError(f"slots: {slots} is not a power of two")
        self._done = int(now / tick)  # every tick up to and with this one has been fired
        self.pending = 0

    def schedule(self, at: float, callback: Callback) -> Timer:
        """Have `callback(now)` called at `at` (seconds, same clock as `advance`)."""
        tick = -int(-at // self._tick)
        if tick <= self._done:
            tick = self._done + 1
        slot = tick & self._mask
        timer = Timer(at, callback, slot)
        self._slots[slot][id(timer)] = timer
        self.pending += 1
        return timer

    def cancel(self, timer: Timer) -> None:
        """Forget a timer; one that has fired or was cancelled already is no error."""
        if self._slots[timer.slot].pop(id(timer), None) is not None:
            self.pending -= 1

    @property
    def deadline(self) -> float | None:
        """When to call `advance` next; None when nothing is pending.  Never later than the next timer."""
        if not self.pending:
            return None
        slots, mask, tick = self._slots, self._mask, self._done
        for ahead in range(1, min(len(slots), 101)):
            if slots[(tick + ahead) & mask]:
                return (tick + ahead) * self._tick
        return (tick + 100) * self._tick

    def advance(self, now: float) -> None:
        """Fire everything that is due, in the order of its ticks."""
        last = int(now / self._tick + 1e-9)
        if not self.pending or last - self._done > len(self._slots):
            self._done = max(self._done, last - len(self._slots) if self.pending else last)
        while self._done < last:
            self._done += 1
            slot = self._slots[self._done & self._mask]
            if slot:
                self._fire(slot, now)

    def _fire(self, slot: dict[int, Timer], now: float) -> None:
        # what stays is due in a later turn of the wheel
        due = [timer for timer in slot.values() if timer.at <= now + 1e-9]
        for timer in due:
            if slot.pop(id(timer), None) is not None:  # an earlier callback may have cancelled it
                self.pending -= 1
                timer.callback(now)
