"""IO shell: one hook: what it is to be told waits in order, bounded, and is told by a task of its own."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import structlog

from haagent.config.hooks import HookConfig, WebhookConfig
from haagent.hooks.transition import Transition, wants
from haagent.telemetry.events import Event

log = structlog.get_logger()

Result = Literal["ok", "failed", "timeout"]
Ready = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Outcome:
    """How it went; `detail` is a sentence for the log."""

    result: Result
    detail: str


class Delivery(Protocol):
    """A way to tell somebody of a change."""

    kind: str

    async def deliver(self, transition: Transition) -> Outcome:
        """Tell it; returns within the hook's time limit, also when it is not heard."""


class Worker:
    """Tells one hook, one change after the other; nobody waits for it.

    When more waits than `backlog` the oldest is dropped: what matters most is the newest state.
    """

    def __init__(self, config: HookConfig | WebhookConfig, delivery: Delivery, ready: Ready) -> None:
        """`ready` returns when what is more urgent than hooks has been done."""
        self.config = config
        self._delivery = delivery
        self._ready = ready
        self._waiting: deque[Transition] = deque()
        self._some = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._counts: Counter[str] = Counter()
        self._last: Outcome | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to tell."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Give up what still waits."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def offer(self, transition: Transition) -> None:
        """Tell this change after those that wait, if the hook is to hear of it."""
        if not wants(self.config, transition):
            return
        self._waiting.append(transition)
        if len(self._waiting) > self.config.backlog:
            self._waiting.popleft()
            self._counts["dropped"] += 1
            log.warning(Event.HOOK_DROPPED, hook=self.config.name, waiting=len(self._waiting))
        self._idle.clear()
        self._some.set()

    async def idle(self) -> None:
        """Wait until everything has been told."""
        await self._idle.wait()

    def status(self) -> dict[str, Any]:
        """One row of the status."""
        return {
            "name": self.config.name,
            "kind": self._delivery.kind,
            "waiting": len(self._waiting),
            **{word: self._counts[word] for word in ("ok", "failed", "timeout", "dropped")},
            "last": None if self._last is None else f"{self._last.result}: {self._last.detail}",
        }

    async def _run(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            await self._ready()
            while self._waiting:
                await self._tell(self._waiting.popleft())
            self._idle.set()

    async def _tell(self, transition: Transition) -> None:
        try:
            outcome = await self._delivery.deliver(transition)
        except Exception as error:
            log.exception(Event.HOOK_BROKE, hook=self.config.name)
            outcome = Outcome("failed", f"the hook itself failed: {error!r}")
        self._counts[outcome.result] += 1
        self._last = outcome
        told = " ".join(transition.arguments)
        done = {"hook": self.config.name, "told": told, "result": outcome.result, "detail": outcome.detail}
        if outcome.result == "ok":
            log.info(Event.HOOK_TOLD, **done)
        else:
            log.warning(Event.HOOK_FAILED, **done)
