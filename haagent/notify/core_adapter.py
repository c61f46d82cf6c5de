"""IO shell: the role that a SIP core is to have, and what is known of the core, however it is spoken with."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from haagent.notify.told import CoreState, Told


class CoreAdapter:
    """A core that is told its role. How, and how it is heard, is its subclass's affair (`run`).

    `on_state`: what the core said last; `on_gone`: it is gone, and why; `on_told`: it has this role since.
    """

    def __init__(
        self,
        *,
        on_state: Callable[[CoreState], None],
        on_gone: Callable[[str], None],
        on_told: Callable[[Told, float], None],
    ) -> None:
        self._on_state = on_state
        self._on_gone = on_gone
        self._on_told = on_told
        self._wanted: Told | None = None
        self._pending = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._heard = asyncio.Event()
        self.connected = False
        self.last: dict[str, Any] = {}

    def tell(self, told: Told) -> None:
        """Have the core take this role; a newer one replaces what is still under way."""
        self._wanted = told
        self._settled.clear()
        self._pending.set()

    async def settle(self, seconds: float) -> None:
        """Wait until the core has the newest role, but not longer than this."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._settled.wait()

    async def first_word(self, seconds: float) -> None:
        """Wait until the core has been heard, but not longer than this."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._heard.wait()

    async def run(self) -> None:
        """Speak and listen until cancelled."""
        raise NotImplementedError
