"""Sans-IO: a bounded cache of DNS answers: positive, negative (RFC 2308), failed, and stale (RFC 8767)."""

from collections import OrderedDict
from dataclasses import dataclass

from sipcore.resolver.records import FAILED, Answer, Outcome, Question

PREFETCH = 0.1  # of its TTL: an answer that is asked for in this last part of its life is renewed


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """Times in seconds.

    A TTL is taken as at least `min_ttl` and at most `max_ttl`, of a negative answer at most `negative_ttl`.
    A question that failed is not asked again for `failure_ttl`. An answer that has expired stands in for one
    that cannot be had for `stale` more.
    """

    entries: int = 10_000
    min_ttl: float = 1.0
    max_ttl: float = 3600.0
    negative_ttl: float = 60.0
    failure_ttl: float = 5.0
    stale: float = 3600.0


class Entry:
    """One answer and until when it holds; `failed_until`: the DNS could not renew it."""

    __slots__ = ("answer", "expires_at", "failed_until", "renew_at")

    def __init__(self, answer: Answer, expires_at: float, renew_at: float) -> None:
        self.answer = answer
        self.expires_at = expires_at
        self.renew_at = renew_at
        self.failed_until = 0.0


class Cache:
    """Answers by question; the least recently used go first."""

    def __init__(self, limits: CacheLimits) -> None:
        self.limits = limits
        self._entries: OrderedDict[Question, Entry] = OrderedDict()
        self.stale_served = 0
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, question: Question, now: float) -> Answer | None:
        """The answer to go by; None: the DNS must be asked."""
        entry = self._entries.get(question)
        if entry is None:
            return None
        self._entries.move_to_end(question)
        if now < entry.expires_at:
            return entry.answer
        if now < entry.failed_until:
            return self.stale(question, now) or FAILED
        return None

    def stale(self, question: Question, now: float) -> Answer | None:
        """An answer that is no longer fresh, for one that the DNS does not give (RFC 8767)."""
        entry = self._entries.get(question)
        if (
            entry is None
            or entry.answer.outcome is Outcome.FAILED
            or now >= entry.expires_at + self.limits.stale
        ):
            return None
        self.stale_served += now >= entry.expires_at
        return entry.answer

    def wants_renewal(self, question: Question, now: float) -> bool:
        """Whether an answer that was found soon ends."""
        entry = self._entries.get(question)
        return entry is not None and max(entry.renew_at, entry.failed_until) <= now < entry.expires_at

    def store(self, question: Question, answer: Answer, now: float) -> None:
        """Keep an answer; a failure leaves an older answer in its place."""
        limits = self.limits
        if answer.outcome is Outcome.FAILED:
            entry = self._entries.get(question) or Entry(FAILED, now, now)
            entry.failed_until = now + limits.failure_ttl
        else:
            most = limits.max_ttl if answer.outcome is Outcome.FOUND else limits.negative_ttl
            ttl = min(max(answer.ttl, limits.min_ttl), most)
            entry = Entry(answer, now + ttl, now + ttl * (1 - PREFETCH))
        self._entries[question] = entry
        self._entries.move_to_end(question)
        while len(self._entries) > limits.entries:
            self._entries.popitem(last=False)
            self.evicted += 1

    def clear(self, name: str | None = None) -> int:
        """Forget all, or what belongs to a domain and the names under it; how many that were."""
        if name is None:
            count = len(self._entries)
            self._entries.clear()
            return count
        gone = [q for q in self._entries if q.name == name or q.name.endswith(f".{name}")]
        for question in gone:
            del self._entries[question]
        return len(gone)

    def rows(self, now: float) -> list[dict[str, object]]:
        """What is held, for an operator; the most recently used first."""
        return [
            {
                "name": question.name,
                "type": question.type.name,
                "outcome": entry.answer.outcome.value,
                "ttl": round(entry.expires_at - now, 1),
                "records": [r if isinstance(r, str) else " ".join(map(str, r)) for r in entry.answer.records],
            }
            for question, entry in reversed(self._entries.items())
        ]
