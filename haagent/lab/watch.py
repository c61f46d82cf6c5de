"""IO shell: runs the probe on the client host and gathers what it saw."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Self

from haagent.lab.errors import LabError
from haagent.lab.namespaces import Host, stop
from haagent.lab.sight import Sight, Sort
from haagent.lab.topology import VIP


class Watch:
    """A running probe; `sight` grows while it runs."""

    def __init__(self, client: Host, vip: str = VIP, *, sip_every: int = 5) -> None:
        """`sip_every`: milliseconds between two OPTIONS."""
        self.sight = Sight()
        self._process = client.spawn(
            [sys.executable, "-m", "haagent.lab.probe", "--vip", vip, "--sip-every", str(sip_every)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._thread = threading.Thread(target=self._gather, name="probe", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def wait_answer(self, sort: Sort, *, after: float = 0.0, timeout: float = 10.0) -> float:
        """Wait for an answer that came after `after`; its time."""
        times = self.sight.times[sort]
        if wait_until(lambda: bool(times) and times[-1] > after, timeout):
            return times[-1]
        raise LabError(f"nobody answered {sort.name} for the virtual IP within {timeout:g} s")

    def close(self) -> None:
        """End the probe; what it still had to say is taken in."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._thread.join(2)
        stop(self._process)

    def _gather(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            sort, at, owner = line.split()
            self.sight.add(Sort(sort.decode()), float(at), owner.decode())


def wait_until(condition: Callable[[], bool], timeout: float, *, step: float = 0.01) -> bool:
    """Look every `step` seconds whether the condition holds; False when `timeout` seconds were not enough."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(step)
    return True
