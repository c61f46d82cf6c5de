"""Sans-IO: runs routes: coroutines that are stepped here until they end or wait; who waits is resumed later.

A route that does not wait costs a coroutine and no task: it ends within the batch that brought its message.
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from types import TracebackType
from typing import Any, Generic, TypeVar

from sipcore.script.context import Context
from sipcore.script.errors import RouteError, RouteTimeoutError
from sipcore.script.route import Route
from sipcore.timers import Timer, TimerWheel

T = TypeVar("T")
C = TypeVar("C", bound=Context)

MAX_WAITING = 10_000
TIME_LIMIT = 10.0


class Wait(Generic[T]):
    """What a route waits for: an effect that the shell carries out."""

    __slots__ = ("work",)

    def __init__(self, work: Awaitable[T]) -> None:
        self.work = work

    def __await__(self) -> Generator["Wait[T]", Any, T]:
        result: T = yield self
        return result

    def drop(self) -> None:
        """Nobody will do it; a coroutine that never ran is closed, so that nobody complains about it."""
        if isinstance(self.work, Coroutine):
            self.work.close()


class Until:
    """Waits for what calls back with the time: a timer, an answer that a part of the core brings."""

    __slots__ = ("register",)

    def __init__(self, register: Callable[[Callable[[float], None]], object]) -> None:
        self.register = register

    def __await__(self) -> Generator["Until", None, None]:
        yield self


async def run(work: Awaitable[T]) -> T:
    """Wait for any asyncio work: `answer = await run(session.get(url))`. OpenSIPS: async(...).

    The route goes on when it is done; other messages are served meanwhile. Not in branch and reply routes.
    """
    return await Wait(work)


class Run(Generic[C]):
    """A route that waits."""

    __slots__ = ("abort", "context", "coroutine", "end", "ended", "route", "timer", "wait")

    def __init__(
        self, route: Route[C], context: C, coroutine: Coroutine[Any, Any, None], end: "End[C]"
    ) -> None:
        self.route = route
        self.context = context
        self.coroutine = coroutine
        self.end = end
        self.wait: Wait[Any] | None = None
        self.timer: Timer | None = None
        self.abort: Callable[[], object] | None = None  # the shell's: give the work up
        self.ended = False

    @property
    def position(self) -> str:
        """Where it waits, as file:line of the script."""
        return where_it_waits(self.coroutine, self.route.path)


End = Callable[[Route[C], C, Exception | None, float], None]
"""Called once when a route has ended, with what went wrong."""


class Runner:
    """Steps the routes; `begun` holds those that wait and whose work the shell has not taken yet."""

    def __init__(
        self, wheel: TimerWheel, *, time_limit: float = TIME_LIMIT, max_waiting: int = MAX_WAITING
    ) -> None:
        self.time_limit = time_limit
        self.max_waiting = max_waiting
        self.begun: list[Run[Any]] = []
        self.waiting: set[Run[Any]] = set()
        self.timeouts = 0
        self._wheel = wheel

    def start(self, route: Route[C], context: C, now: float, end: "End[C]") -> "Run[C] | None":
        """Run a route; it has ended when this returns None."""
        coroutine = route.function(context)
        try:
            effect = coroutine.send(None)
        except StopIteration:
            end(route, context, None, now)
        except (Exception, SystemExit) as error:
            end(route, context, as_route_error(error), now)
        else:
            run = Run(route, context, coroutine, end)
            self._suspend(run, effect, now)
            return run
        return None

    @staticmethod
    def finish(route: Route[C], context: C) -> None:
        """Run a route that must not wait; RouteError if it does, and whatever it raises."""
        coroutine = route.function(context)
        try:
            effect = coroutine.send(None)
        except StopIteration:
            return
        except SystemExit as error:
            raise as_route_error(error) from error
        if isinstance(effect, Wait):
            effect.drop()
        refuse(coroutine, RouteError(f"a {route.kind} must not wait"))

    def resume(
        self, run: Run[Any], now: float, result: object = None, error: BaseException | None = None
    ) -> None:
        """What a route waited for has come, or failed; one that has ended meanwhile is left alone."""
        if run.ended:
            return
        self._settle(run)
        run.context.now = now
        try:
            effect = run.coroutine.send(result) if error is None else run.coroutine.throw(error)
        except StopIteration:
            self._end(run, None, now)
        except (Exception, SystemExit) as raised:
            self._end(run, as_route_error(raised), now)
        else:
            self._suspend(run, effect, now)

    def drop(self, run: Run[Any]) -> None:
        """Forget a route that waits: it goes on no more, and its `end` is not called."""
        self._settle(run)
        self._close(run)
        if run.abort is not None:
            run.abort()
        elif run.wait is not None:
            run.wait.drop()
        with suppress(RuntimeError):  # it awaits in its `finally`
            run.coroutine.close()

    def drop_all(self) -> None:
        """Forget all that wait: this node is a standby now."""
        for run in tuple(self.waiting):
            self.drop(run)
        self.begun.clear()

    # Steps

    def _suspend(self, run: Run[Any], effect: object, now: float) -> None:
        while not isinstance(effect, Wait | Until):
            try:
                effect = run.coroutine.throw(_foreign(effect))
            except StopIteration:
                self._end(run, None, now)
                return
            except Exception as error:
                self._end(run, error, now)
                return
        run.wait = effect if isinstance(effect, Wait) else None
        if len(self.waiting) >= self.max_waiting:
            limit = RouteError(f"{len(self.waiting)} routes wait, the limit is {self.max_waiting}")
            limit.__traceback__ = None
            self._give_up(run, limit, now)
            return
        if run.timer is None:
            run.timer = self._wheel.schedule(now + self.time_limit, lambda now: self._expire(run, now))
        self.waiting.add(run)
        if isinstance(effect, Until):
            effect.register(lambda now: self.resume(run, now))
        else:
            self.begun.append(run)

    def _expire(self, run: Run[Any], now: float) -> None:
        self.timeouts += 1
        place = run.position
        error = RouteTimeoutError(f"{place}: waits for more than {self.time_limit:g} s, the time limit")
        self._give_up(run, error, now)

    def _give_up(self, run: Run[Any], error: RouteError, now: float) -> None:
        self.drop(run)
        run.end(run.route, run.context, error, now)

    def _end(self, run: Run[Any], error: Exception | None, now: float) -> None:
        self._close(run)
        run.end(run.route, run.context, error, now)

    def _close(self, run: Run[Any]) -> None:
        run.ended = True
        if run.timer is not None:
            self._wheel.cancel(run.timer)
            run.timer = None

    def _settle(self, run: Run[Any]) -> None:
        self.waiting.discard(run)
        if run in self.begun:
            self.begun.remove(run)


def refuse(coroutine: Coroutine[Any, Any, None], error: RouteError) -> None:
    """Raise the error at the place where the route is, so that its line is known."""
    try:
        coroutine.throw(error)
    except StopIteration:
        return
    finally:
        coroutine.close()


def as_route_error(error: BaseException) -> Exception:
    """exit() of OpenSIPS ends a route; that of Python would end the process."""
    if isinstance(error, SystemExit):
        wrong = RouteError("exit() would end the process; a route ends with `return`")
        return wrong.with_traceback(error.__traceback__)
    assert isinstance(error, Exception)
    return error


def _foreign(effect: object) -> RouteError:
    kind = "asyncio" if effect is None else type(effect).__name__
    return RouteError(f"awaits something of {kind} by itself; wrap it: await run(...)")


# Where a route is


def where_it_failed(error: BaseException, path: str) -> str:
    """file:line of the innermost line of the script in the traceback; empty when there is none."""
    line = 0
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == path:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return f"{path}:{line}" if line else ""


def where_it_waits(coroutine: Coroutine[Any, Any, None], path: str) -> str:
    """file:line of the innermost line of the script that is suspended."""
    line = 0
    inner: object = coroutine
    while isinstance(inner, Coroutine):
        frame = getattr(inner, "cr_frame", None)
        if frame is not None and frame.f_code.co_filename == path:
            line = frame.f_lineno
        inner = getattr(inner, "cr_await", None)
    return f"{path}:{line}"
