"""Sans-IO: two nodes compare what they hold and repair only what differs.

    the node whose word counts more            the other one
    DIGEST  a sum per kind              -->    equal: COMPARED, nothing to do
                                        <--    ASK       of a kind that differs
    SUMS    a sum per bucket            -->
                                        <--    ASK       some of the buckets that differ
    KEYS    what is in them             -->
                                        <--    EXCHANGE  its records of the keys that differ
    REPAIR  the records, merged         -->    ... and so on, then COMPARED
What goes to the right stands in the log at the point where it is true, behind all changes before it: the
other node, which has applied those, sees a difference only where there is one. A merge gives the same result
on both nodes (capability.py), so what goes to the left may be late.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

import msgspec

from sipcore.errors import ReplicationError
from sipcore.replication.capability import Digested, Kind, Record
from sipcore.replication.digest import BUCKETS, Stamps
from sipcore.replication.frame import FrameType
from sipcore.replication.journal import Journal
from sipcore.replication.wire import (
    Ask,
    Compared,
    Difference,
    Digest,
    Exchange,
    Keys,
    Sums,
    batch_head,
    encode,
)

INTERVAL = 2.0  # seconds between two digests
AGAIN = 0.2  # seconds to the next one after a repair
FRAME_BYTES = 32 * 1024  # of keys or records in one frame, after which the next one begins
FRAME_KEYS = 256
ASK_BUCKETS = 64
EXAMPLES = 100  # keys that are named to an operator
MAX_EXAMPLE = 200  # bytes of such a key
MAX_ASKS = 4  # that wait for their answer: an honest peer has one
_RECORDS = msgspec.msgpack.Encoder().encode

Parts = tuple[FrameType, tuple[bytes, ...]]
Apply = Callable[[Iterable[Record], int], None]  # records, and the epoch of those that name none


class Authority:
    """The side whose digest the peer measures itself by."""

    def __init__(self, journal: Journal, now: float) -> None:
        self._journal = journal
        self._now = now
        self._asks: deque[Iterator[Parts]] = deque()
        self.digest_at = now
        self.digest_wanted = False
        self.last: Compared | None = None  # what the peer said last; None: nothing yet
        self.count = 0  # comparisons
        self.matched_at: float | None = None

    def on_ask(self, ask: Ask) -> None:
        """The peer wants to see more; raises ReplicationError for what no honest peer asks."""
        if not ask.kind:
            self.digest_wanted = True
            return
        if not all(0 <= bucket < BUCKETS for bucket in ask.buckets):
            raise ReplicationError(f"ask for a bucket that is not in 0..{BUCKETS - 1}")
        digested = self._digested(ask.kind)
        self._owe(self._keys(ask.kind, digested, ask.buckets) if ask.buckets else _sums(ask.kind, digested))

    def on_exchange(self, exchange: Exchange, apply: Apply) -> None:
        """The peer's records of keys that differ: merge them, owe it the result."""
        for record in exchange.records:
            self._digested(record.kind)
        known = (record for record in exchange.records if record.payload is not None or record.epoch >= 0)
        apply(known, exchange.epoch)
        self._owe(self._repair([(record.kind, record.key) for record in exchange.records]))

    def on_compared(self, compared: Compared, now: float) -> None:
        """The peer is through with a digest; after a repair the next one comes soon."""
        self.last = compared
        self.count += 1
        if any(compared.divergent.values()):
            self.digest_at = min(self.digest_at, now + AGAIN)
        else:
            self.matched_at = now

    def next(self, now: float, *, leading: bool) -> Parts | None:
        """What is to stand in the log now, when all before it has been sent."""
        self._now = now
        while self._asks:
            parts = next(self._asks[0], None)
            if parts is not None:
                return parts
            self._asks.popleft()
        if not self.digest_wanted and (not leading or now < self.digest_at):
            return None
        self.digest_wanted = False
        self.digest_at = now + INTERVAL
        roots = {int(kind): digested.stamps.root for kind, digested in self._journal.digested.items()}
        return FrameType.DIGEST, (encode(Digest(roots)),)

    def _owe(self, answer: Iterator[Parts]) -> None:
        if len(self._asks) >= MAX_ASKS:
            raise ReplicationError(f"more than {MAX_ASKS} questions at a time")
        self._asks.append(answer)

    def _digested(self, kind: int) -> Digested:
        for known, digested in self._journal.digested.items():
            if known == kind:
                return digested
        raise ReplicationError(f"kind {kind} is not compared here")

    @staticmethod
    def _keys(kind: int, digested: Digested, buckets: list[int]) -> Iterator[Parts]:
        """As many of the buckets as one frame holds, at least one."""
        stamps: dict[bytes, int] = {}
        size = answered = 0
        while answered < len(buckets) and size < FRAME_BYTES:
            found = digested.stamps.of(buckets[answered])
            stamps.update(found)
            size += sum(map(len, found)) + 10 * len(found)
            answered += 1
        yield FrameType.KEYS, (encode(Keys(kind, buckets[:answered], stamps)),)

    def _repair(self, keys: list[tuple[int, bytes]]) -> Iterator[Parts]:
        """The records of these keys; `first` of a batch is how many are still to come."""
        left = len(keys)
        records: list[Record] = []
        size = 0
        for kind, key in keys:
            left -= 1
            record = self._journal.record(Kind(kind), key, self._now)
            records.append(record)
            size += len(key) + len(record.payload or b"")
            if size >= FRAME_BYTES and left:
                yield self._batch(left, records)
                records, size = [], 0
        yield self._batch(0, records)

    def _batch(self, left: int, records: list[Record]) -> Parts:
        return FrameType.REPAIR, (batch_head(left, self._journal.gate.epoch, 0.0), _RECORDS(records))


