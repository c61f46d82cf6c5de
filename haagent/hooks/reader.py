"""IO shell: the program that reads the event stream, as keepalived's notify_fifo_script; kept running."""

import asyncio
import signal
from contextlib import suppress

import structlog

from haagent import program
from haagent.config.hooks import HooksConfig
from haagent.errors import HostError
from haagent.telemetry.events import Event

log = structlog.get_logger()

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0  # seconds before the next start
GRACE = 0.5


class FifoReader:
    """Runs as long as the agent; the pipe's path is its last argument."""

    def __init__(self, config: HooksConfig) -> None:
        self._config = config
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Keep it running from now on."""
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                argv = [*self._config.fifo_command, self._config.fifo]
                process = await program.start(argv, self._config.user, said=True)
            except HostError as error:
                log.warning(Event.STREAM_READER_ENDED, reason=str(error))
            else:
                began = asyncio.get_running_loop().time()
                code = await self._wait(process)
                log.warning(Event.STREAM_READER_ENDED, reason=program.explain_exit(code))
                if asyncio.get_running_loop().time() - began > LONGEST_PAUSE:
                    pause = FIRST_PAUSE
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _wait(self, process: asyncio.subprocess.Process) -> int:
        try:
            return await process.wait()
        except asyncio.CancelledError:
            program.kill_group(process, signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE):
                    await process.wait()
            program.kill_group(process)
            raise
