"""Sans-IO: both sides of a comparison (compare.py) in one session, and what is known of it."""

from collections.abc import Callable, Iterable

from sipcore.replication.capability import Record
from sipcore.replication.compare import Authority, Follower, Parts
from sipcore.replication.frame import FrameType
from sipcore.replication.journal import Journal
from sipcore.replication.wire import Ask, Compared, Digest, Exchange, Keys, Sums, decode, decode_batch

COMPARISON = frozenset(
    {
        FrameType.DIGEST,
        FrameType.ASK,
        FrameType.SUMS,
        FrameType.KEYS,
        FrameType.EXCHANGE,
        FrameType.REPAIR,
        FrameType.COMPARED,
    }
)


class Comparison:
    """Either node may lead: that is settled anew for each digest."""

    def __init__(self, journal: Journal, now: float) -> None:
        self.authority = Authority(journal, now)
        self.follower = Follower(journal)

    def on_frame(
        self, kind: FrameType, body: bytes, apply: Callable[[Iterable[Record], int], None], now: float
    ) -> list[Parts]:
        """What the peer says; returns what to say at once. `apply` merges records."""
        authority, follower = self.authority, self.follower
        if kind is FrameType.DIGEST:
            return follower.on_digest(decode(body, Digest), now)
        if kind is FrameType.SUMS:
            return follower.on_sums(decode(body, Sums))
        if kind is FrameType.KEYS:
            return follower.on_keys(decode(body, Keys), now)
        if kind is FrameType.REPAIR:
            batch = decode_batch(body)
            apply(batch.records, batch.epoch)
            return follower.on_repair(len(batch.records), last=not batch.first)
        if kind is FrameType.ASK:
            authority.on_ask(decode(body, Ask))
        elif kind is FrameType.EXCHANGE:
            authority.on_exchange(decode(body, Exchange), apply)
        elif kind is FrameType.COMPARED:
            authority.on_compared(decode(body, Compared), now)
        return []

    @property
    def count(self) -> int:
        """How many comparisons there were."""
        return self.authority.count + self.follower.count

    @property
    def matched_at(self) -> float | None:
        """When both were last known to hold the same."""
        times = [at for at in (self.authority.matched_at, self.follower.matched_at) if at is not None]
        return max(times, default=None)

    def last(self, *, leads: bool) -> Compared | None:
        """What the last one brought out, of those that this node leads or of the others."""
        found = self.authority.last if leads else self.follower.last
        return found or self.authority.last or self.follower.last
