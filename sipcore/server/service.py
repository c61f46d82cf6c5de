"""IO shell: what systemd is told of the SIP core: READY, STATUS, WATCHDOG, STOPPING (sd_notify(3))."""

import asyncio
import os
import socket


class Service:
    """Silent unless systemd has asked to be told. A loop that hangs gives no sign of life."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None

    def ready(self, status: str) -> None:
        """The server serves; from now on the loop gives a sign of life, twice in systemd's limit."""
        notify(f"READY=1\nSTATUS={status}")
        interval = _sign_of_life_seconds()
        if interval is not None:
            self._live(interval)

    def status(self, status: str) -> None:
        """One line for `systemctl status`."""
        notify(f"STATUS={status}")

    def stopping(self) -> None:
        """The planned stop begins; its time is limited by systemd."""
        notify("STOPPING=1")
        if self._timer is not None:
            self._timer.cancel()

    def _live(self, interval: float) -> None:
        notify("WATCHDOG=1")
        self._timer = asyncio.get_running_loop().call_later(interval, self._live, interval)


def notify(state: str) -> None:
    """Tell systemd, when it asked to be told; never wait for it."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        try:
            sender.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
        except OSError:
            return


def _sign_of_life_seconds() -> float | None:
    """Half of the time after which systemd would end us; None when it does not watch this process."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 2_000_000
