"""IO shell: a phone on a UDP socket: reads datagrams, calls the agent, sends what it wants sent."""

import secrets
import select
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from sipcore.errors import ConfigError
from sipcore.phone.agent import Phone
from sipcore.transaction.timers import TimerValues
from sipcore.transport.layer import Hop

MAX_DATAGRAM = 65535
BATCH = 64
RECEIVE_BUFFER = 4 * 1024 * 1024


class Wire:
    """The socket of one phone."""

    def __init__(
        self,
        *,
        local: str | None,
        proxy: str,
        domain: str | None,
        passwords: Mapping[bytes, bytes],
        t1: float,
    ) -> None:
        hop = _resolve(proxy)
        family = socket.AF_INET6 if ":" in hop.host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        host, port = split_host_port(local, 0) if local else (_source_for(hop, family), 0)
        try:
            self.socket.bind((host, port))
        except OSError as error:
            raise ConfigError(f"--local: {host}:{port}: {error.strerror}") from error
        self.socket_errors = 0
        self.phone = Phone(
            local=Hop(host, self.socket.getsockname()[1]),
            proxy=hop,
            domain=(domain or hop.host).encode(),
            passwords=passwords,
            seed=secrets.token_hex(6).encode(),
            timers=TimerValues(t1=t1),
            now=time.monotonic(),
        )

    def wait(self, limit: float, *more: int) -> list[int]:
        """Handle what comes within `limit` seconds; returns early with those of `more` that can be read."""
        phone = self.phone
        self.flush()
        deadline = phone.deadline
        if deadline is not None:
            limit = min(limit, max(deadline - time.monotonic(), 0.0))
        own = self.socket.fileno()
        readable, _, _ = select.select([own, *more], (), (), limit)
        if own in readable:
            readable.remove(own)
            self._drain()
        if (deadline := phone.deadline) is not None and deadline <= time.monotonic():
            phone.on_timer(time.monotonic())
        self.flush()
        return readable

    def flush(self) -> None:
        """Send what the phone wants sent; what the network refuses is left to the retransmissions."""
        outbox = self.phone.outbox
        for data, hop, _hold in outbox:
            try:
                self.socket.sendto(data, (hop.host, hop.port))
            except OSError:
                self.socket_errors += 1
        outbox.clear()

    def _drain(self) -> None:
        for _ in range(BATCH):
            try:
                data, address = self.socket.recvfrom(MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error of an earlier datagram
                self.socket_errors += 1
                continue
            self.phone.feed(data, Hop(address[0], address[1]), time.monotonic())


def read_users(path: Path) -> dict[bytes, bytes]:
    """The lines `user:password` of a file."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(f"--users: {path}: {error.strerror}") from error
    users = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        user, colon, password = line.strip().partition(b":")
        if not colon:
            raise ConfigError(f"--users: {path}, line {number}: not of the form user:password")
        users[user] = password
    return users


def split_host_port(text: str, default: int) -> tuple[str, int]:
    """ "10.0.0.1:5060", "[fd88::1]:5060" or an address alone."""
    host, port = text, str(default)
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif text.count(":") == 1:
        host, port = text.split(":")
    if not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"{text}: the port is not in 0..65535")
    return host, int(port)


def _resolve(text: str) -> Hop:
    host, port = split_host_port(text, 5060)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise ConfigError(f"{text}: {error.strerror}") from error
    address = found[0][4]
    return Hop(str(address[0]), int(address[1]))


def _source_for(hop: Hop, family: int) -> str:
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((hop.host, hop.port))
        except OSError as error:
            raise ConfigError(f"{hop.host}: {error.strerror}") from error
        return str(probe.getsockname()[0])
