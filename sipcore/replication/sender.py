"""Sans-IO: sends one peer the log: the live tail from the backlog, and a snapshot when the backlog is not
enough.

A sender owns no queue: it is a place in the journal's backlog. A peer that stalls costs no memory; once the
backlog has gone past its place it gets a snapshot.
"""

from collections import deque

from sipcore.errors import ReplicationError
from sipcore.replication.frame import FrameType
from sipcore.replication.journal import Entry, Journal
from sipcore.replication.snapshot import Snapshot
from sipcore.replication.wire import Ack, Resume, Start, batch_head, encode

CHUNK_WINDOW = 32  # chunks of a snapshot that may be under way
TAIL_WINDOW = 4 * 1024 * 1024  # bytes of batches that may be under way

Parts = tuple[FrameType, tuple[bytes, ...]]


class Sender:
    """What this node still owes one peer; `next(now)` gives it frame by frame while the peer keeps up."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.started = False  # the peer said where it stands
        self.synced = False  # it has acknowledged the snapshot, or the tail it resumed from
        self.acked = 0
        self.snapshots = 0
        self._start: Start | None = None
        self._target = 0
        self._cursor = 1  # first sequence of the next batch
        self._sent: deque[Entry] = deque()  # batches not acknowledged yet
        self._sent_bytes = 0
        self._snapshot: Snapshot | None = None
        self._end_due = False
        self._chunks = 0  # frames of the snapshot: sent
        self._chunks_acked = 0
        self._round = 0

    def on_resume(self, resume: Resume) -> None:
        """The peer's place in this log; raises ReplicationError for a place that never was."""
        place = resume.sequence
        if place is not None and place > self.journal.sequence:
            raise ReplicationError(f"resume from {place} is past the end of the log, {self.journal.sequence}")
        self.started = True
        if place is None or not self.journal.covers(place):
            self._begin_snapshot()
            return
        self.acked = place
        self._cursor = place + 1
        self._target = self.journal.sequence
        self._start = Start(False, self._cursor, self._target)
        self.synced = place == self._target

    def on_ack(self, ack: Ack) -> None:
        """A cumulative acknowledgement; raises ReplicationError for what was never sent."""
        if ack.round != self._round:
            return
        if not self.acked <= ack.sequence < self._cursor or ack.chunks > self._chunks:
            raise ReplicationError(
                f"ack {ack.sequence}/{ack.chunks} is not in {self.acked}..{self._cursor - 1}"
            )
        self.acked = ack.sequence
        self._chunks_acked = ack.chunks
        while self._sent and self._sent[0].last <= self.acked:
            self._sent_bytes -= len(self._sent.popleft().payload)
        snapshot_done = self._snapshot is None and not self._end_due and self._chunks_acked == self._chunks
        if self._start is None and snapshot_done and self.acked >= self._target:
            self.synced = True

    def next(self, now: float) -> Parts | None:
        """The next frame that the peer may have now: first the tail, so that a chunk is never older."""
        if not self.started:
            return None
        if self._cursor <= self.journal.sequence and self._start is None:
            entry = self.journal.entry(self._cursor)
            if entry is not None:
                return self._tail(entry, now)
            self._begin_snapshot()
        if self._start is not None:
            start, self._start = self._start, None
            return FrameType.START, (encode(start),)
        return self._chunk(now)

    @property
    def caught_up(self) -> bool:
        """Whether all there is has been sent, so that what is said now is true of all of it."""
        done = self._start is None and self._snapshot is None and not self._end_due
        return self.started and done and self._cursor > self.journal.sequence

    def lag(self, now: float) -> tuple[int, float, int]:
        """(events, seconds, bytes) that the peer has not acknowledged."""
        oldest = self._sent[0] if self._sent else self.journal.entry(self._cursor)
        events = self.journal.sequence - self.acked
        unsent = self.journal.entry(self._cursor)
        waiting = self.journal.bytes_total - unsent.end + len(unsent.payload) if unsent else 0
        return events, now - oldest.at if oldest else 0.0, self._sent_bytes + waiting

    @property
    def progress(self) -> float:
        """How much of the snapshot has been sent, 0..1."""
        if self._snapshot is None:
            return 1.0 if self.started else 0.0
        return self._snapshot.done / max(self._snapshot.total, 1)

    def _begin_snapshot(self) -> None:
        self._snapshot = Snapshot(self.journal)
        self.snapshots += 1
        self.synced = False
        self._round += 1
        self.acked = self._target = self.journal.sequence
        self._cursor = self._target + 1
        self._chunks = self._chunks_acked = 0
        self._end_due = True
        self._sent.clear()
        self._sent_bytes = 0
        self._start = Start(True, self._cursor, self._target, self._snapshot.total, self._round)

    def _tail(self, entry: Entry, now: float) -> Parts | None:
        if self._sent and self._sent_bytes + len(entry.payload) > TAIL_WINDOW:
            return None
        self._cursor = entry.last + 1
        self._sent.append(entry)
        self._sent_bytes += len(entry.payload)
        return FrameType.RECORDS, (batch_head(entry.first, entry.epoch, now - entry.at), entry.payload)

    def _chunk(self, now: float) -> Parts | None:
        if self._chunks - self._chunks_acked >= CHUNK_WINDOW:
            return None
        if self._snapshot is not None:
            chunk = self._snapshot.next_chunk(now)
            if chunk is not None:
                self._chunks += 1
                return FrameType.CHUNK, (batch_head(0, self.journal.gate.epoch, 0.0), chunk)
            self._snapshot = None
        if self._end_due:
            self._end_due = False
            self._chunks += 1
            return FrameType.SNAPSHOT_END, ()
        return None
