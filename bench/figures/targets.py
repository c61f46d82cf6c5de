"""Sans-IO: the figures that are promised, and whether what was measured keeps the promise."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

Samples = Sequence[float | None]


@dataclass(frozen=True)
class Target:
    """One figure. `limit` None: shown, nothing is promised."""

    key: str
    title: str
    unit: str
    limit: float | None
    counted: bool = False
    """A count: each round must keep it. Else the median must, and the worst is shown beside it."""
    ours_only: bool = False
    most: bool = False
    """99 of 100 must keep it, instead of the median."""


@dataclass(frozen=True)
class Verdict:
    """Median and worst; `never`: rounds in which it did not come back."""

    count: int
    median: float | None
    worst: float | None
    never: int


TARGETS = (
    Target("switchover_gap", "planned switchover: gap, 100 ms advertisements", "ms", 2),
    Target("switchover_lost", "planned switchover: probes lost of one per ms", "probes", 0, counted=True),
    Target("switchover_gap_1s", "planned switchover: gap, 1 s advertisements", "ms", 2),
    Target("agent_moved", "agent kill -9: the peer answers after", "ms", 5),
    Target("agent_owners", "agent kill -9: owners 100 ms later", "nodes", 1, counted=True),
    Target("core_gap", "SIP core crash: gap of the service", "ms", 5),
    Target("core_moved", "SIP core crash: the peer answers after", "ms", None),
    Target("link_gap", "link down, with a second path: gap", "ms", 5),
    Target("power_gap_10ms", "machine death, 10 ms advertisements: gap", "ms", 35),
    Target("power_gap_hello", "machine death, hello every 3 ms: gap", "ms", 12, ours_only=True),
    Target("freeze_owners", "agent frozen: owners 100 ms after the peer's answer", "nodes", 1, counted=True),
    Target("freeze_double", "agent frozen: two owners for", "ms", 100),
    Target("freeze_gap", "agent frozen, 100 ms advertisements: gap", "ms", None),
    Target("freeze_gap_hello", "agent frozen, hello every 3 ms: gap", "ms", None, ours_only=True),
    Target("freeze_double_hello", "agent frozen, hello 3 ms: two owners for", "ms", 100, ours_only=True),
    Target("heal_dead", "heal of a partition: rounds with a dead virtual IP", "rounds", 0, counted=True),
    Target("heal_gap", "heal of a partition: gap", "ms", None),
    Target("reload_lost", "reload: probes lost of one per ms", "probes", 0, counted=True),
    Target("announce", "decision to announced: 99 of 100", "ms", 1, ours_only=True, most=True),
    Target("memory", "memory of our guard, of keepalived's two processes; shared pages by share", "MB", 25),
    Target("resident", "the same, shared pages in full", "MB", None),
    Target("routers_cpu", "100 virtual routers at 100 ms: CPU of the master", "%", 15),
    Target("routers_false", "100 virtual routers at 100 ms: takeovers nobody needed", "", 0, counted=True),
    Target("soak_false", "10 ms advertisements under 8 busy loops: false takeovers", "", 0, counted=True),
)  # fmt: skip
BY_KEY = {target.key: target for target in TARGETS}


def summarize(samples: Samples) -> Verdict:
    """Median and worst of what came back."""
    known = [value for value in samples if value is not None]
    never = len(samples) - len(known)
    if not known:
        return Verdict(len(samples), None, None, never)
    return Verdict(len(samples), statistics.median(known), max(known), never)


def p99(values: Sequence[float]) -> float:
    """The value that 99 of 100 do not exceed."""
    return sorted(values)[max(0, -(-len(values) * 99 // 100) - 1)]


def met(target: Target, samples: Samples) -> str:
    """`met`, `missed`, or why there is nothing to say."""
    if target.limit is None:
        return "-"
    if not samples:
        return "not measured"
    known = [value for value in samples if value is not None]
    if len(known) < len(samples):
        return "missed"
    if target.most or target.counted:
        return "met" if (p99(known) if target.most else max(known)) <= target.limit else "missed"
    if statistics.median(known) > target.limit:
        return "missed"
    return "met" if max(known) <= target.limit else "met, worst not"
