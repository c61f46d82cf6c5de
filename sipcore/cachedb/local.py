"""Sans-IO: a store in this process: for one node, for tests, and for what need not be shared.

Deviations: a full store refuses what is new instead of throwing out what is old, as a counter that vanished
would be a wrong number. What is over goes when somebody looks, or when room is needed.
"""

import heapq
from collections.abc import Callable
from math import inf
from typing import NamedTuple

from sipcore.cachedb.api import (
    MAX_COUNTER,
    CacheQueryError,
    Capability,
    Row,
    check_key,
    check_step,
    check_ttl,
    check_value,
    counter_value,
)
from sipcore.replication.tombstones import Tombstones
from sipcore.replication.versions import NEVER, Version, Versions
from sipcore.role import RoleGate

MAX_ENTRIES = 100_000
MAX_BYTES = 64 * 1024 * 1024  # keys and values


REMOVED_LIFE = 900.0  # seconds for which a removed key is known, so that a peer does not bring it back

Follower = Callable[[bytes, bytes], None]


class Entry(NamedTuple):
    """What stands under a key; the version counts only in a table that peers hear of."""

    value: bytes
    ends_at: float
    version: Version = NEVER


class LocalTable:
    """Keys with values and ends of life; `now` in monotonic seconds.

    After `replicate` each change of this node gets a version and is told; `merge` takes those of peers.
    """

    def __init__(self, store: str, *, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self.store = store
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: dict[bytes, Entry] = {}
        self._ends: list[tuple[float, bytes]] = []  # a heap; entries that were renewed stand in it twice
        self.bytes = 0
        self.removed = Tombstones(REMOVED_LIFE)  # empty without peers
        self._versions = Versions()
        self._follower: Follower | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes, now: float) -> bytes | None:
        """The value, None when there is none or its time is over."""
        entry = self._live(key, now)
        return None if entry is None else entry.value

    def set(self, key: bytes, value: bytes, ends_at: float, now: float) -> None:
        """Put it in; CacheQueryError when there is no room."""
        if self._follower is None:
            self._put(key, Entry(value, ends_at), now)
            return
        self._put(key, Entry(value, ends_at, self._versions.next()), now)
        self._follower(self.store.encode(), key)

    def _put(self, key: bytes, entry: Entry, now: float) -> None:
        value, ends_at, _ = entry
        old = self._live(key, now)
        more = len(value) - len(old.value) if old is not None else len(key) + len(value)
        if self._is_full(old is None, more):
            self._expire(now)
            if self._is_full(old is None, more):
                limits = f"{self._max_entries} entries and {self._max_bytes} bytes"
                raise CacheQueryError(f"{self.store}: full, the limits are {limits}")
        self._entries[key] = entry
        self.bytes += more
        if ends_at < inf:
            heapq.heappush(self._ends, (ends_at, key))
            if len(self._ends) > 2 * len(self._entries) + 64:
                self._ends = [
                    (held.ends_at, name) for name, held in self._entries.items() if held.ends_at < inf
                ]
                heapq.heapify(self._ends)

    def remove(self, key: bytes, now: float) -> bool:
        """Take it out; whether it was there."""
        found = self._live(key, now) is not None
        self._drop(key)
        if found and self._follower is not None:
            epoch, change = self._versions.next()
            self.removed.add(key, epoch, now, change)
            self._follower(self.store.encode(), key)
        return found

    def add(self, key: bytes, by: int, ends_at: float | None, now: float) -> int:
        """Count; `ends_at` None leaves the end of life as it is."""
        entry = self._live(key, now)
        number = by + (counter_value(self.store, entry.value) if entry is not None else 0)
        if not -MAX_COUNTER - 1 <= number <= MAX_COUNTER:
            raise CacheQueryError(f"{self.store}: {number} does not fit into a counter of 64 bits")
        if ends_at is None:
            ends_at = entry.ends_at if entry is not None else inf
        self.set(key, b"%d" % number, ends_at, now)
        return number

    # What peers hear, and what they say

    def replicate(self, gate: RoleGate, follower: Follower) -> None:
        """Tell the follower (store, key) of each change from now on."""
        self._versions.gate = gate
        self._follower = follower

    def entry(self, key: bytes, now: float) -> Entry | None:
        """What stands under a key; None when there is nothing, or its time is over."""
        return self._live(key, now)

    def names(self) -> list[bytes]:
        """All keys, those that were removed a short while ago too."""
        return list(self._entries.keys() | set(self.removed.keys()))

    def merge(self, key: bytes, value: bytes | None, ends_at: float, version: Version, now: float) -> bool:
        """A peer has set a key, or removed it (None); False when what is here is newer."""
        self._versions.saw(version)
        held = self._entries.get(key)
        if version <= max(self.removed.version(key), held.version if held is not None else NEVER):
            return False
        if value is not None:
            self._put(key, Entry(value, ends_at, version), now)
        else:
            self._drop(key)
            self.removed.add(key, version[0], now, version[1])
        return True

    def _live(self, key: bytes, now: float) -> Entry | None:
        entry = self._entries.get(key)
        if entry is not None and entry.ends_at <= now:
            self._drop(key)
            return None
        return entry

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.bytes -= len(key) + len(entry.value)

    def _is_full(self, new: bool, more: int) -> bool:
        return len(self._entries) + new > self._max_entries or self.bytes + more > self._max_bytes

    def _expire(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            end, key = heapq.heappop(self._ends)
            entry = self._entries.get(key)
            if entry is not None and entry.ends_at == end:
                self._drop(key)


class LocalCache:
    """The table behind the interface of all stores; nothing in it ever waits."""

    capabilities = Capability.COUNTERS | Capability.COUNTERS_EXPIRE

    def __init__(self, store: str, clock: Callable[[], float], table: LocalTable | None = None) -> None:
        self.id = store
        self._clock = clock
        self.table = table or LocalTable(store)

    async def get(self, key: bytes) -> bytes | None:
        """See CacheDB."""
        check_key(self.id, key)
        return self.table.get(key, self._clock())

    async def set(self, key: bytes, value: bytes, ttl: float | None = None) -> None:
        """See CacheDB."""
        check_key(self.id, key)
        check_value(self.id, value)
        check_ttl(self.id, ttl)
        now = self._clock()
        self.table.set(key, value, inf if ttl is None else now + ttl, now)

    async def remove(self, key: bytes) -> bool:
        """See CacheDB."""
        check_key(self.id, key)
        return self.table.remove(key, self._clock())

    async def add(self, key: bytes, by: int = 1, ttl: float | None = None) -> int:
        """See CacheDB."""
        check_key(self.id, key)
        check_step(self.id, by)
        check_ttl(self.id, ttl)
        now = self._clock()
        return self.table.add(key, by, None if ttl is None else now + ttl, now)

    async def sub(self, key: bytes, by: int = 1, ttl: float | None = None) -> int:
        """See CacheDB."""
        return await self.add(key, -by, ttl)

    async def counter_fetch(self, key: bytes) -> int | None:
        """See CacheDB."""
        value = await self.get(key)
        return None if value is None else counter_value(self.id, value)

    async def raw_query(self, query: bytes, *arguments: bytes | int | float) -> list[Row]:
        """There is no language to ask in."""
        raise CacheQueryError(f"{self.id}: a store in the process has no raw queries")

    async def close(self) -> None:
        """Nothing is open."""
