"""IO shell: what the kernel says of a process."""

import resource
from contextlib import suppress
from pathlib import Path


def resident_mb(pid: int) -> float:
    """Resident memory in MB; 0 when the process is gone."""
    return _pages(pid, 1)


def shared_mb(pid: int) -> float:
    """Proportional set size in MB: a page that n processes share counts as its n-th part."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1e3
    return 0.0


def virtual_bytes(pid: int) -> int:
    """The size of the address space."""
    return int(_pages(pid, 0) * 1e6)


def open_files(pid: int) -> int:
    """How many file descriptors it has."""
    with suppress(OSError):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return 0


def cpu_seconds(pid: int) -> float:
    """User and system time so far."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100
    return 0.0


def _pages(pid: int, field: int) -> float:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[field]) * resource.getpagesize() / 1e6
    return 0.0
