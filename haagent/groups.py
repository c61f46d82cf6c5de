"""IO shell: the groups of virtual routers that move on their own: each an agent process under this one.

A group's process is a whole agent (`haagent run FILE --group NAME`) with files, ports and a guard of its own,
so that nothing that happens to one group can cost another its VIPs. It ends, in a planned way, with this one.
"""

import asyncio
import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import structlog
from tenacity import AsyncRetrying, retry_if_result, wait_exponential

from haagent.config import AgentConfig
from haagent.telemetry.events import Event

log = structlog.get_logger()

RESTART = wait_exponential(multiplier=0.1, max=5.0)
OF_SYSTEMD = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")  # the node's own process alone answers it
_PR_SET_PDEATHSIG = 1


class Groups:
    """Started, watched, told to reload, stopped."""

    def __init__(self, path: Path, config: AgentConfig) -> None:
        self._path = path
        self._names = [group.name for group in config.group]
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = False

    async def run(self) -> None:
        """Until all have ended after `stop`."""
        await asyncio.gather(*(self._keep(name) for name in self._names))

    def status(self) -> list[dict[str, object]]:
        """Who runs; the state of each is asked of its own control socket."""
        pids = {name: process.pid for name, process in self._running.items()}
        return [{"name": name, "pid": pids.get(name)} for name in self._names]

    def reload(self) -> None:
        """Have each take over the changed file."""
        self._signal(signal.SIGHUP)

    async def stop(self, seconds: float) -> None:
        """Have each hand over and end; who does not is killed."""
        self._stopping = True
        self._signal(signal.SIGTERM)
        waits = [asyncio.create_task(process.wait()) for process in self._running.values()]
        if waits:
            await asyncio.wait(waits, timeout=seconds)
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._running.values():
            with suppress(ProcessLookupError):
                process.send_signal(number)

    async def _keep(self, name: str) -> None:
        await AsyncRetrying(wait=RESTART, retry=retry_if_result(bool))(self._run, name)

    async def _run(self, name: str) -> bool:
        """One life; True when there is to be another."""
        if self._stopping:
            return False
        argv = [sys.executable, "-m", "haagent", "run", str(self._path), "--group", name]
        environment = {key: value for key, value in os.environ.items() if key not in OF_SYSTEMD}
        process = await asyncio.create_subprocess_exec(*argv, env=environment)
        self._running[name] = process
        code = await process.wait()
        self._running.pop(name, None)
        if not self._stopping:
            log.error(Event.GROUP_DIED, group=name, code=code)
        return not self._stopping


def end_with_parent() -> None:
    """A group's agent that nobody watches hands over and ends (SIGTERM), so that a new one finds room."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
