"""Sans-IO: takes a peer's log: order, gaps, the snapshot; applies records through their capabilities."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from sipcore.errors import ReplicationError, SipcoreError
from sipcore.replication.capability import Capability, Kind, Record
from sipcore.replication.wire import Ack, Batch, Resume, Start


@dataclass(slots=True)
class Position:
    """How far one peer's log is applied here; it outlives the session, so that the next one resumes."""

    incarnation: int = 0
    sequence: int | None = None  # None: nothing yet, or a snapshot was cut off

    def resume(self, incarnation: int) -> Resume:
        """What to ask for from this log; a log of another life begins from nothing."""
        if incarnation != self.incarnation:
            self.incarnation = incarnation
            self.sequence = None
        return Resume(self.sequence)


@dataclass(slots=True)
class Counters:
    """What came of the records."""

    applied: int = 0
    deleted: int = 0
    stale: int = 0  # what is here was newer
    rejected: int = 0  # the capability could not read it
    unknown: int = 0  # of a kind that nobody here owns, or that the config does not accept
    unknown_frames: int = 0  # of a newer version
    duplicates: int = 0  # batches that were here already


class Receiver:
    """Applies one session's records; raises ReplicationError on what no honest peer sends."""

    def __init__(
        self, capabilities: Mapping[Kind, Capability], position: Position, counters: Counters
    ) -> None:
        self._capabilities = {int(kind): capability for kind, capability in capabilities.items()}
        self._position = position
        self.counters = counters
        self.synced = False
        self.keys_done = 0
        self._start: Start | None = None
        self._sequence = 0
        self._chunks = 0
        self._snapshot = False  # one is under way

    def on_start(self, start: Start) -> None:
        """The sender's decision; a snapshot makes the position invalid until it is complete."""
        if not start.snapshot and self._position.sequence != start.first - 1:
            raise ReplicationError(f"start at {start.first} does not follow {self._position.sequence}")
        self._start = start
        self._sequence = start.first - 1
        self._chunks = self.keys_done = 0
        self._snapshot = start.snapshot
        if start.snapshot:
            self._position.sequence = None
        self._check_synced()

    def on_records(self, batch: Batch, now: float) -> None:
        """A batch of the live tail."""
        if self._start is None:
            raise ReplicationError("records before a start")
        last = batch.first + len(batch.records) - 1
        if last <= self._sequence:
            self.counters.duplicates += 1
            return
        if batch.first != self._sequence + 1:
            self._position.sequence = None
            raise ReplicationError(f"gap: batch begins at {batch.first}, {self._sequence + 1} is next")
        self.apply(batch.records, batch.epoch, now - batch.age)
        self._sequence = last
        if not self._snapshot:
            self._position.sequence = last
        self._check_synced()

    def on_chunk(self, batch: Batch, now: float) -> None:
        """Records of the snapshot."""
        if not self._snapshot:
            raise ReplicationError("a chunk outside of a snapshot")
        self.apply(batch.records, batch.epoch, now)
        self._chunks += 1
        self.keys_done += len(batch.records)

    def on_snapshot_end(self) -> None:
        """All was sent: from here on a reconnect resumes."""
        if not self._snapshot:
            raise ReplicationError("the end of no snapshot")
        self._snapshot = False
        self._chunks += 1
        self._position.sequence = self._sequence
        self._check_synced()

    def ack(self) -> Ack | None:
        """What to acknowledge now."""
        return Ack(self._sequence, self._chunks, self._start.round) if self._start else None

    @property
    def progress(self) -> float:
        """How much of the snapshot is here, 0..1."""
        if self._start is None:
            return 0.0
        return min(self.keys_done / max(self._start.keys, 1), 1.0) if self._snapshot else 1.0

    def _check_synced(self) -> None:
        start = self._start
        self.synced = start is not None and not self._snapshot and self._sequence >= start.target

    def apply(self, records: Iterable[Record], epoch: int, now: float) -> None:
        """Merge records, those of a repair too; `epoch` is that of the deletes that name none."""
        counters, capabilities = self.counters, self._capabilities
        done = 0
        for record in records:
            capability = capabilities.get(record.kind)
            if capability is None:
                counters.unknown += 1
                continue
            try:
                if record.payload is not None:
                    done += 1
                    fresh = capability.apply(record.key, record.payload, epoch, now)
                else:
                    counters.deleted += 1
                    fresh = capability.delete(record.key, record.epoch if record.epoch >= 0 else epoch, now)
                if not fresh:
                    counters.stale += 1
            except (msgspec.MsgspecError, SipcoreError, ValueError):
                counters.rejected += 1  # one bad record must not stop the rest of the log
        counters.applied += done
