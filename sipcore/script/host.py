"""IO shell: the tasks that routes wait for, the reload of the script, its log lines."""

import asyncio
import gc
import time
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

import structlog

from sipcore.script.engine import Script
from sipcore.script.loader import load
from sipcore.script.run import Run

log = structlog.get_logger("sipcore.script")


class ScriptHost:
    """One script file and the tasks of its routes. `flush` sends what a resumed route has to say."""

    def __init__(
        self, script: Script, path: Path, stores: Container[str], flush: Callable[[float], None]
    ) -> None:
        self.script = script
        self.path = path
        self._stores = stores
        self._flush = flush
        self._tasks: set[asyncio.Task[None]] = set()

    def after_batch(self, now: float) -> None:
        """The answers are sent: begin what routes wait for, run the event routes, write the log lines."""
        self.script.run_events(now)
        begun = self.script.runner.begun
        while begun:
            self._begin(begun.pop(0))
        lines = self.script.services.lines
        while lines:
            level, text, fields = lines.popleft()
            getattr(log, level)(text, **fields)

    def reload(self) -> str:
        """Load the file anew; a ScriptError says why the old routes stay. Running ones end as they began."""
        number = self.script.services.generation.number + 1
        generation = load(self.path, number=number, stores=self._stores)
        self.script.adopt(generation)
        gc.unfreeze()  # what the old module held goes with the next housekeeping
        return f"generation {generation.number}, {len(generation)} routes"

    async def stop(self) -> None:
        """Give up what is waited for."""
        self.script.on_standby()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, run: Run[Any]) -> None:
        task = asyncio.get_running_loop().create_task(self._work(run))
        run.abort = task.cancel
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, run: Run[Any]) -> None:
        assert run.wait is not None
        result: object = None
        error: Exception | None = None
        try:
            result = await run.wait.work
        except asyncio.CancelledError:
            if run.ended:
                return
            error = TimeoutError("what the route waited for was cancelled")
        except Exception as raised:
            error = raised
        now = time.monotonic()
        self.script.runner.resume(run, now, result, error)
        self._flush(now)
