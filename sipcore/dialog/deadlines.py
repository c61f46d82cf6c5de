"""Sans-IO: when somebody must look at which dialog, by the second; one timer for all of them."""

from collections.abc import Callable
from math import ceil, inf

from sipcore.dialog.dialog import Dialog
from sipcore.timers import Timer, TimerWheel

FAR = 600.0  # what is further away is filed by the minute, and precisely when that minute comes
_MINUTE = 60


class Deadlines:
    """Each dialog stands in at most one second; `look` is called there and files it again if need be."""

    def __init__(self, wheel: TimerWheel) -> None:
        self.look: Callable[[Dialog, float], None] | None = None
        self._wheel = wheel
        self._due: dict[int, dict[Dialog, None]] = {}
        self._swept = 0  # up to and with this second
        self._timer: Timer | None = None

    def no_later(self, dialog: Dialog, at: float, now: float) -> None:
        """Look at it at this time or before: who looks too early files it again."""
        if not 0 < dialog.due <= at:
            self.file(dialog, at, now)

    def file(self, dialog: Dialog, at: float, now: float) -> None:
        """Look at it at this time (or in the second after), not at the one that was filed before."""
        if at == inf:
            self.drop(dialog)
            return
        second = ceil(at)
        if at - now > FAR:
            second -= second % _MINUTE
        if self._timer is None:
            self._swept = int(now)
            self._timer = self._wheel.schedule(self._swept + 1.0, self._sweep)
        second = max(second, self._swept + 1)
        if dialog.due == second:
            return
        self.drop(dialog)
        dialog.due = second
        bucket = self._due.get(second)
        if bucket is None:
            self._due[second] = {dialog: None}
        else:
            bucket[dialog] = None

    def drop(self, dialog: Dialog) -> None:
        """Nobody needs to look at it."""
        if dialog.due:
            second, dialog.due = dialog.due, 0
            bucket = self._due.get(second)
            if bucket is not None:
                bucket.pop(dialog, None)
                if not bucket:
                    del self._due[second]

    def _sweep(self, now: float) -> None:
        self._timer = None
        last = int(now)
        if last - self._swept > len(self._due):
            seconds = sorted(second for second in self._due if second <= last)
        else:
            seconds = [second for second in range(self._swept + 1, last + 1) if second in self._due]
        self._swept = last
        due = [dialog for second in seconds for dialog in self._due.pop(second)]
        if self._due:
            self._timer = self._wheel.schedule(last + 1.0, self._sweep)
        for (
            dialog
        ) in due:  # an error of one of them must not cost the others: they are looked at a second later
            dialog.due = 0
            self.file(dialog, last + 1.0, now)
        for dialog in due:
            if dialog.due == last + 1 and self.look is not None:
                self.look(dialog, now)
