"""IO shell: a watchdog device of the kernel (Documentation/watchdog/watchdog-api.rst), and what feeds it.

It is opened (which arms it) only when [watchdog] is configured. A planned stop disarms it by the magic close;
after any other end it goes on counting, until systemd has started the agent again, or the machine is reset.
"""

import asyncio
import errno
import fcntl
import os
import struct
import threading
import time
from contextlib import suppress

import structlog

from haagent.config.watchdog import WatchdogConfig
from haagent.errors import HostError
from haagent.telemetry.events import Event
from haagent.watchdog.feeding import Feeding

log = structlog.get_logger()

_SET_TIMEOUT = 0xC0045706  # WDIOC_SETTIMEOUT: _IOWR('W', 6, int)
_FOOD = b"\0"
_MAGIC_CLOSE = b"V"
_NO_TIMEOUT = (errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL)  # a device with a fixed one; a FIFO of the tests


class Watchdog:
    """One armed device."""

    def __init__(self, config: WatchdogConfig) -> None:
        self._path = config.device
        try:
            self._fd = os.open(config.device, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            hint = " (systemd's RuntimeWatchdogSec=?)" if error.errno == errno.EBUSY else ""
            raise HostError(f"watchdog.device: {config.device!r}: {error.strerror}{hint}") from error
        self.feeding = Feeding(self._arm(float(config.timeout)), time.monotonic())
        self._refused: str | None = None
        self._use = threading.Lock()

    async def run(self) -> None:
        """Feed it until cancelled; in a thread, since some devices take their time."""
        while True:
            refusal = self.feeding.refusal(time.monotonic())
            if refusal is None:
                await asyncio.to_thread(self._feed)
            if refusal != self._refused:
                self._refused = refusal
                if refusal is not None:
                    log.error(Event.WATCHDOG_STARVES, device=self._path, reason=refusal)
            await asyncio.sleep(self.feeding.interval)

    def disarm(self) -> None:
        """The planned stop: nothing will be reset (unless the kernel was built or told not to allow it)."""
        with self._use:  # no feeding that is under way comes after it
            with suppress(OSError):
                os.write(self._fd, _MAGIC_CLOSE)
            os.close(self._fd)
            self._fd = -1

    def _arm(self, wanted: float) -> float:
        """Ask for the timeout; the one that the device has chosen."""
        value = bytearray(struct.pack("i", round(wanted)))
        try:
            fcntl.ioctl(self._fd, _SET_TIMEOUT, value)
        except OSError as error:
            if error.errno not in _NO_TIMEOUT:
                raise HostError(f"watchdog.timeout: {self._path}: {error.strerror}") from error
            log.warning(Event.WATCHDOG_FIXED, device=self._path, reason=error.strerror)
            return wanted
        return float(struct.unpack("i", value)[0])

    def _feed(self) -> None:
        with self._use, suppress(BlockingIOError):  # it would block: a FIFO that nobody reads
            if self._fd >= 0:
                os.write(self._fd, _FOOD)
