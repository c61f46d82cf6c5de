"""Sans-IO: entries of the in-process stores on the replication channel, where the config asks for it."""

from collections.abc import Iterable
from math import inf
from typing import Annotated

import msgspec

from sipcore.cachedb.api import MAX_TTL, MAX_VALUE, check_key
from sipcore.cachedb.local import LocalTable
from sipcore.replication.capability import Kind
from sipcore.replication.journal import Journal

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class WireEntry(msgspec.Struct, array_like=True, gc=False):
    """An entry, or (`value` None) that it was removed; new fields go to the end, with a default."""

    value: Annotated[bytes, msgspec.Meta(max_length=MAX_VALUE)] | None
    remaining: Annotated[float, msgspec.Meta(ge=-MAX_TTL, le=MAX_TTL)] | None  # None: it stays
    epoch: Count
    change: Count


class CacheReplica:
    """One record per entry, its key is the store and the entry's key; a counter travels as its new value.

    Merge rule: the later version (LocalTable.merge). Two masters at a time each count by themselves, and the
    one with the higher epoch is right: sums of both are a matter for a store that both share.
    """

    kind = Kind.CACHE
    version = 1

    def __init__(self, tables: Iterable[LocalTable], journal: Journal) -> None:
        self._tables = {table.store.encode(): table for table in tables}
        self._journal = journal
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(WireEntry).decode
        for table in self._tables.values():
            table.replicate(journal.gate, self._on_changed)

    def pack(self, key: bytes, now: float) -> bytes | None:
        """The entry with the time it has left, or that it was removed; None when it is over."""
        store, _, name = key.partition(b"\0")
        table = self._tables[store]
        entry = table.entry(name, now)
        if entry is not None:
            value, ends_at, version = entry
            return self._encode(WireEntry(value, ends_at - now if ends_at < inf else None, *version))
        removed = table.removed.version(name)
        return self._encode(WireEntry(None, None, *removed)) if name in table.removed else None

    def apply(self, key: bytes, payload: bytes, epoch: int, now: float) -> bool:
        """The peer has set, counted or removed; CacheQueryError when there is no room here."""
        store, _, name = key.partition(b"\0")
        wire = self._decode(payload)
        check_key(store.decode(), name)
        table = self._tables.get(store)
        if table is None:
            return False  # it is not replicated here
        ends_at = inf if wire.remaining is None else now + wire.remaining
        return table.merge(name, wire.value, ends_at, (wire.epoch, wire.change), now)

    def delete(self, key: bytes, epoch: int, now: float) -> bool:
        """Nothing: an entry ends on each node by its own clock."""
        return False

    def keys(self) -> list[bytes]:
        """All entries, and those that were removed a short while ago."""
        return [_key(store, name) for store, table in self._tables.items() for name in table.names()]

    def _on_changed(self, store: bytes, name: bytes) -> None:
        self._journal.touch(Kind.CACHE, _key(store, name))


def _key(store: bytes, name: bytes) -> bytes:
    return b"%b\0%b" % (store, name)
