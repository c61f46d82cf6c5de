"""A hook's queue: in order, bounded, and nobody waits for it."""

import asyncio
from collections.abc import Awaitable, Callable

from haagent.config.hooks import HookConfig
from haagent.hooks.transition import Transition
from haagent.hooks.worker import Outcome, Worker


def transition(number: int) -> Transition:
    return Transition("INSTANCE", "sip", "BACKUP", "MASTER", number, number, "why", 0.0)


class Slow:
    """Tells nothing before it may; raises for the number 113."""

    kind = "script"

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.begun = asyncio.Event()
        self.told: list[int] = []

    async def deliver(self, transition: Transition) -> Outcome:
        self.begun.set()
        await self.may.wait()
        if transition.priority == 113:
            raise ZeroDivisionError
        self.told.append(transition.priority)
        return Outcome("ok", "heard")


async def at_once() -> None:
    return


def run(
    work: Callable[[Worker, Slow], Awaitable[None]],
    *,
    backlog: int = 64,
    ready: Callable[[], Awaitable[None]] = at_once,
) -> Slow:
    async def main() -> Slow:
        slow = Slow()
        worker = Worker(HookConfig(name="x", command=("/x",), backlog=backlog), slow, ready)
        worker.start()
        await work(worker, slow)
        await worker.stop()
        return slow

    return asyncio.run(asyncio.wait_for(main(), 20))


def test_changes_are_told_in_their_order() -> None:
    async def work(worker: Worker, slow: Slow) -> None:
        for number in range(20):
            worker.offer(transition(number))
        slow.may.set()
        await worker.idle()

    assert run(work).told == list(range(20))


def test_a_hook_that_hangs_takes_nothing_but_its_own_backlog_and_keeps_the_newest() -> None:
    async def work(worker: Worker, slow: Slow) -> None:
        worker.offer(transition(0))
        await slow.begun.wait()  # it hangs in the first one
        for number in range(1, 11):
            worker.offer(transition(number))
        assert (worker.status()["waiting"], worker.status()["dropped"]) == (3, 7)
        slow.may.set()
        await worker.idle()

    assert run(work, backlog=3).told == [0, 8, 9, 10]


def test_what_is_more_urgent_comes_first() -> None:
    order: list[str] = []

    async def urgent() -> None:
        await asyncio.sleep(0.02)
        order.append("urgent")

    async def work(worker: Worker, slow: Slow) -> None:
        worker.offer(transition(1))
        await slow.begun.wait()
        order.append("hook")

    run(work, ready=urgent)
    assert order == ["urgent", "hook"]


def test_a_hook_that_breaks_is_counted_and_told_the_next_change() -> None:
    async def work(worker: Worker, slow: Slow) -> None:
        slow.may.set()
        for number in (112, 113, 114):
            worker.offer(transition(number))
        await worker.idle()
        assert (worker.status()["ok"], worker.status()["failed"]) == (2, 1)

    assert run(work).told == [112, 114]
