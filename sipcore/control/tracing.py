"""IO shell: the streams of GET /v1/trace; a reader that is slow loses messages, the server loses nothing."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from sipcore.control.watch import MAX_WAITING, Budget, Watch, line, lost_line
from sipcore.transport.trace import Seen, Tap

LOOK_SECONDS = 1.0  # after which a silent stream looks whether its reader has gone


class TraceStream:
    """A watcher that writes what it sees to one reader."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._budget = Budget()
        self._lines: asyncio.Queue[bytes] = asyncio.Queue(MAX_WAITING)
        self._left = watch.count or None

    def see(self, seen: Seen) -> None:
        """Keep a line of it, if it is wanted and there is room."""
        watch = self._watch
        if self._left == 0 or not watch.wanted.may_match(seen) or not self._budget.spend(seen.at):
            return
        if not watch.wanted.matches(seen):
            return
        if self._lines.full():
            self._budget.lost += 1
            return
        self._lines.put_nowait(line(seen, watch))
        if self._left is not None:
            self._left -= 1

    async def write(self, response: web.StreamResponse, is_gone: Callable[[], bool]) -> None:
        """Write until the count or the time is over or the reader has gone."""
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(self._watch.seconds or None):
                while (self._left != 0 or not self._lines.empty()) and not is_gone():
                    await self._write_next(response)
        if lost := self._budget.take_lost():
            with suppress(ConnectionError):
                await response.write(lost_line(lost))

    async def _write_next(self, response: web.StreamResponse) -> None:
        with suppress(TimeoutError):  # nothing has passed; look whether the reader is still there
            async with asyncio.timeout(LOOK_SECONDS):
                found = await self._lines.get()
            await response.write(found)
            if lost := self._budget.take_lost():
                await response.write(lost_line(lost))


async def serve_trace(request: web.Request, watch: Watch, tap: Tap) -> web.StreamResponse:
    """Answer one GET /v1/trace."""
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    reader = TraceStream(watch)
    tap.watchers.append(reader)
    try:
        await response.prepare(request)
        await reader.write(response, lambda: request.transport is None or request.transport.is_closing())
    finally:
        if reader in tap.watchers:
            tap.watchers.remove(reader)
    return response
