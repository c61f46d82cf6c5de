"""IO shell: writes the records in groups, in a thread of its own; a full disk is waited for."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import structlog

from sipcore.cdr.accounts import Accounts
from sipcore.cdr.file import CdrFile

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0
COMPLAIN_SECONDS = 60.0


class CdrWriter:
    """While a group is on its way to the disk the next one gathers. `flush` tells the peers of it."""

    def __init__(self, accounts: Accounts, file: CdrFile, flush: Callable[[float], None]) -> None:
        self.errors = 0
        self._accounts, self._file, self._flush = accounts, file, flush
        self._executor = ThreadPoolExecutor(1, "cdr")
        self._task: asyncio.Task[None] | None = None
        self._complained_at = -COMPLAIN_SECONDS
        self._failing = False
        self._stop = asyncio.Event()

    def after_batch(self) -> None:
        """The answers of a batch have been sent."""
        if self._accounts.is_waiting and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._write())

    def reopen(self) -> str:
        """Go on in a file of the configured name: the old one has been moved away."""
        self._executor.submit(self._file.close)
        return str(self._file.path)

    async def stop(self) -> None:
        """Write what there is; what the disk does not take now is left to the standby."""
        self._stop.set()
        if self._task is not None:
            await self._task
        self._executor.shutdown()
        self._file.close()

    async def _write(self) -> None:
        while self._accounts.is_waiting:
            if await self._write_group():
                continue
            if self._stop.is_set():
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), RETRY_SECONDS)

    async def _write_group(self) -> bool:
        group = self._accounts.take()
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._executor, self._file.append, group.values())
        except OSError as error:
            self._complain(error)
            return False
        if self._failing:
            self._failing = False
            log.info("records are written again", path=str(self._file.path))
        now = time.monotonic()
        self._accounts.written(group, now)
        self._flush(now)
        return True

    def _complain(self, error: OSError) -> None:
        self.errors += 1
        now = time.monotonic()
        if not self._failing or now - self._complained_at >= COMPLAIN_SECONDS:
            self._complained_at = now
            waiting = len(self._accounts)
            log.error("records wait", path=str(self._file.path), error=error.strerror, waiting=waiting)
        self._failing = True
