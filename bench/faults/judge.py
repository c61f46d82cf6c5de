"""Sans-IO: the invariants of the fault list, each a pure function of a recorded history.

A limit in milliseconds is compared after the probe's own noise is added to it: what the probe could not see,
it does not hold against anybody. A history in which nothing was looked at fails.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.faults.history import ALLOWANCE, FAULT, HEALED, History, shared
from haagent.lab.sight import Sort

Limit = float | Callable[[History], float]
SETTLED = 0.3  # seconds at the end in which the pair must be at rest


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether an invariant held, and what was measured."""

    says: str
    held: bool
    seen: str


@dataclass(frozen=True, slots=True)
class Invariant:
    """A sentence that a history makes true or false."""

    says: str
    check: Callable[[History], tuple[bool, str]]
    ours: bool = False
    """It is about calls, facts or words that a control does not have."""

    def judge(self, history: History) -> Finding:
        """Look into the history."""
        if FAULT not in history.marks or not history.sight.times[Sort.ARP]:
            return Finding(self.says, held=False, seen="nothing was recorded")
        held, seen = self.check(history)
        return Finding(self.says, held, seen)


def judge(history: History, invariants: Sequence[Invariant]) -> list[Finding]:
    """All of them."""
    return [invariant.judge(history) for invariant in invariants]


def master_down(history: History) -> float:
    """Three intervals, the skew and the allowance."""
    return history.master_down


def one_interval(history: History) -> float:
    """A and the allowance."""
    return history.advert + ALLOWANCE


def served(within: Limit, says: str, *, sort: Sort = Sort.ICMP, since: str = FAULT) -> Invariant:
    """No hole in the answers to the client is longer than this."""

    def check(history: History) -> tuple[bool, str]:
        limit, hole = _limit(within, history), history.hole(sort, history.since(since))
        if hole is None:
            return False, "the answers never came back"
        return hole <= limit + history.noise, _milliseconds(hole, limit, history)

    what = "service" if sort is Sort.SIP else "virtual IP"
    return Invariant(f"the {what} is answered again {says}", check)


def moved(within: Limit, says: str) -> Invariant:
    """The other node answers."""

    def check(history: History) -> tuple[bool, str]:
        limit, after = _limit(within, history), history.moved()
        if after is None:
            return False, "the peer never answered"
        return after <= limit + history.noise, _milliseconds(after, limit, history)

    return Invariant(f"the peer answers {says}", check)


def one_owner(within: Limit, says: str, *, since: str = FAULT) -> Invariant:
    """Two nodes do not answer for the virtual IP later than this after the mark."""

    def check(history: History) -> tuple[bool, str]:
        start, limit = history.since(since), _limit(within, history)
        both = [s for s in shared(history.owned("a"), history.owned("b")) if s[1] > start]
        late = max((end - start for _, end in both), default=0.0)
        length = sum(end - max(begin, start) for begin, end in both)
        if not both:
            return True, "never two owners"
        seen = f"two owners for {length * 1e3:.0f} ms, the last time {late * 1e3:.0f} ms after"
        return late <= limit + history.noise, seen

    return Invariant(f"one owner of the virtual IP {says}", check)


def doubled_at_most(seconds: float) -> Invariant:
    """Two owners at any time, in sum."""

    def check(history: History) -> tuple[bool, str]:
        both = shared(history.owned("a"), history.owned("b"))
        length = sum(end - begin for begin, end in both if end > history.since(FAULT))
        return length <= seconds + history.noise, f"two owners for {length * 1e3:.0f} ms"

    return Invariant(f"two owners for at most {seconds * 1e3:.0f} ms in all", check)


def one_at_end() -> Invariant:
    """At rest there is one owner, and the agents agree with what the client sees."""

    def check(history: History) -> tuple[bool, str]:
        owners = history.sight.who(Sort.ARP, history.end - SETTLED, history.end)
        masters = {node for node, role in history.roles.items() if role == "MASTER"}
        seen = f"owner {_nodes(owners)}, master {_nodes(masters)}"
        return len(owners) == 1 and masters == owners, seen

    return Invariant("at the end one node answers, and it is the one master", check)


def owner_at_end(*, old: bool) -> Invariant:
    """Which node has it at rest."""

    def check(history: History) -> tuple[bool, str]:
        owners = history.sight.who(Sort.ARP, history.end - SETTLED, history.end)
        return owners == {history.old if old else history.new}, f"owner {_nodes(owners)}"

    return Invariant(f"at the end the {'old master' if old else 'peer'} has the virtual IP", check)


