"""IO shell: a notify script: run as an ordinary user, with keepalived's arguments and a time limit."""

import asyncio
import signal

from haagent import program
from haagent.config.hooks import HookConfig
from haagent.errors import HostError
from haagent.hooks.transition import Transition
from haagent.hooks.worker import Outcome

GRACE = 0.5  # seconds between SIGTERM and SIGKILL


class Script:
    """Runs the program once for each change."""

    kind = "script"

    def __init__(self, config: HookConfig, node: str, user: str) -> None:
        self._config = config
        self._node = node
        self._user = config.user or user

    async def deliver(self, transition: Transition) -> Outcome:
        """Run it to its end; what it has left behind in the background goes on."""
        arguments = transition.arguments if self._config.arguments == "keepalived" else ()
        extra = {
            "HAAGENT_NODE": self._node,
            "HAAGENT_KIND": transition.kind,
            "HAAGENT_NAME": transition.name,
            "HAAGENT_OLD": transition.old,
            "HAAGENT_STATE": transition.state,
            "HAAGENT_EPOCH": str(transition.epoch),
            "HAAGENT_REASON": transition.reason,
        }
        try:
            process = await program.start(
                [*self._config.command, *arguments], self._user, extra=extra, said=True
            )
        except HostError as error:
            return Outcome("failed", str(error))
        try:
            async with asyncio.timeout(self._config.timeout):
                code = await process.wait()
        except TimeoutError:
            await self._end(process)
            return Outcome("timeout", f"killed after {self._config.timeout:g} s")
        except asyncio.CancelledError:
            program.kill_group(process)
            raise
        return Outcome("failed" if code else "ok", program.explain_exit(code))

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """With all of its group, at first kindly."""
        program.kill_group(process, signal.SIGTERM)
        try:
            async with asyncio.timeout(GRACE):
                await process.wait()
        except TimeoutError:
            pass
        program.kill_group(process)
        await process.wait()
