"""IO shell: probes of this host: processes, files, scripts."""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from haagent import program
from haagent.config.checks import FileCheck, ProcessCheck, ScriptCheck
from haagent.errors import HostError
from haagent.health.check import Result
from haagent.health.probes import Aside, PlainProbe, Probe

MAX_FILE = 1 << 16  # bytes that are looked at
MAX_NUMBER = 253
MAX_WATCHED = 32  # processes
COMM_LENGTH = 15  # the kernel cuts the name of a program (proc(5))


def open_probe(config: ProcessCheck | FileCheck | ScriptCheck) -> Probe:
    """The probe for this table."""
    if isinstance(config, ProcessCheck):
        return ProcessProbe(config)
    return FileProbe(config) if isinstance(config, FileCheck) else ScriptProbe(config)


class ProcessProbe:
    """Counts the processes that run, not zombies and stopped ones; each is watched by its pidfd."""

    def __init__(self, config: ProcessCheck) -> None:
        self._config = config
        self._aside = Aside()
        self._hint: Callable[[], None] = lambda: None
        self._watched: dict[int, int] = {}  # pid -> pidfd

    async def run(self) -> Result:
        """Look through /proc."""
        found: list[int] = []

        def look() -> Result:
            if self._config.pidfile:
                text = Path(self._config.pidfile).read_text(encoding="ascii", errors="replace").strip()
                if not text.isdecimal():
                    return Result(False, f"{self._config.pidfile} holds no process id")
                found.extend(pid for pid in [int(text)] if _state(pid))
            else:
                found.extend(_named(self._config.program))
            return self._judge(found)

        result = await self._aside.call(look)
        self._watch(found)
        return result

    def watch(self, hint: Callable[[], None]) -> None:
        """The end of a process makes its pidfd readable."""
        self._hint = hint

    def close(self) -> None:
        """Stop watching."""
        for pid in list(self._watched):
            self._forget(pid)

    def _judge(self, found: list[int]) -> Result:
        what = self._config.program or f"the process of {self._config.pidfile}"
        running = [pid for pid in found if _state(pid) not in ("", "T", "t", "Z", "X")]
        if len(running) >= self._config.at_least:
            return Result(True, f"{what} runs (pid {', '.join(map(str, running[:3]))})")
        if len(running) < len(found):
            return Result(False, f"{what} is stopped or a zombie (pid {found[0]})")
        needed = f" {len(running)} times, not {self._config.at_least}" if running else ""
        return Result(False, f"{what} runs{needed}" if needed else f"{what} does not run")

    def _watch(self, pids: list[int]) -> None:
        for pid in [pid for pid in self._watched if pid not in pids]:
            self._forget(pid)
        for pid in pids[:MAX_WATCHED]:
            if pid in self._watched:
                continue
            with suppress(OSError):
                fd = self._watched[pid] = os.pidfd_open(pid)
                asyncio.get_running_loop().add_reader(fd, self._on_end, pid)

    def _on_end(self, pid: int) -> None:
        self._forget(pid)
        self._hint()

    def _forget(self, pid: int) -> None:
        fd = self._watched.pop(pid)
        asyncio.get_running_loop().remove_reader(fd)
        os.close(fd)


class FileProbe(PlainProbe):
    """Reads a file in a thread: one on a dead file server hangs there and nowhere else."""

    def __init__(self, config: FileCheck) -> None:
        self._config = config
        self._aside = Aside()

    async def run(self) -> Result:
        """Look at the file."""
        return await self._aside.call(self._look)

    def _look(self) -> Result:
        config = self._config
        with Path(config.path).open("rb") as file:
            age = time.time() - os.fstat(file.fileno()).st_mtime
            text = file.read(MAX_FILE).decode(errors="replace")
        if config.max_age and age > config.max_age:
            return Result(False, f"{config.path} is {age:.0f} s old, more than {config.max_age:g} s")
        if config.contains not in text:
            return Result(False, f"{config.path} does not contain {config.contains!r}")
        if not config.weigh_content:
            return Result(True, f"{config.path} is there")
        try:
            number = int(text)
        except ValueError:
            return Result(False, f"{config.path} holds no whole number")
        value = min(max(number, -MAX_NUMBER), MAX_NUMBER)
        return Result(True, f"{config.path} holds {number}", value)


class ScriptProbe(PlainProbe):
    """Runs a program as the configured user, without a shell, in a process group that is killed as a whole.

    Exit codes as for keepalived's vrrp_script: 0 is success, any other failure.
    """

    def __init__(self, config: ScriptCheck) -> None:
        self._config = config
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> Result:
        """Run it to its end."""
        if self._process is not None and self._process.returncode is None:
            await self._process.wait()  # it was killed; while it does not end, no other one begins
        try:
            self._process = process = await program.start(self._config.command, self._config.user)
        except HostError as error:
            return Result(False, str(error))
        try:
            code = await process.wait()
        finally:
            program.kill_group(process)  # also what the script has left behind in its group
        return Result(code == 0, program.explain_exit(code))


def _named(name: str) -> list[int]:
    """The processes whose name, or whose first argument's last part, is this (as keepalived compares)."""
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal():
            continue
        with suppress(OSError):
            comm = Path(entry.path, "comm").read_text(errors="replace").rstrip("\n")
            if comm == name[:COMM_LENGTH] and len(name) <= COMM_LENGTH:
                found.append(int(entry.name))
                continue
            first = Path(entry.path, "cmdline").read_bytes().partition(b"\0")[0]
            if first.rpartition(b"/")[2].decode(errors="replace") == name:
                found.append(int(entry.name))
    return found


def _state(pid: int) -> str:
    """The letter of proc(5): Z for a zombie, T for a stopped process; "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""