def stays(*, booting: bool = False) -> Invariant:
    """The master stays master: nobody else answers, and no agent changes its role.

    `booting`: the other node starts, so that it has no role, waits for its core, and becomes backup.
    """

    def check(history: History) -> tuple[bool, str]:
        start = history.since(FAULT)
        others = history.sight.who(Sort.ARP, start, history.end) - {history.old}
        changes = [
            c for c in history.changed(start) if not booting or c.node == history.old or c.role == "MASTER"
        ]
        said = "; ".join(f"{c.node} {c.role}: {c.reason}" for c in changes[:3])
        seen = f"{_nodes(others)} answered too; {said}" if others or changes else "nobody else, no change"
        return not others and not changes, seen

    return Invariant("no role change, and nobody else answers", check)


def takeovers_at_most(count: int) -> Invariant:
    """A pair that flaps serves nobody."""

    def check(history: History) -> tuple[bool, str]:
        taken = [c for c in history.changed(history.since(FAULT)) if c.role == "MASTER"]
        return len(taken) <= count, f"{len(taken)} takeovers"

    return Invariant(f"at most {count} takeover{'s' if count != 1 else ''}", check)


def never_master(*, new: bool, says: str, since: str = FAULT) -> Invariant:
    """A node does not become master after the mark."""

    def check(history: History) -> tuple[bool, str]:
        node = history.new if new else history.old
        taken = [c for c in history.changed(history.since(since)) if c.node == node and c.role == "MASTER"]
        return not taken, taken[0].reason if taken else "it did not"

    return Invariant(says, check)


def nothing_lost() -> Invariant:
    """Every call went as its users wished, and every registration is still there."""

    def check(history: History) -> tuple[bool, str]:
        calls = history.calls
        if calls is None:
            return False, "no calls were recorded"
        parts = [
            f"{len(calls.lost)} of {calls.placed} calls",
            f"{len(calls.lost_registrations)} registrations",
        ]
        good = calls.placed > 0 and not (calls.lost or calls.lost_registrations or calls.doubled)
        return good, f"{' and '.join(parts)} lost, {calls.doubled} INVITEs doubled"

    return Invariant("no call and no registration is lost, nobody is called twice", check, ours=True)


def alarmed(text: str, *, new: bool) -> Invariant:
    """Somebody is told."""

    def check(history: History) -> tuple[bool, str]:
        node = history.new if new else history.old
        found = text in history.said.get(node, "")
        return found, f"node {node} said so" if found else f"node {node} did not"

    return Invariant(f"the {'backup' if new else 'master'} says in its log: {text}", check, ours=True)


def at_most(fact: str, limit: float, says: str) -> Invariant:
    """A measured fact."""

    def check(history: History) -> tuple[bool, str]:
        value = history.facts.get(fact)
        return value is not None and value <= limit, _fact(fact, value)

    return Invariant(says, check, ours=True)


def at_least(fact: str, limit: float, says: str) -> Invariant:
    """A measured fact."""

    def check(history: History) -> tuple[bool, str]:
        value = history.facts.get(fact)
        return value is not None and value >= limit, _fact(fact, value)

    return Invariant(says, check, ours=True)


def healed_to_one(within: Limit, says: str) -> Invariant:
    """After the heal one master, and its address is alive: what keepalived's users call a dead VIP."""
    alive = served(within, says, since=HEALED)
    one = one_owner(within, says, since=HEALED)

    def check(history: History) -> tuple[bool, str]:
        (lives, hole), (single, double) = alive.check(history), one.check(history)
        return lives and single, f"{hole}; {double}"

    return Invariant(f"after the heal one owner {says}, and it is answered", check)


def _limit(within: Limit, history: History) -> float:
    return within(history) if callable(within) else within


def _milliseconds(seconds: float, limit: float, history: History) -> str:
    noise = f", noise {history.noise * 1e3:.0f}" if history.noise else ""
    return f"{seconds * 1e3:.1f} ms (limit {limit * 1e3:.0f}{noise})"


def _nodes(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _fact(name: str, value: float | None) -> str:
    return f"{name} was not measured" if value is None else f"{name.replace('_', ' ')}: {value:g}"
