"""IO shell: notices that the event loop stood still: a silence that one has slept through proves nothing."""

import asyncio
import time

STEP = 0.25
STILL = 1.0  # seconds that a step was late: stopped, a paused machine, or no processor
FRESH = 1.0  # seconds after waking in which nobody else can have said anything yet


class Awake:
    """`run` beside what must know."""

    def __init__(self) -> None:
        self._stepped = time.monotonic()
        self._woke: float | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._stepped = time.monotonic()
            await asyncio.sleep(STEP)
            now = time.monotonic()
            if now - self._stepped > STEP + STILL:
                self._woke = now

    @property
    def just_woke(self) -> bool:
        """Whether the loop has stood still until a moment ago."""
        now = time.monotonic()
        return now - self._stepped > STEP + STILL or (self._woke is not None and now - self._woke < FRESH)
