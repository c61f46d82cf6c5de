"""Sans-IO: what was recorded while one fault ran, and what can be read in it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from haagent.lab.sight import Sight, Sort

FAULT, HEALED = "fault", "healed"
# The probe asks by ARP every 10 ms: a node that was not heard for six of them does not own the address.
JOIN = 0.06
ALLOWANCE = 0.15
PRIORITY_OF_BACKUP = 253

Stretch = tuple[float, float]


@dataclass(slots=True)
class Change:
    """A change of role, with the reason that the agent gave for it."""

    at: float
    node: str
    role: str
    reason: str = ""


@dataclass(slots=True)
class Calls:
    """What became of the users' calls and registrations."""

    placed: int = 0
    lost: dict[str, list[str]] = field(default_factory=dict)
    doubled: int = 0
    lost_registrations: list[str] = field(default_factory=list)


@dataclass(slots=True)
class History:
    """One fault on one pair. Times are CLOCK_MONOTONIC seconds; nodes are "a" and "b"."""

    fault: str
    contender: str
    advert: float
    old: str
    """The master when the fault struck."""
    begin: float
    end: float = 0.0
    marks: dict[str, float] = field(default_factory=dict)
    sight: Sight = field(default_factory=Sight)
    changes: list[Change] = field(default_factory=list)
    roles: dict[str, str] = field(default_factory=dict)
    """What each agent said of itself at the end."""
    said: dict[str, str] = field(default_factory=dict)
    """What each node's daemons logged meanwhile."""
    calls: Calls | None = None
    facts: dict[str, float] = field(default_factory=dict)
    """What only this fault measures."""

    @property
    def new(self) -> str:
        """The other node."""
        return "b" if self.old == "a" else "a"

    @property
    def master_down(self) -> float:
        """RFC 9568 section 6.1 for the backup's priority, and what the machine is allowed."""
        return 3 * self.advert + (256 - PRIORITY_OF_BACKUP) / 256 * self.advert + ALLOWANCE

    @property
    def noise(self) -> float:
        """For how long the probe itself could not look: no figure is finer than that."""
        return self.sight.stalled(self.begin, self.end)

    def since(self, mark: str) -> float:
        """When this was; a fault that never struck has no history to judge."""
        return self.marks[mark]

    def owned(self, node: str) -> list[Stretch]:
        """When the node answered ARP for the virtual IP."""
        pairs = zip(self.sight.times[Sort.ARP], self.sight.owners[Sort.ARP], strict=True)
        return stretches(at for at, owner in pairs if owner == node)

    def served(self) -> list[Stretch]:
        """When somebody answered ICMP for the virtual IP."""
        return stretches(self.sight.times[Sort.ICMP], join=0.01)

    def changed(self, since: float) -> list[Change]:
        """The changes from then on, in order."""
        return sorted((c for c in self.changes if c.at >= since), key=lambda change: change.at)

    def hole(self, sort: Sort, since: float, until: float | None = None) -> float | None:
        """The longest time without an answer; None when the answers never came back."""
        return self.sight.gap(sort, since, self.end if until is None else until).length

    def moved(self) -> float | None:
        """How long after the fault the other node first answered."""
        at = self.sight.moved(self.since(FAULT), self.old)
        return None if at is None else at - self.since(FAULT)


def stretches(times: Iterable[float], *, join: float = JOIN) -> list[Stretch]:
    """The times joined to stretches: a hole longer than `join` ends one."""
    ordered = sorted(times)
    if not ordered:
        return []
    found, start = [], ordered[0]
    for before, after in pairwise(ordered):
        if after - before > join:
            found.append((start, before))
            start = after
    return [*found, (start, ordered[-1])]


def shared(ones: Iterable[Stretch], others: Iterable[Stretch]) -> list[Stretch]:
    """The stretches that are in both."""
    others = list(others)
    both = [(max(a, c), min(b, d)) for a, b in ones for c, d in others]
    return sorted(stretch for stretch in both if stretch[0] < stretch[1])
