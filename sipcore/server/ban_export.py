"""IO shell: keeps the kernel's copy of the ban list up to date, by `nft`, beside the fast path."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

import structlog

from sipcore.transport.bans import BanList
from sipcore.transport.nft import REMOVE, ruleset

log = structlog.get_logger(__name__)

INTERVAL = 1.0  # a flood of bans is one transaction per interval
TIMEOUT = 10.0


class BanExport:
    """Loads the whole set again when it has changed; elements end by themselves, also when we do not live."""

    def __init__(self, bans: BanList, listeners: Sequence[tuple[str, int]]) -> None:
        self._bans = bans
        self._listeners = listeners
        self._loaded = -1
        self._task: asyncio.Task[None] | None = None
        self.errors = 0

    def start(self) -> None:
        """Begin with what is banned now, and take away what an earlier process left."""
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def stop(self) -> None:
        """Take the rules away."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            await self._load(REMOVE)

    def text(self) -> str:
        """The set as it should be now."""
        return ruleset(self._bans, self._listeners, time.monotonic())

    async def _follow(self) -> None:
        while True:
            self._bans.expire(time.monotonic())
            changed = self._bans.changed
            if changed != self._loaded and await self._load(self.text()):
                self._loaded = changed
            await asyncio.sleep(INTERVAL)

    async def _load(self, text: str) -> bool:
        try:
            async with asyncio.timeout(TIMEOUT):
                process = await asyncio.create_subprocess_exec(
                    "nft",
                    "-f",
                    "-",
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.PIPE,
                )
                _, errors = await process.communicate(text.encode())
            failure = errors.decode("utf-8", "replace").strip() if process.returncode else ""
        except (OSError, TimeoutError) as error:
            failure = str(error) or "nft takes too long"
        if failure:
            self.errors += 1
            if self.errors == 1:  # bans hold in this process all the same
                log.warning("bans are not exported", error=failure[:500])
        return not failure
