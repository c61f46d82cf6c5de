"""IO shell: systemd's end of sd_notify(3), for a service that a test starts itself."""

import select
import socket
import time
from pathlib import Path
from typing import Self


class NotifySocket:
    """Gathers what the service says; `environment` makes a process such a service."""

    def __init__(self, folder: Path, *, watchdog: float) -> None:
        self._path = folder / "notify"
        self._watchdog = watchdog
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._path))
        self.lines: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()

    @property
    def environment(self) -> list[str]:
        """For env(1): the watched process is the one that env becomes."""
        return [f"NOTIFY_SOCKET={self._path}", f"WATCHDOG_USEC={self._watchdog * 1e6:.0f}"]

    def collect(self, seconds: float) -> list[str]:
        """What is said from now on, so long."""
        start, end = len(self.lines), time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._read(left)
        return self.lines[start:]

    def drain(self) -> None:
        """Take in what was said until now."""
        while select.select([self._socket], [], [], 0)[0]:
            self._read(0)

    def wait_for(self, line: str, timeout: float = 15.0) -> str:
        """The first line that begins so, said from the start on."""
        end = time.monotonic() + timeout
        while not (found := [said for said in self.lines if said.startswith(line)]):
            assert time.monotonic() < end, f"no {line} within {timeout} s, but {self.lines}"
            self._read(0.1)
        return found[0]

    def _read(self, seconds: float) -> None:
        if select.select([self._socket], [], [], max(0.0, seconds))[0]:
            self.lines += self._socket.recv(4096).decode().splitlines()