def _sums(kind: int, digested: Digested) -> Iterator[Parts]:
    yield FrameType.SUMS, (encode(Sums(kind, digested.stamps.pack())),)


class Follower:
    """The side that finds out what differs; each step returns what to ask next."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.last: Compared | None = None  # what the last digest brought out; None: nothing yet
        self.repaired = 0  # keys, since the session began
        self.count = 0  # comparisons
        self.matched_at: float | None = None
        self._found = Compared({})
        self._kinds: deque[int] = deque()  # that differ, the first one is looked at
        self._buckets: deque[int] = deque()
        self._exchanges: deque[Exchange] = deque()
        self._busy = False

    def on_digest(self, digest: Digest, now: float) -> list[Parts]:
        """Where the peer stands; one that comes during a repair is left out."""
        if self._busy:
            return []
        mine = {int(kind): digested.stamps.root for kind, digested in self._journal.digested.items()}
        self._found = Compared({kind: 0 for kind in mine if kind in digest.roots}, [])
        self._kinds.extend(kind for kind in self._found.divergent if mine[kind] != digest.roots[kind])
        self._busy = True
        if not self._kinds:
            self.matched_at = now
        return self._next_kind()

    def on_sums(self, sums: Sums) -> list[Parts]:
        """Which buckets differ."""
        self._expect(sums.kind)
        self._buckets.extend(self._stamps().differing(sums.sums))
        return self._next_buckets()

    def on_keys(self, keys: Keys, now: float) -> list[Parts]:
        """What is in some of them: offer what differs here, and ask for the peer's."""
        self._expect(keys.kind)
        if not keys.buckets or any(not self._buckets or self._buckets.popleft() != b for b in keys.buckets):
            raise ReplicationError("keys of buckets that were not asked for")
        mine: dict[bytes, int] = {}
        for bucket in keys.buckets:
            mine.update(self._stamps().of(bucket))
        theirs = keys.stamps
        differ = [key for key in theirs.keys() | mine.keys() if theirs.get(key) != mine.get(key)]
        self._found.divergent[keys.kind] += len(differ)
        room = max(EXAMPLES - len(self._found.examples), 0)
        self._found.examples += [
            Difference(keys.kind, key[:MAX_EXAMPLE], key in mine, key in theirs) for key in differ[:room]
        ]
        self._offer(differ, now)
        return self._next_exchange()

    def on_repair(self, applied: int, *, last: bool) -> list[Parts]:
        """The merged records have been applied."""
        self.repaired += applied
        return self._next_exchange() if last else []

    def _next_kind(self) -> list[Parts]:
        if self._kinds:
            return [(FrameType.ASK, (encode(Ask(self._kinds[0])),))]
        self._busy = False
        self.last = self._found
        self.count += 1
        return [(FrameType.COMPARED, (encode(self._found),))]

    def _next_buckets(self) -> list[Parts]:
        if self._buckets:
            some = list(self._buckets)[:ASK_BUCKETS]
            return [(FrameType.ASK, (encode(Ask(self._kinds[0], some)),))]
        self._kinds.popleft()
        return self._next_kind()

    def _next_exchange(self) -> list[Parts]:
        if self._exchanges:
            return [(FrameType.EXCHANGE, (encode(self._exchanges.popleft()),))]
        return self._next_buckets() if self._kinds else []

    def _offer(self, keys: list[bytes], now: float) -> None:
        kind, epoch = Kind(self._kinds[0]), self._journal.gate.epoch
        records: list[Record] = []
        size = 0
        for key in keys:
            record = self._journal.record(kind, key, now)
            size += len(key) + len(record.payload or b"")
            records.append(record)
            if size >= FRAME_BYTES or len(records) >= FRAME_KEYS:
                self._exchanges.append(Exchange(epoch, records))
                records, size = [], 0
        if records:
            self._exchanges.append(Exchange(epoch, records))

    def _expect(self, kind: int) -> None:
        if not self._kinds or kind != self._kinds[0]:
            raise ReplicationError(f"an answer about kind {kind} that was not asked for")

    def _stamps(self) -> Stamps:
        return self._journal.digested[Kind(self._kinds[0])].stamps
