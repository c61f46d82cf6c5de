"""IO shell: a Redis server that is killed, frozen or absent never holds a caller beyond the budget."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipcore.cachedb import CacheTimeoutError, CacheUnavailableError, CacheUrl
from sipcore.cachedb.breaker import BreakerState
from sipcore.cachedb.guard import Guard, GuardSettings
from sipcore.cachedb.redis import RedisCache
from tests.kit.redis_server import RedisServer

BUDGET = 0.1
LOADED = 3.0  # seconds that a busy machine may add; without the guard a call would wait for ever
SETTINGS = GuardSettings(budget=BUDGET, threshold=3, pause=0.2, longest_pause=0.4)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as running:
        yield running


def guard(server: RedisServer, settings: GuardSettings = SETTINGS) -> Guard:
    return Guard(RedisCache(CacheUrl.parse(server.url)), settings)


async def until_well(db: Guard) -> None:
    """Call until the breaker has let one through that was answered."""
    end = time.monotonic() + 20
    while True:
        try:
            await db.get(b"key")
        except CacheUnavailableError:
            assert time.monotonic() < end
            await asyncio.sleep(0.05)
        else:
            return


def test_a_frozen_server_costs_the_budget_and_then_nothing(server: RedisServer) -> None:
    async def scenario() -> None:
        db = guard(server)
        await until_well(db)
        server.freeze()
        for _ in range(SETTINGS.threshold):
            started = time.monotonic()
            with pytest.raises(CacheTimeoutError, match="100 ms"):
                await db.get(b"key")
            assert time.monotonic() - started < BUDGET + LOADED
        assert db.breaker.state is BreakerState.OPEN
        with pytest.raises(CacheUnavailableError, match="left alone"):
            await db.get(b"key")
        assert db.figures.timeouts >= SETTINGS.threshold
        assert db.figures.rejected >= 1
        await db.close()

    asyncio.run(scenario())


def test_after_a_freeze_an_answer_belongs_to_its_question(server: RedisServer) -> None:
    async def scenario() -> None:
        db = guard(server)
        await until_well(db)
        await db.set(b"old", b"old")
        await db.set(b"new", b"new")
        server.freeze()
        with pytest.raises(CacheTimeoutError):
            await db.get(b"old")
        server.thaw()
        await until_well(db)
        assert await db.get(b"new") == b"new"
        await db.close()

    asyncio.run(scenario())


def test_a_killed_server_is_told_at_once_and_comes_back_by_itself(server: RedisServer) -> None:
    async def scenario() -> None:
        db = guard(server)
        await until_well(db)
        server.kill()
        for _ in range(SETTINGS.threshold):
            with pytest.raises(CacheUnavailableError):
                await db.get(b"key")
        assert db.breaker.state is BreakerState.OPEN
        server.start()
        await until_well(db)
        assert db.breaker.allows(time.monotonic())
        await db.close()

    asyncio.run(scenario())


def test_a_restart_between_two_calls_costs_no_call(server: RedisServer) -> None:
    async def scenario() -> None:
        db = guard(server, GuardSettings(budget=10.0))
        await db.set(b"key", b"value")
        server.kill()
        server.start()
        assert await db.get(b"key") is None  # a second try within the budget, on a new connection
        assert db.figures.failures == 0
        await db.close()

    asyncio.run(scenario())


def test_no_more_calls_wait_than_the_limit_says(server: RedisServer) -> None:
    async def scenario() -> None:
        db = guard(server, GuardSettings(budget=0.3, max_waiting=5, threshold=1000))
        server.freeze()
        results = await asyncio.gather(*(db.get(b"key") for _ in range(20)), return_exceptions=True)
        refused = [error for error in results if "the limit is 5" in str(error)]
        assert len(refused) == 15
        assert all(isinstance(error, CacheUnavailableError) for error in results)
        await db.close()

    asyncio.run(scenario())


def test_a_wrong_query_does_not_open_the_breaker(server: RedisServer) -> None:
    async def scenario() -> None:
        db = guard(server, GuardSettings(budget=10.0, threshold=1))
        for _ in range(3):
            with pytest.raises(Exception, match="unknown command"):
                await db.raw_query(b"NONSENSE")
        assert db.breaker.state is BreakerState.CLOSED
        assert db.figures.errors == 3
        await db.close()

    asyncio.run(scenario())


def test_a_caller_that_gives_up_leaves_the_probe_to_the_next(server: RedisServer) -> None:
    async def scenario() -> None:
        db = guard(server, GuardSettings(budget=10.0, threshold=1, pause=0.01, longest_pause=0.01))
        db.breaker.on_failure(time.monotonic())
        await asyncio.sleep(0.05)
        server.freeze()
        probe = asyncio.create_task(db.get(b"key"))
        await asyncio.sleep(0.05)
        assert db.breaker.state is BreakerState.HALF_OPEN
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        server.thaw()
        await until_well(db)
        await db.close()

    asyncio.run(scenario())
