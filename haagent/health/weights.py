"""Sans-IO: what checks weigh: findings in, effective priority, penalty, fault and isolation out.

Weights are keepalived's: 0 (the node is in FAULT while the check is down), negative (subtracted while down),
positive (added while up). A check that weighs by the content of its file adds content times weight.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from haagent.health.check import Verdict

PRIORITY_OWNER = 255
MIN_PRIORITY, MAX_PRIORITY = 1, 254  # RFC 9568 section 5.2.4: 0 and 255 have meanings of their own


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says now; no routers: it weighs on all of them."""

    check: str
    verdict: Verdict
    weight: int = 0
    routers: tuple[str, ...] = ()
    reason: str = ""
    value: int | None = None
    by_content: bool = False  # the number in the file weighs
    idle: bool = False  # it does not run in this role, so that knowing nothing is no fault
    isolated: bool = False  # it says that the network beyond this node cannot be reached

    def weighs_on(self, router: str) -> bool:
        """Whether this router's priority depends on it."""
        return not self.routers or router in self.routers


def effective_priority(base: int, router: str, findings: Iterable[Finding]) -> int:
    """The priority to advertise: the sum, kept within what a backup may have."""
    return _clamped(base, sum(_share(one) for one in findings if one.weighs_on(router)))


def penalty(base: int, router: str, findings: Sequence[Finding]) -> int:
    """How far the effective priority is below that of a node whose checks are all well."""
    best = sum(max(one.weight, 0) for one in findings if one.weighs_on(router) and not one.by_content)
    return max(0, _clamped(base, best) - effective_priority(base, router, findings))


def fault(findings: Iterable[Finding]) -> str | None:
    """Why a check of weight 0 keeps the node out, or None."""
    for one in findings:
        if one.weight == 0 and one.verdict is Verdict.DOWN:
            return f"check {one.check} failed: {one.reason}"
        if one.weight == 0 and one.verdict is Verdict.UNKNOWN and not one.idle:
            return f"check {one.check} has no result yet"
    return None


def isolation(findings: Iterable[Finding]) -> str | None:
    """Why this node, and not its peer, may be the one that nobody hears, or None."""
    return next((f"check {one.check}: {one.reason}" for one in findings if one.isolated), None)


def failed(findings: Iterable[Finding]) -> str:
    """The checks that cost priority now, as the middle of a sentence."""
    bad = [f"check {one.check} failed: {one.reason}" for one in findings if _costs(one)]
    return "; ".join(bad) or "all checks are well"


def shares(base: int, router: str, findings: Iterable[Finding]) -> list[tuple[str, int]]:
    """What each check adds to the priority of this router now, those that add something."""
    if base == PRIORITY_OWNER:
        return []
    return [(one.check, _share(one)) for one in findings if one.weighs_on(router) and _share(one)]


def _share(one: Finding) -> int:
    if one.by_content:
        return 0 if one.value is None or one.verdict is Verdict.UNKNOWN else one.value * one.weight
    if one.weight < 0:
        return one.weight if one.verdict is Verdict.DOWN else 0
    return one.weight if one.verdict is Verdict.UP else 0


def _costs(one: Finding) -> bool:
    if one.by_content:
        return _share(one) < 0
    return one.verdict is Verdict.DOWN and one.weight != 0


def _clamped(base: int, change: int) -> int:
    if base == PRIORITY_OWNER:
        return base
    return min(max(base + change, MIN_PRIORITY), MAX_PRIORITY)
