"""IO shell: `/events`: server-sent events (the HTML standard, section 9.2) to a bounded number of readers.

Each reader gets the status first, then each event with its id, and the status again every second in which
it has changed. A reader that has fallen behind is told how many events it has lost; one that does not read
is cut off.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from haagent.telemetry.events import Event
from haagent.telemetry.feed import KEPT_EVENTS, Entry, Feed

MAX_READERS = 32
STATUS_SECONDS = 1.0
KEEPALIVE_SECONDS = 15.0
WRITE_SECONDS = 10.0
RETRY_MS = 1000
STATUS, LOST = "status", "lost"  # the kinds beside those of the catalogue
KINDS = frozenset({*Event, STATUS, LOST})
_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold the events back
}


class EventStream:
    """The handler of `/events`."""

    def __init__(self, feed: Feed, status: Callable[[], dict[str, Any]]) -> None:
        self._feed = feed
        self._status = status
        self._readers = 0

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """`Last-Event-ID` resumes; `?last=N` begins so far back; `?only=role_changed,alarm`: these alone."""
        only = frozenset(filter(None, request.query.get("only", "").split(",")))
        if unknown := sorted(only - KINDS):
            known = ", ".join(sorted(KINDS))
            return _refused(f"only: there is no event {unknown[0]!r}; known: {known}", 400)
        if self._readers >= MAX_READERS:
            return _refused(f"{MAX_READERS} readers already, no more are served", 503)
        last = request.query.get("last", "0")
        if not last.isascii() or not last.isdecimal() or len(last) > 4 or int(last) > KEPT_EVENTS:
            return _refused(f"last: {last!r} is not a number in 0..{KEPT_EVENTS}", 400)
        begin = self._feed.begin(request.headers.get("Last-Event-ID"), int(last))
        self._readers += 1
        try:
            response = web.StreamResponse(headers=_HEADERS)
            await response.prepare(request)
            if request.method != "HEAD":
                await _Reader(self._feed, self._status, response, only).run(begin)
        except (ConnectionError, TimeoutError):
            pass  # it has gone, or does not read
        finally:
            self._readers -= 1
        return response


class _Reader:
    """One connection."""

    def __init__(
        self,
        feed: Feed,
        status: Callable[[], dict[str, Any]],
        response: web.StreamResponse,
        only: frozenset[str],
    ) -> None:
        self._feed = feed
        self._status = status
        self._response = response
        self._only = only
        self._said = b""
        self._quiet = 0.0

    async def run(self, number: int) -> None:
        """Until the agent stops or the reader goes."""
        wake = asyncio.Event()
        self._feed.watchers.add(wake.set)
        try:
            await self._write(b"retry: %d\n\n" % RETRY_MS + self._news())
            while not self._feed.closed:
                entries, lost = self._feed.after(number)
                number = self._feed.newest
                await self._write(self._told(entries, lost))
                try:
                    async with asyncio.timeout(STATUS_SECONDS):
                        await wake.wait()
                except TimeoutError:
                    await self._write(self._news())
                wake.clear()
            entries, lost = self._feed.after(number)
            await self._write(self._told(entries, lost))
        finally:
            self._feed.watchers.discard(wake.set)

    def _told(self, entries: list[Entry], lost: int) -> bytes:
        parts = [_event(LOST, b'{"events":%d}' % lost)] if lost and self._wants(LOST) else []
        parts += [_event(e.name, e.data, self._feed.id_of(e)) for e in entries if self._wants(e.name)]
        return b"".join([*parts, self._news()] if parts else parts)

    def _news(self) -> bytes:
        """The status, if it has changed; else now and then a comment, so that proxies keep the connection."""
        status = msgspec.json.encode(self._status(), enc_hook=str) if self._wants(STATUS) else b""
        if status != self._said:
            self._said, self._quiet = status, 0.0
            return _event(STATUS, status)
        self._quiet += STATUS_SECONDS
        if self._quiet < KEEPALIVE_SECONDS:
            return b""
        self._quiet = 0.0
        return b": still here\n\n"

    def _wants(self, kind: str) -> bool:
        return not self._only or kind in self._only

    async def _write(self, data: bytes) -> None:
        if data:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._response.write(data)


def _event(kind: str, data: bytes, number: str = "") -> bytes:
    """JSON has no line breaks of its own, so that one `data:` line holds it."""
    head = f"id: {number}\n" if number else ""
    return f"{head}event: {kind}\n".encode() + b"data: " + data + b"\n\n"


def _refused(error: str, code: int) -> web.Response:
    return web.json_response({"error": error}, status=code)
