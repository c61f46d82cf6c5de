"""Sans-IO: what every key-value store offers: get, set, remove, counters, raw queries.

The backends of OpenSIPS differ in all of this; ours do not, tests/conformance/cachedb holds each to it:

- keys and values are bytes, any bytes; a value that is not there is None, never an error;
- `set` replaces the value and its lifetime; without a ttl it stays for ever;
- a counter is a signed 64-bit number, kept as decimal text; one that is not there counts as 0; it may go
  below 0; `add` and `sub` are one atomic step, lifetime included;
- `add` and `sub` with a ttl renew the lifetime, without one they leave it as it was.
"""

import re
from enum import Flag, auto
from typing import Protocol

from sipcore.errors import SipcoreError

MAX_KEY = 1024  # bytes
MAX_VALUE = 1024 * 1024  # bytes
MAX_TTL = 10 * 365 * 86400.0  # seconds
MIN_TTL = 0.001
MAX_COUNTER = 2**63 - 1

_NUMBER = re.compile(rb"0|-?[1-9][0-9]{0,18}")

Cell = bytes | int | float | None
Row = tuple[Cell, ...]


class CacheError(SipcoreError):
    """The store did not do what it was asked; the text begins with the store's id."""


class CacheQueryError(CacheError):
    """The store is well, but this cannot be done: no number, a wrong query, a limit."""


class CacheUnavailableError(CacheError):
    """The store is not reached, or is left alone for a while because it was not."""


class CacheTimeoutError(CacheUnavailableError):
    """The store did not answer within its budget."""


class Capability(Flag):
    """What a backend can do beside get, set and remove."""

    COUNTERS = auto()
    COUNTERS_EXPIRE = auto()
    RAW_QUERY = auto()
    SHARED = auto()  # other nodes see the same data, and it may be away


class CacheDB(Protocol):
    """One store. Each method raises CacheError; lifetimes in seconds."""

    id: str  # as a script names it: "redis:location"
    capabilities: Capability

    async def get(self, key: bytes) -> bytes | None:
        """The value of a key, None when there is none."""

    async def set(self, key: bytes, value: bytes, ttl: float | None = None) -> None:
        """Put a value in, whatever was there before."""

    async def remove(self, key: bytes) -> bool:
        """Take a key out; whether it was there."""

    async def add(self, key: bytes, by: int = 1, ttl: float | None = None) -> int:
        """Count up; the new number."""

    async def sub(self, key: bytes, by: int = 1, ttl: float | None = None) -> int:
        """Count down; the new number."""

    async def counter_fetch(self, key: bytes) -> int | None:
        """The number of a counter, None when there is none."""

    async def raw_query(self, query: bytes, *arguments: bytes | int | float) -> list[Row]:
        """A query in the backend's own language; each `?` that stands alone is one argument, as it is."""

    async def close(self) -> None:
        """Let go of connections."""


def check_key(store: str, key: bytes) -> None:
    """CacheQueryError unless every backend could take this key."""
    if not 0 < len(key) <= MAX_KEY:
        raise CacheQueryError(f"{store}: a key of {len(key)} bytes is not in 1..{MAX_KEY}")


def check_value(store: str, value: bytes) -> None:
    """CacheQueryError unless every backend could take this value."""
    if len(value) > MAX_VALUE:
        raise CacheQueryError(f"{store}: a value of {len(value)} bytes is longer than {MAX_VALUE}")


def check_ttl(store: str, ttl: float | None) -> None:
    """CacheQueryError unless this is a lifetime."""
    if ttl is not None and not MIN_TTL <= ttl <= MAX_TTL:
        raise CacheQueryError(f"{store}: a ttl of {ttl:g}s is not in {MIN_TTL:g}s..{MAX_TTL:g}s")


def check_step(store: str, by: int) -> None:
    """CacheQueryError unless a counter can move so far."""
    if abs(by) > MAX_COUNTER:
        raise CacheQueryError(f"{store}: a step of {by} does not fit into a counter of 64 bits")


def counter_value(store: str, value: bytes) -> int:
    """The value as a counter; CacheQueryError when it is none."""
    if not _NUMBER.fullmatch(value) or not -MAX_COUNTER - 1 <= int(value) <= MAX_COUNTER:
        raise CacheQueryError(f"{store}: {value[:40]!r} is not a number")
    return int(value)


def fill_in(store: str, words: list[bytes], arguments: tuple[bytes | int | float, ...]) -> list[Cell]:
    """The words of a query with its arguments in the place of each `?`; their number must agree."""
    places = words.count(b"?")
    if places != len(arguments):
        raise CacheQueryError(
            f"{store}: the query has {places} '?', but {len(arguments)} arguments came with it"
        )
    given = iter(arguments)
    return [next(given) if word == b"?" else word for word in words]
