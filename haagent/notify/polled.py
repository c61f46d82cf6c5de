"""IO shell: a SIP server that says nothing by itself: asked again and again, told its role until it has it.

Whoever answers is ready, and counts as in sync: what it replicates to its twin is its own affair. Nothing of
a takeover waits for it; its death is seen at once by the guard, which watches the process.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from haagent.config.core import PolledConfig
from haagent.notify.core_adapter import CoreAdapter
from haagent.notify.dialects import CoreRefusedError, CoreSilentError, Dialect, Seen
from haagent.notify.told import CoreState, Told
from haagent.telemetry.events import Event

log = structlog.get_logger()

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0  # seconds before the role is told again


class PolledCore(CoreAdapter):
    """The two loops around a dialect."""

    def __init__(
        self,
        dialect: Dialect,
        config: PolledConfig,
        *,
        on_state: Callable[[CoreState], None],
        on_gone: Callable[[str], None],
        on_told: Callable[[Told, float], None],
    ) -> None:
        self._dialect = dialect
        self._config = config
        super().__init__(on_state=on_state, on_gone=on_gone, on_told=on_told)
        self._misses = 0
        self._pid = 0

    async def run(self) -> None:
        """Ask and tell until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._poll())
                tasks.create_task(self._tell())
        finally:
            await self._dialect.close()

    async def _poll(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._config.timeout):
                    seen = await self._dialect.probe()
            except CoreSilentError as error:
                self._on_silence(str(error))
            except TimeoutError:
                self._on_silence(f"no answer within {self._config.timeout:g} s")
            else:
                self._on_seen(seen)
            await asyncio.sleep(self._config.poll)

    def _on_seen(self, seen: Seen) -> None:
        """A core that has just been started knows no role; one that has lost its role is told again."""
        is_new = not self.connected or seen.pid != self._pid
        self._misses, self._pid, self.connected = 0, seen.pid, True
        wanted = self._wanted
        role = seen.role or (wanted.role if wanted is not None and self._settled.is_set() else None)
        self.last = {"pid": seen.pid, "ready": True, "synced": True, "role": role}
        self.last["epoch"] = wanted.epoch if wanted is not None and role == wanted.role else None
        self._on_state(CoreState(pid=seen.pid, role=role or "", ready=True, synced=True))
        self._heard.set()
        lost = wanted is not None and wanted.role == "MASTER" and seen.role == "BACKUP"
        if wanted is not None and (is_new or lost) and not self._pending.is_set():
            self._pending.set()

    def _on_silence(self, reason: str) -> None:
        self._misses += 1
        if self.connected and self._misses >= self._config.fall:
            self.connected = False
            self.last = {**self.last, "ready": False, "synced": False}
            self._on_gone(f"the SIP core is gone: {reason}")

    async def _tell(self) -> None:
        pause = FIRST_PAUSE
        said: Told | None = None  # whose refusal is in the log
        while True:
            await self._pending.wait()
            self._pending.clear()
            told = self._wanted
            if told is None:
                continue
            refusal = await self._once(told)
            if refusal is None:
                pause = FIRST_PAUSE
                if told is self._wanted:
                    self._settled.set()
                continue
            if isinstance(refusal, CoreRefusedError) and told is not said:
                said = told
                log.error(Event.CORE_REFUSES_ROLE, answer=str(refusal), role=told.role, epoch=told.epoch)
            with suppress(TimeoutError):  # a newer role does not wait
                async with asyncio.timeout(pause):
                    await self._pending.wait()
            pause = min(2 * pause, LONGEST_PAUSE)
            self._pending.set()

    async def _once(self, told: Told) -> Exception | None:
        """None when the core has taken the role."""
        try:
            async with asyncio.timeout(self._config.timeout):
                await self._dialect.tell(told)
        except (CoreSilentError, CoreRefusedError, TimeoutError) as error:
            log.debug(Event.CORE_NOT_TOLD, error=repr(error), role=told.role, epoch=told.epoch)
            return error
        self._on_told(told, time.monotonic())
        return None
