"""Sans-IO: the sequenced log of this node's own changes, and the bounded backlog that a peer resumes from."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from sipcore.replication.capability import Capability, Digested, Kind, Record
from sipcore.role import RoleGate

MAX_BATCH = 512 * 1024  # bytes of records after which a batch is closed and the next one begins
MAX_RECORD = 1024 * 1024  # bytes of one record

_decode = msgspec.msgpack.Decoder(list[Record]).decode


@dataclass(slots=True)
class Entry:
    """One flushed batch: encoded once, sent to each peer as it stands."""

    first: int  # sequence of its first record
    last: int
    epoch: int
    at: float  # when its relative times were true
    payload: bytes
    end: int  # bytes of all batches up to and with this one


class Journal:
    """Collects which keys changed (`touch`), packs each of them once per receive batch (`flush`).

    A kind without a registered capability is not kept: without replication the journal does nothing.
    Of the kinds in `sends` the peers hear (None: of all), those in `accepts` are taken from them; kinds that
    are both are compared. `incarnation` is a random number per process start: it names this log, so that a
    peer never resumes from the log of an earlier life.
    """

    def __init__(
        self,
        gate: RoleGate,
        capabilities: Iterable[Capability] = (),
        *,
        incarnation: int = 0,
        sends: frozenset[Kind] | None = None,
        accepts: frozenset[Kind] | None = None,
        backlog_bytes: int = 16 * 1024 * 1024,
    ) -> None:
        self.gate = gate
        self.incarnation = incarnation
        self.backlog_bytes = backlog_bytes
        self.sends, self.accepts = sends, accepts
        self.capabilities: dict[Kind, Capability] = {}
        self.sent: dict[Kind, Capability] = {}  # those of them that the peers hear of
        self.accepted: dict[Kind, Capability] = {}  # those that are taken from them
        self.digested: dict[Kind, Digested] = {}  # those of them that are compared
        for capability in capabilities:
            self.register(capability)
        self.sequence = 0  # of the last flushed record
        self.bytes_total = 0
        self.oversized = 0  # records over MAX_RECORD, left out
        self._dirty: set[tuple[Kind, bytes]] = set()
        self._order: deque[tuple[Kind, bytes]] = deque()
        self._encode = msgspec.msgpack.Encoder().encode
        self._entries: deque[Entry] = deque()
        self._by_first: dict[int, Entry] = {}

    def register(self, capability: Capability) -> None:
        """Keep changes of this capability's kind from now on."""
        kind = capability.kind
        self.capabilities[kind] = capability
        if self.sends is None or kind in self.sends:
            self.sent[kind] = capability
        if self.accepts is None or kind in self.accepts:
            self.accepted[kind] = capability
        if isinstance(capability, Digested) and kind in self.sent and kind in self.accepted:
            self.digested[kind] = capability

    def clear(self) -> None:
        """Keep nothing: there is no peer."""
        for kinds in (self.capabilities, self.sent, self.accepted, self.digested):
            kinds.clear()

    def touch(self, kind: Kind, key: bytes) -> None:
        """Say that a record was changed, made or deleted here (never for what came from a peer)."""
        change = (kind, key)
        if kind in self.sent and change not in self._dirty:
            self._dirty.add(change)
            self._order.append(change)

    def record(self, kind: Kind, key: bytes, now: float) -> Record:
        """A record as it is now, or that there is none, for a snapshot or a repair."""
        payload = self.capabilities[kind].pack(key, now)
        if payload is not None and len(payload) <= MAX_RECORD:
            return Record(kind, key, payload)
        digested = self.digested.get(kind)
        return Record(kind, key, None, digested.ended(key) if digested is not None else -1)

    def flush(self, now: float) -> tuple[int, bytes] | None:
        """Pack what was touched; returns (last sequence, payload), None when nothing is left to pack.

        Call it until it returns None: a very large batch is cut into several.
        """
        records = self._pack_dirty(now) if self._order else []
        if not records:
            return None
        payload = self._encode(records)
        first = self.sequence + 1
        self.sequence += len(records)
        self.bytes_total += len(payload)
        entry = Entry(first, self.sequence, self.gate.epoch, now, payload, self.bytes_total)
        self._entries.append(entry)
        self._by_first[first] = entry
        self._forget_oldest()
        return self.sequence, payload

    def kinds_after(self, sequence: int) -> Counter[int]:
        """How many changes of each kind came after this sequence; for an operator: it reads them again."""
        after = (entry for entry in self._entries if entry.last > sequence)
        return Counter(record.kind for entry in after for record in _decode(entry.payload))

    def entry(self, first: int) -> Entry | None:
        """The batch that begins with this sequence, None when the backlog has lost it."""
        return self._by_first.get(first)

    def covers(self, sequence: int) -> bool:
        """Whether all that came after this sequence can still be sent."""
        return sequence == self.sequence or sequence + 1 in self._by_first

    def _pack_dirty(self, now: float) -> list[Record]:
        records = []
        size = 0
        while self._order and size < MAX_BATCH:
            kind, key = change = self._order.popleft()
            self._dirty.discard(change)
            if kind in self.digested:
                self.digested[kind].changed(key, self.gate.epoch)
            payload = self.capabilities[kind].pack(key, now)
            if payload is not None and len(payload) > MAX_RECORD:
                self.oversized += 1
                continue
            records.append(Record(kind, key, payload))
            size += len(key) + len(payload or b"")
        return records

    def _forget_oldest(self) -> None:
        # the newest batch always stays: it is the one that is about to be sent
        while len(self._entries) > 1 and self.bytes_total - self._entries[0].end > self.backlog_bytes:
            del self._by_first[self._entries.popleft().first]
