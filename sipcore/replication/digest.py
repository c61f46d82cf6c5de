"""Sans-IO: what two nodes compare to know that they hold the same: sums over the versions of their records.

A stamp is a hash of a record's key and version, on all nodes the same, whatever its times are there. The
stamps are added up per bucket of keys, and over all; each change moves two sums and costs no walk.
"""

from hashlib import blake2b
from struct import Struct
from zlib import crc32

BUCKETS = 4096
_MASK = 2**64 - 1
_SUMS = Struct(f">{BUCKETS}Q")


def bucket_of(key: bytes) -> int:
    """The bucket that a key belongs to, on every node."""
    return crc32(key) & (BUCKETS - 1)


def stamp_of(version: bytes) -> int:
    """The stamp of these bytes: key and version of a record."""
    return int.from_bytes(blake2b(version, digest_size=8).digest())


class Stamps:
    """The stamps of all records of one kind, with their sums."""

    def __init__(self) -> None:
        self.root = 0
        self._sums = [0] * BUCKETS
        self._buckets: dict[int, dict[bytes, int]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values()))

    def put(self, key: bytes, stamp: int) -> None:
        """The record of this key has this version now."""
        number = crc32(key) & (BUCKETS - 1)
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = {}
        by = stamp - bucket.get(key, 0)
        sums = self._sums
        sums[number] = (sums[number] + by) & _MASK
        self.root = (self.root + by) & _MASK
        bucket[key] = stamp

    def drop(self, key: bytes) -> None:
        """There is no record of this key any more."""
        number = bucket_of(key)
        bucket = self._buckets.get(number)
        if bucket is None or key not in bucket:
            return
        stamp = bucket.pop(key)
        self._sums[number] = (self._sums[number] - stamp) & _MASK
        self.root = (self.root - stamp) & _MASK
        if not bucket:
            del self._buckets[number]

    def stamp(self, key: bytes) -> int:
        """The stamp of a key; 0: there is none."""
        return self.of(bucket_of(key)).get(key, 0)

    def of(self, bucket: int) -> dict[bytes, int]:
        """Key to stamp of one bucket; not to be changed."""
        return self._buckets.get(bucket, {})

    def pack(self) -> bytes:
        """The sums of all buckets."""
        return _SUMS.pack(*self._sums)

    def differing(self, packed: bytes) -> list[int]:
        """The buckets whose sums differ from a peer's; raises struct.error for what no `pack` gave."""
        theirs = _SUMS.unpack(packed)
        return [number for number, mine in enumerate(self._sums) if mine != theirs[number]]
