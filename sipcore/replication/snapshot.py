"""Sans-IO: a snapshot of all records in chunks, each packed at the moment it is sent."""

from collections.abc import Iterator

import msgspec

from sipcore.replication.capability import Kind, Record, Sliced
from sipcore.replication.journal import Journal

CHUNK_BYTES = 32 * 1024  # of records: one slice of work between SIP batches
CHUNK_RECORDS = 256


class Snapshot:
    """Walks the keys that were there when it came to them; what comes later is in the live tail.

    A chunk is packed when it is sent, after all of the tail that is older: so it never carries an older state
    of a record than the peer has been told.
    """

    def __init__(self, journal: Journal) -> None:
        self._record = journal.record
        self._parts: list[tuple[Kind, Iterator[list[bytes]]]] = []
        self._keys: list[bytes] = []  # of the first of them, still to come
        self.total = 0
        for capability in journal.sent.values():
            if isinstance(capability, Sliced):
                self.total += len(capability)
                self._parts.append((capability.kind, capability.parts()))
            else:
                keys = capability.keys()
                self.total += len(keys)
                self._parts.append((capability.kind, iter([keys])))
        self._encode = msgspec.msgpack.Encoder().encode
        self.done = 0

    def next_chunk(self, now: float) -> bytes | None:
        """The records of the next slice, encoded; None at the end."""
        records: list[Record] = []
        size = 0
        while size < CHUNK_BYTES and len(records) < CHUNK_RECORDS:
            item = self._next_key()
            if item is None:
                break
            record = self._record(*item, now)
            records.append(record)
            size += len(record.key) + len(record.payload or b"")
        self.done += len(records)
        return self._encode(records) if records else None

    def _next_key(self) -> tuple[Kind, bytes] | None:
        while self._parts:
            kind, parts = self._parts[-1]
            if self._keys:
                return kind, self._keys.pop()
            keys = next(parts, None)
            if keys is None:
                self._parts.pop()
            else:
                self._keys = keys
        return None
