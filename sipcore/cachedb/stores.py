"""IO shell: opens the stores that the config names, each with its guard; a script finds them by id."""

import difflib
import time
from collections.abc import Callable, Container, Iterable

from sipcore.cachedb.api import CacheDB, CacheQueryError, Capability
from sipcore.cachedb.guard import Guard, GuardSettings
from sipcore.cachedb.local import LocalCache, LocalTable
from sipcore.cachedb.url import CacheUrl
from sipcore.errors import ConfigError


def _local(url: CacheUrl) -> CacheDB:
    url.only_options()
    return LocalCache(url.id, time.monotonic)


def _redis(url: CacheUrl) -> CacheDB:
    from sipcore.cachedb.redis import RedisCache  # loaded only where it is used

    return RedisCache(url)


BACKENDS: dict[str, Callable[[CacheUrl], CacheDB]] = {"local": _local, "redis": _redis}
"""Scheme of the URL -> backend; another one is one line here and one fixture in tests/conformance/cachedb."""


def open_store(url: CacheUrl, settings: GuardSettings) -> CacheDB:
    """The store of this URL, not connected yet; what may be away stands behind a guard."""
    make = BACKENDS.get(url.scheme)
    if make is None:
        raise ConfigError(f"cachedb: {url.scheme!r} is no backend; known are {', '.join(BACKENDS)}")
    store = make(url)
    return Guard(store, settings) if Capability.SHARED in store.capabilities else store


class Stores:
    """The stores of one SIP core by id."""

    def __init__(self, opened: Iterable[CacheDB] = ()) -> None:
        self._stores: dict[str, CacheDB] = {}
        for store in opened:
            if store.id in self._stores:
                raise ConfigError(f"cachedb: two stores have the id {store.id!r}")
            self._stores[store.id] = store

    def __getitem__(self, store: str) -> CacheDB:
        found = self._stores.get(store)
        if found is None:
            close = difflib.get_close_matches(store, self._stores, n=1, cutoff=0.5)
            known = ", ".join(self._stores) or "none"
            hint = f"did you mean {close[0]!r}?" if close else f"configured are {known}"
            raise CacheQueryError(f"{store}: no such store in the config, {hint}")
        return found

    def __contains__(self, store: object) -> bool:
        return store in self._stores

    def __len__(self) -> int:
        return len(self._stores)

    def local_tables(self, ids: Container[str]) -> list[LocalTable]:
        """Those of them that are in this process."""
        found = (store for store in self._stores.values() if store.id in ids)
        return [store.table for store in found if isinstance(store, LocalCache)]

    def status(self) -> list[dict[str, object]]:
        """A row per store."""
        return [
            store.status() if isinstance(store, Guard) else {"id": store.id}
            for store in self._stores.values()
        ]

    async def close(self) -> None:
        """Close them all."""
        for store in self._stores.values():
            await store.close()
