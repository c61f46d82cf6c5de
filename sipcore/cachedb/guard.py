"""IO shell: stands before a store that may be away: a budget per call, a circuit breaker, figures.

A SIP answer waits for the store no longer than the budget; while the breaker is open it does not wait at all.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

from sipcore.cachedb.api import (
    CacheDB,
    CacheQueryError,
    CacheTimeoutError,
    CacheUnavailableError,
    Row,
)
from sipcore.cachedb.breaker import CLOSED, Breaker

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """The limits; times in seconds."""

    budget: float = 0.05
    max_waiting: int = 1000  # calls at a time
    threshold: int = 3  # failures in a row that open the breaker
    pause: float = 0.5
    longest_pause: float = 10.0


@dataclass(slots=True)
class GuardFigures:
    """What was counted since the start."""

    calls: int = 0
    errors: int = 0  # the store was well, the query was not
    timeouts: int = 0
    failures: int = 0  # not reached; timeouts are not among them
    rejected: int = 0  # not even tried: breaker open, or too many waiting
    seconds: float = 0.0  # spent in calls


class Guard:
    """A CacheDB before another one."""

    def __init__(
        self,
        store: CacheDB,
        settings: GuardSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.id = store.id
        self.capabilities = store.capabilities
        self.figures = GuardFigures()
        self.waiting = 0
        self._store = store
        self._settings = settings = settings or GuardSettings()
        self._clock = clock
        self.breaker = Breaker(
            threshold=settings.threshold, pause=settings.pause, longest_pause=settings.longest_pause
        )

    async def get(self, key: bytes) -> bytes | None:
        """See CacheDB."""
        return await self._call(lambda: self._store.get(key), again=True)

    async def set(self, key: bytes, value: bytes, ttl: float | None = None) -> None:
        """See CacheDB."""
        await self._call(lambda: self._store.set(key, value, ttl), again=True)

    async def remove(self, key: bytes) -> bool:
        """See CacheDB."""
        return await self._call(lambda: self._store.remove(key), again=True)

    async def add(self, key: bytes, by: int = 1, ttl: float | None = None) -> int:
        """See CacheDB; not tried again, as the first try may have counted."""
        return await self._call(lambda: self._store.add(key, by, ttl), again=False)

    async def sub(self, key: bytes, by: int = 1, ttl: float | None = None) -> int:
        """See CacheDB; not tried again, as the first try may have counted."""
        return await self._call(lambda: self._store.sub(key, by, ttl), again=False)

    async def counter_fetch(self, key: bytes) -> int | None:
        """See CacheDB."""
        return await self._call(lambda: self._store.counter_fetch(key), again=True)

    async def raw_query(self, query: bytes, *arguments: bytes | int | float) -> list[Row]:
        """See CacheDB; not tried again, as nobody knows what it does."""
        return await self._call(lambda: self._store.raw_query(query, *arguments), again=False)

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()

    def status(self) -> dict[str, object]:
        """For an operator and for metrics."""
        figures = self.figures
        return {
            "id": self.id,
            "breaker": self.breaker.state.name,
            "waiting": self.waiting,
            "opened": self.breaker.opened,
            "calls": figures.calls,
            "errors": figures.errors,
            "timeouts": figures.timeouts,
            "failures": figures.failures,
            "rejected": figures.rejected,
            "seconds": round(figures.seconds, 6),
        }

    async def _call(self, work: Callable[[], Awaitable[T]], *, again: bool) -> T:
        """Do it within the budget. `again`: a lost connection is worth a second try, on a new one."""
        self._admit()
        self.waiting += 1
        started = self._clock()
        self.figures.calls += 1
        try:
            async with asyncio.timeout(self._settings.budget):
                result = await (_twice(work) if again and self.breaker.state is CLOSED else work())
        except CacheQueryError:
            self.figures.errors += 1
            self.breaker.on_success()
            raise
        except TimeoutError:
            self.figures.timeouts += 1
            self.breaker.on_failure(self._clock())
            budget = f"{self._settings.budget * 1000:g} ms"
            raise CacheTimeoutError(f"{self.id}: no answer within the budget of {budget}") from None
        except CacheUnavailableError:
            self.figures.failures += 1
            self.breaker.on_failure(self._clock())
            raise
        except BaseException:
            self.breaker.on_abandoned()
            raise
        finally:
            self.waiting -= 1
            self.figures.seconds += self._clock() - started
        self.breaker.on_success()
        return result

    def _admit(self) -> None:
        settings = self._settings
        if self.waiting >= settings.max_waiting:
            self.figures.rejected += 1
            raise CacheUnavailableError(
                f"{self.id}: {self.waiting} calls wait, the limit is {settings.max_waiting}"
            )
        if not self.breaker.allows(self._clock()):
            self.figures.rejected += 1
            raise CacheUnavailableError(f"{self.id}: left alone for a while, it failed too often")


async def _twice(work: Callable[[], Awaitable[T]]) -> T:
    """A pooled connection that the server has closed since shows it only when it is used."""
    trying = AsyncRetrying(
        stop=stop_after_attempt(2),
        retry=retry_if_exception(lambda error: type(error) is CacheUnavailableError),
        reraise=True,
    )
    async for attempt in trying:
        with attempt:
            return await work()
    raise AssertionError("the second try returns or raises")
