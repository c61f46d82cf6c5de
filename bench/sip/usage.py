"""IO shell: CPU time and memory of a server: of its process and of all that it started, from /proc."""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_TICK = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """CPU seconds so far. `total` is exact; the kernel counts `user` and `system` in ticks of 10 ms."""

    total: float
    user: float
    system: float

    def since(self, before: "Usage") -> "Usage":
        """What came after `before`."""
        return Usage(*(now - then for now, then in zip(self, before, strict=True)))


def usage(pid: int) -> Usage:
    """The CPU time of a process, its children and all of their threads."""
    total = user = system = 0.0
    for member in tree(pid):
        for task in Path(f"/proc/{member}/task").iterdir():
            with suppress(OSError):  # a thread that has just ended
                total += int((task / "schedstat").read_text().split()[0]) / 1e9
                fields = (task / "stat").read_text().rpartition(")")[2].split()
                user += int(fields[11]) / _TICK
                system += int(fields[12]) / _TICK
    return Usage(total, user, system)


def memory(pid: int | None = None) -> int:
    """Bytes that a process (this one) and its children hold; what they share counts once."""
    return sum(_pss(member) for member in tree(pid or os.getpid()))


def tree(pid: int) -> list[int]:
    """A process and those that descend from it."""
    found = [pid]
    for parent in found:  # grows while it is walked
        for task in Path(f"/proc/{parent}/task").iterdir():
            with suppress(OSError):
                found += map(int, (task / "children").read_text().split())
    return found


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
