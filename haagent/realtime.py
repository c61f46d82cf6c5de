"""IO shell: real-time scheduling, locked memory, frozen heap and dropped capabilities of the guard process.

Each is asked for and reported: containers and user namespaces often refuse the first two, and the guard
carries on without them.
"""

import ctypes
import gc
import os
import resource
import sys
from contextlib import suppress
from dataclasses import dataclass

FIFO_PRIORITY = 50
RUNAWAY_SECONDS = 1  # RLIMIT_RTTIME: a FIFO process that spins this long is killed, and control takes over
KEPT = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_IPC_LOCK": 14, "CAP_SYS_NICE": 23}

_MCL_CURRENT = 1
_MCL_FUTURE = 2
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522


@dataclass(frozen=True, slots=True)
class Granted:
    """What the kernel granted to the guard."""

    fifo: bool
    mlock: bool
    runaway_limit: bool
    capabilities_dropped: bool
    no_new_privileges: bool


def enter() -> Granted:
    """Ask for everything that a real-time process wants, and say what was granted."""
    runaway_limit = _limit_runaway()
    fifo = _fifo()
    mlock = _lock_memory()
    gc.collect()
    gc.freeze()
    gc.disable()
    sys.setswitchinterval(10.0)
    return Granted(
        fifo=fifo,
        mlock=mlock,
        runaway_limit=runaway_limit,
        capabilities_dropped=_drop_capabilities(),
        no_new_privileges=_libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0,
    )


def missing_capabilities(wanted: tuple[str, ...]) -> list[str]:
    """The capabilities of `wanted` that this process does not have in effect."""
    effective = _capabilities().effective
    return [name for name in wanted if not effective >> KEPT[name] & 1]


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilityData(ctypes.Structure):
    """One 32-bit half of each set; the kernel takes two of them."""

    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _capabilities() -> _CapabilityData:
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    data = (_CapabilityData * 2)()
    if _libc().capget(ctypes.byref(header), data) != 0:
        raise OSError(ctypes.get_errno(), "capget")
    return data[0]


def _drop_capabilities() -> bool:
    """Keep what of KEPT there is; drop all else."""
    kept = _capabilities().permitted & sum(1 << number for number in KEPT.values())
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    data = (_CapabilityData * 2)(_CapabilityData(kept, kept, 0), _CapabilityData(0, 0, 0))
    return bool(_libc().capset(ctypes.byref(header), data) == 0)


def _limit_runaway() -> bool:
    try:
        microseconds = RUNAWAY_SECONDS * 1_000_000
        resource.setrlimit(resource.RLIMIT_RTTIME, (microseconds, microseconds))
    except (OSError, ValueError):
        return False
    return True


def _fifo() -> bool:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(FIFO_PRIORITY))
    except OSError:
        return False
    return True


def _lock_memory() -> bool:
    """Lock what is mapped; what will be, only if no limit could make a later allocation fail.

    What the imports have left unused in the heap goes back before that (malloc_trim(3)).
    """
    gc.collect()
    with suppress(AttributeError):  # glibc has it
        _libc().malloc_trim(0)
    soft, _hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    unlimited = soft == resource.RLIM_INFINITY or (os.geteuid() == 0 and _in_first_user_namespace())
    flags = _MCL_CURRENT | (_MCL_FUTURE if unlimited else 0)
    return bool(_libc().mlockall(flags) == 0)


def _in_first_user_namespace() -> bool:
    """Only there does CAP_IPC_LOCK lift the limit."""
    with open("/proc/self/uid_map", encoding="ascii") as uid_map:
        return uid_map.read().split() == ["0", "0", "4294967295"]
