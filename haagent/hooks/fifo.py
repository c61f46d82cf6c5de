"""IO shell: the event stream: a named pipe with a line for each change, as keepalived's notify_fifo has them.

It is opened for reading too, as keepalived does, so that lines wait in the kernel (64 KiB) while there is no
reader; what does not fit waits here, bounded, and then the oldest is dropped and counted.
"""

import asyncio
import os
import pwd
import stat
from collections import Counter, deque
from pathlib import Path
from typing import Any

import structlog

from haagent.config.hooks import HooksConfig
from haagent.errors import HostError
from haagent.hooks.transition import Transition

log = structlog.get_logger()

MODE = 0o600


class Fifo:
    """The pipe; it is made when it is not there, and then removed at the end."""

    def __init__(self, config: HooksConfig) -> None:
        """Raises HostError when the path is something else."""
        self.config = config
        self._path = Path(config.fifo)
        self._made = False
        try:
            if not self._path.exists():
                self._path.parent.mkdir(parents=True, exist_ok=True)
                os.mkfifo(self._path, MODE)
                self._made = True
                if os.geteuid() == 0 and config.user:
                    owner = pwd.getpwnam(config.user)
                    os.chown(self._path, owner.pw_uid, owner.pw_gid)
            if not stat.S_ISFIFO(self._path.stat().st_mode):
                raise HostError(f"hooks.fifo: {config.fifo!r} is there and is no FIFO")
            self._fd = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, KeyError) as error:
            raise HostError(f"hooks.fifo: {config.fifo!r}: {error}") from error
        self._waiting: deque[bytes] = deque()
        self._counts: Counter[str] = Counter()

    def offer(self, transition: Transition) -> None:
        """Write its line, now or when there is room."""
        self._waiting.append(transition.line)
        if len(self._waiting) > self.config.fifo_backlog:
            self._waiting.popleft()
            self._counts["dropped"] += 1
        self._flush()

    def status(self) -> dict[str, Any]:
        """One row of the status."""
        return {
            "name": self.config.fifo,
            "kind": "fifo",
            "waiting": len(self._waiting),
            "ok": self._counts["ok"],
            "failed": 0,
            "timeout": 0,
            "dropped": self._counts["dropped"],
            "last": None,
        }

    def close(self) -> None:
        """Nothing more is written."""
        asyncio.get_running_loop().remove_writer(self._fd)
        os.close(self._fd)
        if self._made:
            self._path.unlink(missing_ok=True)

    def _flush(self) -> None:
        """A line is shorter than PIPE_BUF, so that it goes whole or not at all (pipe(7))."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            try:
                os.write(self._fd, self._waiting[0])
            except BlockingIOError:
                loop.add_writer(self._fd, self._flush)
                return
            self._waiting.popleft()
            self._counts["ok"] += 1
        loop.remove_writer(self._fd)
