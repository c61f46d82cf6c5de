"""Sans-IO: a histogram for the guard's loop: one search in a short tuple, two additions, no memory."""

from bisect import bisect_left

BOUNDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class Histogram:
    """Seconds by upper bound; the last count is of what exceeds all bounds."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """One more of these; what is negative counts as 0."""
        seconds = max(seconds, 0.0)
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


class Gaps:
    """How far the distance between two advertisements of one router is from its interval."""

    __slots__ = ("_last", "_source", "jitter")

    def __init__(self) -> None:
        self.jitter = Histogram()
        self._last = 0.0
        self._source = 0

    def heard(self, source: int, interval: float, now: float) -> None:
        """An advertisement; one of another router begins anew."""
        if source == self._source:
            self.jitter.add(abs(now - self._last - interval))
        self._source, self._last = source, now

    def forget(self) -> None:
        """It has left, or its next one comes out of turn."""
        self._source = 0
