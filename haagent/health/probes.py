"""IO shell: what a check asks: one probe for each kind of [[check]] table.

A probe runs in the control process's event loop and ends when it is cancelled: its limit of time is the
check's, and what could block (files, /proc) is done in a thread of its own. No probe decides anything.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from haagent.config import checks
from haagent.health.check import Result


class Probe(Protocol):
    """Asks once and says what it found; errors of the thing asked are results, not exceptions."""

    async def run(self) -> Result:
        """One run; cancelled when it takes too long."""

    def watch(self, hint: Callable[[], None]) -> None:
        """Call `hint` when something has happened that makes the next run worth while at once."""

    def close(self) -> None:
        """Give back what it holds."""


class PlainProbe:
    """For probes that have nothing to watch or to give back."""

    def watch(self, hint: Callable[[], None]) -> None:
        """Nothing tells."""

    def close(self) -> None:
        """Nothing is held."""


class Aside:
    """Runs what may block in a daemon thread, one call at a time: a call that hangs is left alone."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    async def call(self, work: Callable[[], Result]) -> Result:
        """The work's result; a failure while an earlier call still hangs."""
        if self._thread is not None and self._thread.is_alive():
            return Result(False, "an earlier look still hangs")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Result] = loop.create_future()

        def tell(result: Result) -> None:
            if not done.done():
                done.set_result(result)

        def run() -> None:
            try:
                result = work()
            except OSError as error:
                result = Result(False, f"{error.filename or 'looking'}: {error.strerror or error}")
            with suppress(RuntimeError):  # the loop has been closed meanwhile
                loop.call_soon_threadsafe(tell, result)

        self._thread = threading.Thread(target=run, name="probe", daemon=True)
        self._thread.start()
        return await done


def open_probe(config: checks.CheckConfig) -> Probe:
    """The probe for this table; a kind's libraries are imported when there is such a check."""
    if isinstance(config, checks.InterfaceCheck | checks.RouteCheck | checks.GatewayCheck):
        from haagent.health import probes_link

        return probes_link.open_probe(config)
    if isinstance(config, checks.ProcessCheck | checks.FileCheck | checks.ScriptCheck):
        from haagent.health import probes_host

        return probes_host.open_probe(config)
    from haagent.health import probes_service

    return probes_service.open_probe(config)
