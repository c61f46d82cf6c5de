"""Sans-IO: a histogram with fixed bounds, as Prometheus wants it."""

from bisect import bisect_left
from collections.abc import Sequence


class Histogram:
    """Counts observations by the first bound that they do not pass; the last place is for those above all."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """One more."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def rows(self) -> dict[str, object]:
        """For an operator: bounds, counts between them, and the sum of all."""
        return {"bounds": self.bounds, "counts": tuple(self.counts), "sum": self.total}
