"""Sans-IO: key-value stores. OpenSIPS: the cachedb functions of the core.

The store is named as in the config, "redis:location". One that is away answers None or False, a log line and
its counters tell; a wrong query or an unknown store raises CacheQueryError.
"""

from collections.abc import Coroutine
from typing import Any, TypeVar

from sipcore.cachedb import CacheDB, CacheUnavailableError, Capability
from sipcore.script.context import Context
from sipcore.script.run import run
from sipcore.script.text import text, wire

T = TypeVar("T")
Value = str | int | float | None


async def cache_store(context: Context, store: str, key: str, value: str | int, ttl: float = 0) -> bool:
    """Put a value in, for `ttl` seconds (0: for ever). OpenSIPS: cache_store("id", key, value, ttl)."""
    db = context.services.stores[store]
    return await _ask(context, db, _set(db, wire(key), wire(str(value)), ttl or None)) is True


async def cache_fetch(context: Context, store: str, key: str) -> str | None:
    """The value of a key, None when there is none. OpenSIPS: cache_fetch("id", key, $avp)."""
    db = context.services.stores[store]
    value = await _ask(context, db, db.get(wire(key)))
    return None if value is None else text(value)


async def cache_remove(context: Context, store: str, key: str) -> bool:
    """Take a key out; whether it was there. OpenSIPS: cache_remove("id", key)."""
    db = context.services.stores[store]
    return bool(await _ask(context, db, db.remove(wire(key))))


async def cache_add(context: Context, store: str, key: str, by: int = 1, ttl: float = 0) -> int | None:
    """Count up, one atomic step; the new number. With a ttl the counter lives on for so long, without it the
    lifetime stays. OpenSIPS: cache_add("id", key, by, ttl, $var).
    """
    db = context.services.stores[store]
    return await _ask(context, db, db.add(wire(key), by, ttl or None))


async def cache_sub(context: Context, store: str, key: str, by: int = 1, ttl: float = 0) -> int | None:
    """Count down, as `cache_add`. OpenSIPS: cache_sub("id", key, by, ttl, $var)."""
    db = context.services.stores[store]
    return await _ask(context, db, db.sub(wire(key), by, ttl or None))


async def cache_counter_fetch(context: Context, store: str, key: str) -> int | None:
    """The number of a counter, None when there is none. OpenSIPS: cache_counter_fetch("id", key, $var)."""
    db = context.services.stores[store]
    return await _ask(context, db, db.counter_fetch(wire(key)))


async def cache_raw_query(
    context: Context, store: str, query: str, *arguments: str | int | float
) -> list[tuple[Value, ...]] | None:
    """A query in the store's own language; a row per result, None when the store is away.

    What comes from a message goes in as an argument, in the place of a `?`: so it cannot be read as a part of
    the query. cache_raw_query(call, "redis:location", "HGETALL ?", call.ru). OpenSIPS: cache_raw_query().
    """
    db = context.services.stores[store]
    given = [wire(argument) if isinstance(argument, str) else argument for argument in arguments]
    rows = await _ask(context, db, db.raw_query(wire(query), *given))
    if rows is None:
        return None
    return [tuple(text(cell) if isinstance(cell, bytes) else cell for cell in row) for row in rows]


async def _set(db: CacheDB, key: bytes, value: bytes, ttl: float | None) -> bool:
    await db.set(key, value, ttl)
    return True


async def _ask(context: Context, db: CacheDB, work: Coroutine[Any, Any, T]) -> T | None:
    try:
        return await (run(work) if Capability.SHARED in db.capabilities else work)
    except CacheUnavailableError as error:
        context.services.log("warning", "store away", error=str(error), key=context.key)
        return None
