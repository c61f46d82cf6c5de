"""IO shell: what systemd is told: READY, STATUS, STOPPING, WATCHDOG (sd_notify(3), without its library)."""

import asyncio
import os
import socket
import time
from collections.abc import Callable


def notify(state: str) -> None:
    """Tell systemd, when it asked to be told; never wait for it."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)  # a full queue must not stop the loop
        try:
            sender.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
        except OSError:
            return


def reloading() -> None:
    """Type=notify-reload wants the time beside it; READY=1 says that it is over."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


def watchdog_seconds() -> float | None:
    """How often systemd wants a sign of life; half of its limit."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 2_000_000


async def sign_of_life(reported: Callable[[], float]) -> None:
    """For systemd's watchdog: only while the guard reports; `reported` is when it did last."""
    interval = watchdog_seconds()
    while interval is not None:
        if time.monotonic() - reported() < interval:
            notify("WATCHDOG=1")
        await asyncio.sleep(interval / 2)
