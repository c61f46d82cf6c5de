"""IO shell: where all events of the control process pass: from the log into the feed and the figures."""

import asyncio
import os
from collections.abc import Mapping
from typing import Any

import msgspec

from haagent.telemetry.feed import Feed
from haagent.telemetry.figures import Figures

_NOT_TOLD = ("event", "exc_info")


class Observer:
    """One for the life of the process; give `tap` to the log."""

    def __init__(self) -> None:
        self.feed = Feed(os.urandom(4).hex())
        self.figures = Figures()
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self) -> None:
        """From now on the readers live in this event loop."""
        self._loop = asyncio.get_running_loop()

    def tap(self, name: str, data: Mapping[str, Any]) -> None:
        """One event of the log, from any thread."""
        told = {key: value for key, value in data.items() if key not in _NOT_TOLD}
        if self._loop is None or self._loop.is_closed():
            self._take(name, told)
            return
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            self._loop.call_soon_threadsafe(self._take, name, told)
            return
        assert here is self._loop
        self._take(name, told)

    def _take(self, name: str, told: dict[str, Any]) -> None:
        self.figures.on_event(name, told)
        self.feed.publish(name, msgspec.json.encode(told, enc_hook=str))
