"""IO shell: paces a load, or keeps so many under way, in one thread; counts what came back and what was lost.

Nothing is ever sent twice: a message that the kernel or the server drops is a lost one.
"""

import select
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bench.sip.servers import HOST

QUIET = 1.5  # seconds without a single answer after which the rest is lost
BATCH = 64
BUFFER = 8 * 1024 * 1024


class Port(Protocol):
    """Where a phone sends from and hears."""

    @property
    def number(self) -> int:
        """The port's number."""

    def send(self, data: bytes) -> object:
        """Send a datagram to the server."""


class Load(Protocol):
    """What is sent: its `launch(n)` starts one, `done` counts those that ended well."""

    @property
    def done(self) -> int:
        """How many ended well since the beginning."""

    @property
    def wrong(self) -> "Counter[str]":
        """What came that should not have come, by kind."""

    @property
    def ports(self) -> "Sequence[Port]":
        """Where the answers come to."""

    def launch(self) -> None:
        """Start the next one."""

    def on_data(self, port: Port, data: bytes) -> None:
        """A datagram came to one of the ports."""


@dataclass(slots=True)
class Outcome:
    """One run of a load."""

    count: int
    done: int
    seconds: float
    own_cpu: float  # of the generator itself, in seconds
    wrong: "Counter[str]" = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        """How many did not end well."""
        return self.count - self.done

    @property
    def busy(self) -> float:
        """How busy the generator was; near 1 it was the bottleneck itself."""
        return self.own_cpu / self.seconds


def run(load: Load, count: int, *, rate: float = 0.0, outstanding: int = 50) -> Outcome:
    """Start `count`, at `rate` per second, or without it `outstanding` at a time; wait for all of them."""
    ports = [port for port in load.ports if isinstance(port, UdpPort)]
    done_before, wrong_before = load.done, load.wrong.copy()
    launched, finished, own = 0, 0, time.process_time()
    start = moved = now = time.monotonic()
    while finished < count and now - moved < QUIET:
        due = min(count, int((now - start) * rate) + 1 if rate else finished + outstanding)
        for _ in range(due - launched):
            load.launch()
        launched = max(launched, due)
        wait = start + launched / rate - now if rate and launched < count else QUIET
        ready, _, _ = select.select(ports, (), (), max(0.0, wait))
        for port in ready:
            _drain(load, port)
        now = time.monotonic()
        if load.done - done_before != finished or launched < count:
            finished, moved = load.done - done_before, now
    wrong = load.wrong - wrong_before
    return Outcome(count, finished, time.monotonic() - start, time.process_time() - own, wrong)


class UdpPort:
    """A socket that talks with the server alone."""

    def __init__(self, server: tuple[str, int]) -> None:
        self.socket = sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, BUFFER)
        sock.bind((HOST, 0))
        sock.connect(server)
        self.number = int(sock.getsockname()[1])
        self.send = sock.send

    def fileno(self) -> int:
        """For select."""
        return self.socket.fileno()


def _drain(load: Load, port: UdpPort) -> None:
    receive, on_data = port.socket.recv, load.on_data
    for _ in range(BATCH):
        try:
            data = receive(65535)
        except BlockingIOError:
            return
        except ConnectionRefusedError:
            load.wrong["refused"] += 1
            return
        on_data(port, data)
