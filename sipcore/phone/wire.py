"""IO shell: a phone on a UDP socket: reads datagrams, calls the agent, sends what it wants sent."""

import secrets
import select
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from sipcore.errors import ConfigError
from sipcore.phone.agent import Phone
from sipcore.phone.link import Link, StreamLink, Trust, UdpLink
from sipcore.transaction.timers import TimerValues
from sipcore.transport.layer import Hop, default_port


class Wire:
    """The socket of one phone.

    `persistent`: it repeats over a stream, too, what is not answered, as over UDP, and makes a new connection
    as soon as the old one has ended. So what was under way when its proxy died is not lost. `private`: the
    address that its Via and Contact name, where nobody reaches it: a phone behind NAT.
    """

    def __init__(
        self,
        *,
        local: str | None,
        proxy: str,
        domain: str | None,
        passwords: Mapping[bytes, bytes],
        t1: float,
        transport: str = "udp",
        trust: Trust | None = None,
        persistent: bool = False,
        private: str = "",
    ) -> None:
        hop = _resolve(proxy, transport)
        family = socket.AF_INET6 if ":" in hop.host else socket.AF_INET
        host, port = split_host_port(local, 0) if local else (_source_for(hop, family), 0)
        self.link: Link
        if transport == "udp":
            try:
                self.link = UdpLink(family, (host, port))
            except OSError as error:
                raise ConfigError(f"--local: {host}:{port}: {error.strerror}") from error
        else:
            self.link = StreamLink(hop, (host, port), trust or Trust(), persistent=persistent)
        self.phone = Phone(
            local=Hop(private or host, self.socket.getsockname()[1], transport=transport),
            proxy=hop._replace(transport="udp") if persistent else hop,
            domain=(domain or hop.host).encode(),
            passwords=passwords,
            seed=secrets.token_hex(6).encode(),
            timers=TimerValues(t1=t1),
            now=time.monotonic(),
        )

    @property
    def socket(self) -> socket.socket:
        """What it talks over now."""
        return self.link.socket

    @property
    def connects(self) -> int:
        """How many connections it has made; 0 without connections."""
        return self.link.connects

    @property
    def socket_errors(self) -> int:
        """How often the network refused something."""
        return self.link.errors

    def wait(self, limit: float, *more: int) -> list[int]:
        """Handle what comes within `limit` seconds; returns early with those of `more` that can be read."""
        phone = self.phone
        self.flush()
        deadline = phone.deadline
        if deadline is not None:
            limit = min(limit, max(deadline - time.monotonic(), 0.0))
        own = self.socket.fileno()  # -1: the connection has ended
        if own < 0 and self.link.reconnect():
            own = self.socket.fileno()
        limit = min(limit, 0.05) if own < 0 else limit
        readable, _, _ = select.select([*more, *([own] if own >= 0 else ())], (), (), limit)
        if own in readable:
            readable.remove(own)
            for data, source in self.link.receive():
                phone.feed(data, source, time.monotonic())
        if (deadline := phone.deadline) is not None and deadline <= time.monotonic():
            phone.on_timer(time.monotonic())
        self.flush()
        return readable

    def flush(self) -> None:
        """Send what the phone wants sent; what the network refuses is left to the retransmissions."""
        outbox = self.phone.outbox
        for data, hop, _hold in outbox:
            self.link.send(data, hop)
        outbox.clear()


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


def _resolve(text: str, transport: str) -> Hop:
    host, port = split_host_port(text, default_port(transport))
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise ConfigError(f"{text}: {error.strerror}") from error
    address = found[0][4]
    return Hop(str(address[0]), int(address[1]), transport=transport)


def _source_for(hop: Hop, family: int) -> str:
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((hop.host, hop.port))
        except OSError as error:
            raise ConfigError(f"{hop.host}: {error.strerror}") from error
        return str(probe.getsockname()[0])
