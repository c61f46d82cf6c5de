"""Sans-IO: what a client saw of the virtual IP: the answers, the holes between them, and who answered."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise


class Sort(StrEnum):
    """What was answered."""

    ICMP = "i"
    SIP = "s"
    ARP = "a"
    STALL = "l"
    """No answer: the probe itself was not given the processor; its "owner" is for how many seconds."""


@dataclass(slots=True)
class Gap:
    """A hole in the answers: seconds from the last before it to the first after it."""

    start: float
    end: float | None
    before: str
    after: str

    @property
    def length(self) -> float | None:
        """Seconds; None when the answers never came back."""
        return None if self.end is None else self.end - self.start


@dataclass(slots=True)
class Sight:
    """The answers of a client's probe, in the order in which they came. Times are CLOCK_MONOTONIC seconds."""

    times: dict[Sort, list[float]] = field(default_factory=lambda: {sort: [] for sort in Sort})
    owners: dict[Sort, list[str]] = field(default_factory=lambda: {sort: [] for sort in Sort})

    def add(self, sort: Sort, at: float, owner: str) -> None:
        """Take in one answer of `owner`, the node that sent it."""
        self.times[sort].append(at)
        self.owners[sort].append(owner)

    def gap(self, sort: Sort, fault: float, until: float) -> Gap:
        """The longest hole that touches the time from the fault on; open when nothing came after it.

        The hole may begin with the last answer before the fault and ends with an answer up to `until`.
        """
        times, owners = self.times[sort], self.owners[sort]
        first = max(bisect_left(times, fault) - 1, 0)
        last = bisect_right(times, until)
        seen = list(zip(times[first:last], owners[first:last], strict=True))
        if not seen:
            return Gap(fault, None, "", "")
        longest = Gap(seen[0][0], None, seen[0][1], "")
        best = -1.0
        for (start, before), (end, after) in pairwise(seen):
            if end - start > best:
                best, longest = end - start, Gap(start, end, before, after)
        if until - seen[-1][0] > max(best, 0.1):
            return Gap(seen[-1][0], None, seen[-1][1], "")
        return longest

    def switched(self, sort: Sort, fault: float, old: str) -> float | None:
        """When the first answer of another node than `old` came after the fault."""
        times, owners = self.times[sort], self.owners[sort]
        for index in range(bisect_left(times, fault), len(times)):
            if owners[index] != old:
                return times[index]
        return None

    def moved(self, fault: float, old: str) -> float | None:
        """When another node than `old` first answered anything after the fault."""
        found = (self.switched(sort, fault, old) for sort in (Sort.ICMP, Sort.SIP, Sort.ARP))
        return min((at for at in found if at is not None), default=None)

    def last(self, sort: Sort, owner: str, before: float) -> float | None:
        """When the last answer of a node came before this time."""
        times, owners = self.times[sort], self.owners[sort]
        for index in range(bisect_left(times, before) - 1, -1, -1):
            if owners[index] == owner:
                return times[index]
        return None

    def stalled(self, since: float, until: float) -> float:
        """The longest time in seconds for which the probe itself could not look."""
        times, lengths = self.times[Sort.STALL], self.owners[Sort.STALL]
        return max(map(float, lengths[bisect_left(times, since) : bisect_right(times, until)]), default=0.0)

    def who(self, sort: Sort, since: float, until: float) -> set[str]:
        """The nodes that answered in this time."""
        times, owners = self.times[sort], self.owners[sort]
        return set(owners[bisect_left(times, since) : bisect_right(times, until)])
