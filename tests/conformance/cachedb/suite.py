"""IO shell: what every backend of cachedb must do. A new backend is a subclass with one fixture:

    class TestMemcached(CacheDBSuite):
        @pytest.fixture
        def opened(self, memcached: MemcachedServer) -> Opener:
            return lambda: MemcachedCache(CacheUrl.parse(memcached.url))

What a backend says that it cannot do is skipped. The store is empty, or at least has none of the keys here.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipcore.cachedb import CacheDB, CacheQueryError, Capability
from sipcore.cachedb.api import MAX_COUNTER, MAX_KEY, MAX_TTL, MAX_VALUE, counter_value

Opener = Callable[[], CacheDB]
Scenario = Callable[[CacheDB], Awaitable[None]]
PATIENCE = 10.0
_numbers = itertools.count()

KEYS = st.sampled_from([b"a", b"b", b"\x00 \r\n\xff", b"long" * 60])
VALUES = st.binary(max_size=40) | st.integers(-5, 5).map(lambda number: b"%d" % number)
OPERATIONS = st.one_of(
    st.tuples(st.just("get"), KEYS, st.none()),
    st.tuples(st.just("set"), KEYS, VALUES),
    st.tuples(st.just("remove"), KEYS, st.none()),
    st.tuples(st.just("add"), KEYS, st.integers(-(2**63) + 1, MAX_COUNTER) | st.integers(-9, 9)),
    st.tuples(st.just("sub"), KEYS, st.integers(-9, 9)),
    st.tuples(st.just("counter_fetch"), KEYS, st.none()),
)
ALWAYS = Capability(0)


class CacheDBSuite:
    """The tests; a subclass brings the backend."""

    @pytest.fixture
    def opened(self) -> Opener:
        """Returns what makes the store; called within the event loop."""
        raise NotImplementedError

    def test_what_was_set_is_got(self, opened: Opener) -> None:
        async def scenario(db: CacheDB) -> None:
            await db.set(b"set-1", b"sip:pop1.example.test")
            assert await db.get(b"set-1") == b"sip:pop1.example.test"
            await db.set(b"set-1", b"")
            assert await db.get(b"set-1") == b""

        run(opened, scenario)

    def test_what_is_not_there_is_none_and_no_error(self, opened: Opener) -> None:
        async def scenario(db: CacheDB) -> None:
            assert await db.get(b"absent") is None
            assert await db.remove(b"absent") is False

        run(opened, scenario)

    def test_what_was_removed_is_gone(self, opened: Opener) -> None:
        async def scenario(db: CacheDB) -> None:
            await db.set(b"removed", b"value")
            assert await db.remove(b"removed") is True
            assert await db.get(b"removed") is None

        run(opened, scenario)

    @pytest.mark.parametrize("key", [b" ", b"\r\nSET x y\r\n", b"\x00\xff", b"a:b{c}*", b"k" * MAX_KEY])
    def test_any_bytes_are_a_key_and_a_value(self, opened: Opener, key: bytes) -> None:
        async def scenario(db: CacheDB) -> None:
            await db.set(key, key)
            assert await db.get(key) == key
            assert await db.remove(key)

        run(opened, scenario)

    def test_a_value_of_the_greatest_size_comes_back_whole(self, opened: Opener) -> None:
        async def scenario(db: CacheDB) -> None:
            await db.set(b"big", bytes(range(256)) * (MAX_VALUE // 256))
            assert await db.get(b"big") == bytes(range(256)) * (MAX_VALUE // 256)
            await db.remove(b"big")

        run(opened, scenario)

    def test_what_is_over_a_limit_is_an_error_that_names_it(self, opened: Opener) -> None:
        async def scenario(db: CacheDB) -> None:
            for key, value, ttl, limit in (
                (b"", b"x", None, "1.."),
                (b"k" * (MAX_KEY + 1), b"x", None, str(MAX_KEY)),
                (b"k", b"x" * (MAX_VALUE + 1), None, str(MAX_VALUE)),
                (b"k", b"x", 0.0, "0.001s"),
                (b"k", b"x", MAX_TTL * 2, "0.001s"),
            ):
                with pytest.raises(CacheQueryError, match=limit):
                    await db.set(key, value, ttl)

        run(opened, scenario)

    def test_a_value_ends_with_its_ttl_and_not_before(self, opened: Opener) -> None:
        async def scenario(db: CacheDB) -> None:
            await db.set(b"brief", b"x", 0.3)
            await db.set(b"long", b"x", 60)
            assert await db.get(b"brief") == b"x"
            await until_gone(db, b"brief")
            assert await db.get(b"long") == b"x"

        run(opened, scenario)

    def test_a_set_without_ttl_makes_a_value_stay(self, opened: Opener) -> None:
        async def scenario(db: CacheDB) -> None:
            await db.set(b"stays", b"x", 0.3)
            await db.set(b"stays", b"y")
            await db.set(b"goes", b"x", 0.3)
            await until_gone(db, b"goes")
            assert await db.get(b"stays") == b"y"

        run(opened, scenario)

    def test_a_counter_begins_at_zero_and_goes_below_it(self, opened: Opener) -> None:
        async def scenario(db: CacheDB) -> None:
            assert await db.counter_fetch(b"calls") is None
            assert await db.add(b"calls") == 1
            assert await db.add(b"calls", 9) == 10
            assert await db.sub(b"calls") == 9
            assert await db.counter_fetch(b"calls") == 9
            assert await db.get(b"calls") == b"9"
            assert await db.sub(b"calls-2", 3) == -3
            assert await db.counter_fetch(b"calls-2") == -3

        run(opened, scenario, needs=Capability.COUNTERS)

    def test_a_number_that_was_set_can_be_counted_on(self, opened: Opener) -> None:
        async def scenario(db: CacheDB) -> None:
            await db.set(b"from", b"41")
            assert await db.add(b"from") == 42

        run(opened, scenario, needs=Capability.COUNTERS)

    def test_what_is_no_number_is_not_counted_and_stays_as_it_is(self, opened: Opener) -> None:
        async def scenario(db: CacheDB) -> None:
            await db.set(b"text", b"sip:bob@example.test", 60)
            with pytest.raises(CacheQueryError):
                await db.add(b"text")
            with pytest.raises(CacheQueryError):
                await db.sub(b"text", 1, 0.3)
            with pytest.raises(CacheQueryError):
                await db.counter_fetch(b"text")
            assert await db.get(b"text") == b"sip:bob@example.test"

        run(opened, scenario, needs=Capability.COUNTERS)

    def test_a_counter_that_would_overflow_is_an_error_and_stays(self, opened: Opener) -> None:
        async def scenario(db: CacheDB) -> None:
            await db.add(b"most", MAX_COUNTER)
            with pytest.raises(CacheQueryError):
                await db.add(b"most")
            assert await db.counter_fetch(b"most") == MAX_COUNTER

        run(opened, scenario, needs=Capability.COUNTERS)

    def test_a_step_with_ttl_renews_the_life_of_a_counter(self, opened: Opener) -> None:
        async def scenario(db: CacheDB) -> None:
            await db.add(b"lease", 1, 0.3)
            await db.add(b"lease", 1, 60)
            await db.add(b"other", 1, 60)
            await db.sub(b"other", 1, 0.3)
            await until_gone(db, b"other")
            assert await db.counter_fetch(b"lease") == 2

        run(opened, scenario, needs=Capability.COUNTERS_EXPIRE)

    def test_a_step_without_ttl_leaves_the_life_of_a_counter(self, opened: Opener) -> None:
        async def scenario(db: CacheDB) -> None:
            await db.add(b"kept", 1, 0.3)
            assert await db.add(b"kept") == 2
            await until_gone(db, b"kept")

        run(opened, scenario, needs=Capability.COUNTERS_EXPIRE)

    def test_steps_at_the_same_time_are_all_counted(self, opened: Opener) -> None:
        async def scenario(db: CacheDB) -> None:
            numbers = await asyncio.gather(*(db.add(b"race", 1, 60) for _ in range(50)))
            assert sorted(numbers) == list(range(1, 51))

        run(opened, scenario, needs=Capability.COUNTERS)

    def test_a_raw_query_without_the_arguments_that_it_names_is_an_error(self, opened: Opener) -> None:
        async def scenario(db: CacheDB) -> None:
            with pytest.raises(CacheQueryError):
                await db.raw_query(b"GET ?")
            with pytest.raises(CacheQueryError):
                await db.raw_query(b"GET key", b"more")

        run(opened, scenario, needs=Capability.RAW_QUERY)

    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(operations=st.lists(OPERATIONS, max_size=12))
    def test_it_does_what_a_dict_would_do(
        self, opened: Opener, operations: list[tuple[str, bytes, bytes | int | None]]
    ) -> None:
        async def scenario(db: CacheDB) -> None:
            prefix = b"model-%d-" % next(_numbers)
            model: dict[bytes, bytes] = {}
            for name, key, argument in operations:
                given = () if argument is None else (argument,)
                try:
                    found = await getattr(db, name)(prefix + key, *given)
                except CacheQueryError:
                    found = CacheQueryError
                assert found == in_model(model, name, key, argument), (name, key, argument)

        run(opened, scenario, needs=Capability.COUNTERS)


def in_model(model: dict[bytes, bytes], name: str, key: bytes, argument: bytes | int | None) -> object:
    """What the operation returns, by the words of the interface."""
    if name == "get":
        return model.get(key)
    if name == "remove":
        return model.pop(key, None) is not None
    if name == "set":
        assert isinstance(argument, bytes)
        model[key] = argument
        return None
    value = model.get(key)
    if value is not None and not is_number(value):
        return CacheQueryError
    if name == "counter_fetch":
        return None if value is None else int(value)
    assert isinstance(argument, int)
    number = int(value or 0) + (argument if name == "add" else -argument)
    if not -MAX_COUNTER - 1 <= number <= MAX_COUNTER:
        return CacheQueryError
    model[key] = b"%d" % number
    return number


def is_number(value: bytes) -> bool:
    """Decimal text without a sign, blank or zero too much."""
    try:
        return counter_value("model", value) is not None
    except CacheQueryError:
        return False


async def until_gone(db: CacheDB, key: bytes) -> None:
    """Wait for the end of a life."""
    end = time.monotonic() + PATIENCE
    while await db.get(key) is not None:
        assert time.monotonic() < end, f"{key!r} is still there"
        await asyncio.sleep(0.02)


async def refuses(db: CacheDB, capability: Capability) -> None:
    """A backend that lacks this says so."""
    asked = db.raw_query(b"GET key") if capability is Capability.RAW_QUERY else db.add(b"counter", 1, 60)
    with pytest.raises(CacheQueryError):
        await asked


def run(opened: Opener, scenario: Scenario, *, needs: Capability = ALWAYS) -> None:
    """Open the store, carry out the scenario, close the store; what it has not it says it has not."""

    async def opened_and_closed() -> None:
        db = opened()
        try:
            if needs in db.capabilities:
                await scenario(db)
            else:
                await refuses(db, needs)
        finally:
            await db.close()

    asyncio.run(opened_and_closed())
