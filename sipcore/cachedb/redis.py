"""IO shell: Redis as a store, by redis.asyncio (also Valkey and KeyDB: what speaks RESP and Lua).

No lifetime gets lost: a value goes in with its ttl by one SET, one script moves a counter and renews it.
"""

import shlex
from typing import Any

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from sipcore.cachedb.api import (
    CacheQueryError,
    CacheUnavailableError,
    Capability,
    Cell,
    Row,
    check_key,
    check_step,
    check_ttl,
    check_value,
    counter_value,
    fill_in,
)
from sipcore.cachedb.url import CacheUrl
from sipcore.errors import ConfigError

MAX_CONNECTIONS = 32
DEFAULT_PORT = 6379
_ADD = "local n = redis.call('INCRBY', KEYS[1], ARGV[1]) redis.call('PEXPIRE', KEYS[1], ARGV[2]) return n"
# The server is there, but not of use: to a script the same as if it were away.
_AWAY = (exceptions.ReadOnlyError, exceptions.MasterDownError, exceptions.ClusterDownError)


class RedisCache:
    """One Redis server, reached over a few connections that are made when they are needed."""

    capabilities = Capability.COUNTERS | Capability.COUNTERS_EXPIRE | Capability.RAW_QUERY | Capability.SHARED

    def __init__(self, url: CacheUrl) -> None:
        self.id = url.id
        pool = BlockingConnectionPool(
            max_connections=MAX_CONNECTIONS,
            timeout=None,  # the guard's budget ends the wait
            retry=Retry(NoBackoff(), 0),  # the guard says what is tried again
            **_place(url),
        )
        self._redis: Redis = Redis.from_pool(pool)
        self._redis.response_callbacks.clear()  # answers as the server gives them

    async def get(self, key: bytes) -> bytes | None:
        """See CacheDB."""
        check_key(self.id, key)
        value = await self._ask("GET", key)
        return value if value is None or isinstance(value, bytes) else b"%d" % value

    async def set(self, key: bytes, value: bytes, ttl: float | None = None) -> None:
        """See CacheDB."""
        check_key(self.id, key)
        check_value(self.id, value)
        check_ttl(self.id, ttl)
        life = () if ttl is None else ("PX", _milliseconds(ttl))
        await self._ask("SET", key, value, *life)

    async def remove(self, key: bytes) -> bool:
        """See CacheDB."""
        check_key(self.id, key)
        return bool(await self._ask("DEL", key))

    async def add(self, key: bytes, by: int = 1, ttl: float | None = None) -> int:
        """See CacheDB."""
        check_key(self.id, key)
        check_step(self.id, by)
        check_ttl(self.id, ttl)
        if ttl is None:
            return int(await self._ask("INCRBY", key, by))
        return int(await self._ask("EVAL", _ADD, 1, key, by, _milliseconds(ttl)))

    async def sub(self, key: bytes, by: int = 1, ttl: float | None = None) -> int:
        """See CacheDB."""
        return await self.add(key, -by, ttl)

    async def counter_fetch(self, key: bytes) -> int | None:
        """See CacheDB."""
        value = await self.get(key)
        return None if value is None else counter_value(self.id, value)

    async def raw_query(self, query: bytes, *arguments: bytes | int | float) -> list[Row]:
        """A command, its words split at blanks; one row per element of what comes back, none for nil.

        Quotes hold words with blanks together. An array within the answer is one row.
        """
        try:
            words = [word.encode("latin-1") for word in shlex.split(query.decode("latin-1"))]
        except ValueError as error:
            raise CacheQueryError(f"{self.id}: {query[:80]!r}: {error}") from None
        if not words:
            raise CacheQueryError(f"{self.id}: an empty query")
        return _rows(await self._ask(*fill_in(self.id, words, arguments)))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose(close_connection_pool=True)

    async def _ask(self, *words: Any) -> Any:
        try:
            return await self._redis.execute_command(*words)  # type: ignore[no-untyped-call]
        except _AWAY as error:
            raise CacheUnavailableError(f"{self.id}: {error}") from error
        except exceptions.ResponseError as error:
            raise CacheQueryError(f"{self.id}: {error}") from error
        except (exceptions.RedisError, OSError) as error:
            raise CacheUnavailableError(f"{self.id}: {error or type(error).__name__}") from error


def _rows(answer: Any) -> list[Row]:
    if answer is None:
        return []
    if isinstance(answer, list):
        return [tuple(_cells(element)) for element in answer]
    return [(answer,)]


def _cells(element: Any) -> list[Cell]:
    if isinstance(element, list):
        return [cell for inner in element for cell in _cells(inner)]
    if isinstance(element, Exception):  # one command of an EXEC
        raise CacheQueryError(str(element))
    return [element]


def _milliseconds(ttl: float) -> int:
    return max(round(ttl * 1000), 1)


def _place(url: CacheUrl) -> dict[str, Any]:
    """What redis.asyncio calls the parts of the URL; `?socket=/path` and `?tls=1` are as in OpenSIPS."""
    url.only_options("socket", "tls", "ca_file")
    if url.database and not url.database.isdigit():
        raise ConfigError(f"cachedb: {url.id}: the database {url.database!r} is not a number")
    if len(url.hosts) > 1:
        raise ConfigError(
            f"cachedb: {url.id}: {len(url.hosts)} hosts, but only one Redis server is supported"
        )
    place: dict[str, Any] = {
        "db": int(url.database or 0),
        "username": url.user or None,
        "protocol": 2,  # one form of answers for raw queries, whatever the server's version
        "driver_info": None,  # no CLIENT SETINFO: a new connection is to cost one round trip
        "password": url.password or None,
    }
    kind: type[AbstractConnection] = Connection
    path = url.option("socket")
    if path is not None:
        return place | {"connection_class": UnixDomainSocketConnection, "path": path}
    if url.option("tls") == "1":
        kind = SSLConnection
        place["ssl_ca_certs"] = url.option("ca_file")
    host, port = url.hosts[0] if url.hosts else ("127.0.0.1", None)
    return place | {"connection_class": kind, "host": host, "port": port or DEFAULT_PORT}
