"""IO shell: every backend against the suite: in the process, Redis bare, Redis behind its guard."""

import time
from collections.abc import Iterator

import pytest

from sipcore.cachedb import CacheDB, CacheUrl
from sipcore.cachedb.guard import Guard, GuardSettings
from sipcore.cachedb.local import LocalCache
from sipcore.cachedb.redis import RedisCache
from tests.conformance.cachedb.suite import CacheDBSuite, Opener, run
from tests.kit.redis_server import RedisServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def empty(server: RedisServer) -> RedisServer:
    server.command("FLUSHALL")
    return server


class TestLocal(CacheDBSuite):
    @pytest.fixture
    def opened(self) -> Opener:
        return lambda: LocalCache("local:test", time.monotonic)


class TestRedis(CacheDBSuite):
    @pytest.fixture
    def opened(self, empty: RedisServer) -> Opener:
        return lambda: RedisCache(CacheUrl.parse(empty.url))

    def test_a_raw_query_gives_a_row_for_each_element(self, opened: Opener) -> None:
        async def scenario(db: CacheDB) -> None:
            assert await db.raw_query(b"HSET pops pop1 sip:192.0.2.1 pop2 'sip:192.0.2.2;x=a b'") == [(2,)]
            rows = await db.raw_query(b"HGETALL pops")
            assert rows == [(b"pop1",), (b"sip:192.0.2.1",), (b"pop2",), (b"sip:192.0.2.2;x=a b",)]
            assert await db.raw_query(b"HGET pops nowhere") == []
            assert await db.raw_query(b"SET plain text") == [(b"OK",)]

        run(opened, scenario)

    def test_an_array_in_the_answer_is_one_row(self, opened: Opener) -> None:
        async def scenario(db: CacheDB) -> None:
            await db.raw_query(b"RPUSH list x y")
            script = b'EVAL \'return {{1, redis.call("LRANGE", "list", 0, 1)}, 2}\' 0'
            assert await db.raw_query(script) == [(1, b"x", b"y"), (2,)]

        run(opened, scenario)

    def test_an_argument_of_a_raw_query_stays_one_word_whatever_is_in_it(self, opened: Opener) -> None:
        async def scenario(db: CacheDB) -> None:
            hostile = b"bob' x y\r\nFLUSHALL\r\n ? \xff"
            await db.set(b"canary", b"alive")
            assert await db.raw_query(b"HSET ? pop ?", hostile, 7) == [(1,)]
            assert await db.raw_query(b"HGETALL ?", hostile) == [(b"pop",), (b"7",)]
            assert await db.get(b"canary") == b"alive"

        run(opened, scenario)


class TestGuardedRedis(CacheDBSuite):
    @pytest.fixture
    def opened(self, empty: RedisServer) -> Opener:
        return lambda: Guard(RedisCache(CacheUrl.parse(empty.url)), GuardSettings(budget=10.0))
