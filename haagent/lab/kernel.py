"""IO shell: the system calls of namespaces that Python 3.11 does not have."""

import ctypes
import os
from pathlib import Path

CLONE_NEWNET = 0x40000000
CLONE_NEWUSER = 0x10000000
CAP_NET_ADMIN = 12
CAP_SYS_ADMIN = 21

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Move the calling thread into new namespaces; see unshare(2)."""
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int) -> None:
    """Move the calling thread into the namespace that `fd` names; see setns(2)."""
    _check(_libc.setns(fd, kind), "setns")


def capable(*capabilities: int) -> bool:
    """Whether this process has all of the capabilities in effect."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            effective = int(line.split()[1], 16)
            return all(effective >> capability & 1 for capability in capabilities)
    return False


def net_namespace(pid: int | str) -> int | None:
    """The inode of a process's network namespace; None when the process is gone or not ours to look at."""
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:
        return None


def processes_in(inode: int) -> list[int]:
    """The processes whose network namespace is the one with this inode."""
    return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and net_namespace(pid) == inode]


def _check(result: int, call: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
