"""Sans-IO: the runner of routes."""

import asyncio
from typing import Any

import pytest

from sipcore.script.context import Context
from sipcore.script.errors import RouteError, RouteTimeoutError
from sipcore.script.route import Route, RouteKind
from sipcore.script.run import Run, Runner, Until, run, where_it_failed
from sipcore.timers import TimerWheel


class Subject(Context):
    """A call that only knows the time."""

    def __init__(self) -> None:
        self.at = 0.0

    @property
    def now(self) -> float:
        return self.at

    @now.setter
    def now(self, value: float) -> None:
        self.at = value


class Bench:
    """A runner with its wheel, and what ended."""

    def __init__(self, **limits: Any) -> None:
        self.wheel = TimerWheel()
        self.runner = Runner(self.wheel, **limits)
        self.ended: list[Exception | None] = []
        self.subject = Subject()

    def start(self, function: Any) -> Run[Subject] | None:
        self.route = Route(RouteKind.REQUEST, "", function)
        return self.runner.start(self.route, self.subject, 0.0, self.end)

    def end(self, _route: Route[Subject], _subject: Subject, error: Exception | None, _now: float) -> None:
        self.ended.append(error)


async def work(value: int) -> int:
    return value


def close(waiting: Run[Any]) -> None:
    assert waiting.wait is not None
    waiting.wait.drop()


def test_a_route_that_does_not_wait_has_ended_when_start_returns() -> None:
    bench = Bench()

    async def inner() -> int:
        return 7

    async def route(_call: Subject) -> None:
        assert await inner() == 7

    assert bench.start(route) is None
    assert bench.ended == [None]
    assert not bench.runner.waiting
    assert bench.wheel.pending == 0


def test_a_route_that_waits_goes_on_with_the_result() -> None:
    bench = Bench()
    seen: list[object] = []

    async def route(call: Subject) -> None:
        seen.append(await run(work(5)))
        seen.append(call.now)

    waiting = bench.start(route)
    assert waiting is not None
    assert bench.ended == []
    assert bench.runner.begun == [waiting]
    close(waiting)
    bench.runner.resume(waiting, 3.0, 5)
    assert seen == [5, 3.0]
    assert bench.ended == [None]
    assert bench.wheel.pending == 0
    assert not bench.runner.waiting


def test_what_the_work_raises_is_raised_in_the_route() -> None:
    bench = Bench()
    seen: list[str] = []

    async def route(_call: Subject) -> None:
        try:
            await run(work(5))
        except ValueError as error:
            seen.append(str(error))

    waiting = bench.start(route)
    assert waiting is not None
    close(waiting)
    bench.runner.resume(waiting, 0.0, None, ValueError("away"))
    assert seen == ["away"]
    assert bench.ended == [None]


def test_an_exception_ends_the_route_with_its_line() -> None:
    bench = Bench()

    async def route(_call: Subject) -> None:
        raise KeyError("x")

    bench.start(route)
    (error,) = bench.ended
    assert isinstance(error, KeyError)
    assert where_it_failed(error, __file__) == f"{__file__}:{bench.route.line + 1}"


def test_exit_ends_the_route_and_not_the_process() -> None:
    bench = Bench()

    async def route(_call: Subject) -> None:
        raise SystemExit

    bench.start(route)
    assert "ends with `return`" in str(bench.ended[0])


@pytest.mark.parametrize("foreign", ["sleep", "future"])
def test_work_of_asyncio_awaited_by_itself_is_a_clear_error(foreign: str) -> None:
    bench = Bench()

    async def scenario() -> None:
        async def route(_call: Subject) -> None:
            if foreign == "sleep":
                await asyncio.sleep(0)
            else:
                await asyncio.get_running_loop().create_future()

        assert bench.start(route) is not None

    asyncio.run(scenario())
    (error,) = bench.ended
    assert isinstance(error, RouteError)
    assert "wrap it: await run(...)" in str(error)
    assert where_it_failed(error, __file__)


def test_a_route_that_waits_too_long_is_given_up_and_says_where() -> None:
    bench = Bench(time_limit=2.0)
    cleaned: list[bool] = []

    async def route(_call: Subject) -> None:
        try:
            await run(work(5))
        finally:
            cleaned.append(True)

    waiting = bench.start(route)
    assert waiting is not None
    aborted: list[bool] = []
    waiting.abort = lambda: aborted.append(True)
    bench.wheel.advance(1.9)
    assert bench.ended == []
    bench.wheel.advance(2.1)
    (error,) = bench.ended
    assert isinstance(error, RouteTimeoutError)
    assert f"{__file__}:{bench.route.line + 2}: waits for more than 2 s" in str(error)
    assert (aborted, cleaned, bench.runner.timeouts) == ([True], [True], 1)
    close(waiting)
    bench.runner.resume(waiting, 3.0, 5)  # too late: nothing happens
    assert len(bench.ended) == 1


def test_the_time_limit_is_for_the_whole_route() -> None:
    bench = Bench(time_limit=2.0)

    async def route(_call: Subject) -> None:
        await run(work(5))
        await run(work(6))

    waiting = bench.start(route)
    assert waiting is not None
    close(waiting)
    bench.runner.resume(waiting, 1.5, 5)
    bench.wheel.advance(2.1)
    assert isinstance(bench.ended[0], RouteTimeoutError)


def test_no_more_routes_wait_than_the_limit_says() -> None:
    bench = Bench(max_waiting=1)

    async def route(_call: Subject) -> None:
        await run(work(5))

    first = bench.start(route)
    bench.start(route)
    assert "the limit is 1" in str(bench.ended[0])
    assert len(bench.runner.waiting) == 1
    assert first is not None
    bench.runner.drop(first)


def test_a_route_waits_for_a_callback_without_a_task() -> None:
    bench = Bench()

    async def route(call: Subject) -> None:
        await Until(lambda done: bench.wheel.schedule(1.0, done))
        assert call.now == pytest.approx(1.0)

    bench.start(route)
    assert bench.runner.begun == []
    bench.wheel.advance(1.0)
    assert bench.ended == [None]


def test_a_callback_at_once_resumes_the_route_at_once() -> None:
    bench = Bench()

    async def route(_call: Subject) -> None:
        await Until(lambda done: done(0.0))

    bench.start(route)
    assert bench.ended == [None]
    assert not bench.runner.waiting


def test_a_route_that_must_not_wait_is_told_where_it_did() -> None:
    async def route(_call: Subject) -> None:
        await run(work(5))

    made = Route(RouteKind.BRANCH, "x", route)
    with pytest.raises(RouteError, match="a branch_route must not wait") as caught:
        Runner.finish(made, Subject())
    assert where_it_failed(caught.value, __file__) == f"{__file__}:{made.line + 1}"


def test_a_standby_forgets_all_that_wait() -> None:
    bench = Bench()

    async def route(_call: Subject) -> None:
        await run(work(5))

    bench.start(route)
    bench.runner.drop_all()
    assert bench.ended == []
    assert bench.runner.begun == []
    assert bench.wheel.pending == 0


def test_many_waits_in_one_route_are_all_served() -> None:
    bench = Bench()
    total: list[int] = []

    async def helper(number: int) -> int:
        return await run(work(number))

    async def route(_call: Subject) -> None:
        total.append(sum([await helper(number) for number in range(50)]))

    waiting = bench.start(route)
    assert waiting is not None
    for number in range(50):
        close(waiting)
        bench.runner.resume(waiting, 0.0, number)
    assert total == [sum(range(50))]
