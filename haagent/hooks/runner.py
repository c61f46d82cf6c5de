"""IO shell: all hooks of the node: who is told of a change of role, and how that went."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from haagent.config import AgentConfig
from haagent.config.hooks import HookConfig, WebhookConfig
from haagent.hooks.fifo import Fifo
from haagent.hooks.reader import FifoReader
from haagent.hooks.script import Script
from haagent.hooks.transition import Transition, Transitions
from haagent.hooks.webhook import Webhook
from haagent.hooks.worker import Ready, Worker
from haagent.pipe import RoleChange

log = structlog.get_logger()


class Hooks:
    """Offers each change to every hook; none of them can hold up another, or the agent."""

    def __init__(self, config: AgentConfig, ready: Ready) -> None:
        """`ready`: see Worker. Raises HaagentError when a hook cannot be made."""
        self._ready = ready
        self._transitions = Transitions()
        self._config = config
        self._workers = {one.name: self._worker(one, config) for one in _every(config)}
        self._fifo = Fifo(config.hooks) if config.hooks.fifo else None
        self._reader = FifoReader(config.hooks) if config.hooks.fifo_command else None

    def start(self) -> None:
        """Begin to tell."""
        for worker in self._workers.values():
            worker.start()
        if self._reader is not None:
            self._reader.start()

    async def stop(self, seconds: float) -> None:
        """Tell what still waits, but not for longer than this."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(worker.idle() for worker in self._workers.values()))
        await asyncio.gather(*(worker.stop() for worker in self._workers.values()))
        if self._reader is not None:
            await self._reader.stop()
        if self._fifo is not None:
            self._fifo.close()

    def on_role(self, change: RoleChange, group: str, priorities: Mapping[str, int]) -> None:
        """The role of a group of virtual routers (by name, with their priorities) has changed."""
        self._offer(self._transitions.on_role(change, group, priorities))

    def status(self) -> list[dict[str, Any]]:
        """One row for each."""
        rows = [worker.status() for worker in self._workers.values()]
        return [*rows, *([self._fifo.status()] if self._fifo is not None else [])]

    def prepare(self, config: AgentConfig) -> dict[str, Worker]:
        """A reload begins: the workers that are new or other than before; raises HaagentError."""
        same = config.node == self._config.node and config.hooks.user == self._config.hooks.user
        return {
            one.name: self._worker(one, config)
            for one in _every(config)
            if not same or one.name not in self._workers or self._workers[one.name].config != one
        }

    async def renew(self, config: AgentConfig, fresh: dict[str, Worker]) -> None:
        """A reload ends: a hook that is as before goes on, with what waits for it."""
        names = [one.name for one in _every(config)]
        old, self._config = self._workers, config
        self._workers = {name: fresh.get(name) or old[name] for name in names}
        for worker in fresh.values():
            worker.start()
        await asyncio.gather(*(one.stop() for one in old.values() if one not in self._workers.values()))

    def _offer(self, transitions: Sequence[Transition]) -> None:
        for transition in transitions:
            if self._fifo is not None:
                self._fifo.offer(transition)
            for worker in self._workers.values():
                worker.offer(transition)

    def _worker(self, one: HookConfig | WebhookConfig, config: AgentConfig) -> Worker:
        if isinstance(one, HookConfig):
            return Worker(one, Script(one, config.node, config.hooks.user), self._ready)
        return Worker(one, Webhook(one, config.node), self._ready)


def _every(config: AgentConfig) -> tuple[HookConfig | WebhookConfig, ...]:
    return *config.hook, *config.webhook
