"""IO shell: what a phone talks over: a UDP socket, or one TCP or TLS connection to its proxy."""

import socket
import ssl
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from sipcore.errors import ConfigError
from sipcore.transport.framing import Framing
from sipcore.transport.layer import Hop

MAX_DATAGRAM = 65535
BATCH = 64
RECEIVE_BUFFER = 4 * 1024 * 1024
SEND_SECONDS = 5.0
RECONNECT_SECONDS = 0.1  # a proxy on the LAN answers at once, or is dead


@dataclass(frozen=True, slots=True)
class Trust:
    """How a phone checks the certificate of its proxy, and which one it shows."""

    verify: bool = True
    ca_file: str | None = None
    server_name: str | None = None  # default: the host of the proxy
    certificate: str | None = None
    key: str | None = None


class Link(Protocol):
    """A socket that carries messages."""

    socket: socket.socket
    errors: int
    connects: int

    def reconnect(self) -> bool:
        """Make a connection in the place of one that has ended; False when there is none now."""

    def send(self, data: bytes, hop: Hop) -> None:
        """Send one message; what the network refuses is counted."""

    def receive(self) -> Iterator[tuple[bytes, Hop]]:
        """What has come, without waiting."""

    def close(self) -> None:
        """No more."""


class UdpLink:
    """One socket, many peers."""

    def __init__(self, family: int, local: tuple[str, int]) -> None:
        self.errors = self.connects = 0
        self.socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.socket.bind(local)

    def reconnect(self) -> bool:
        """There is no connection."""
        return False

    def send(self, data: bytes, hop: Hop) -> None:
        """What the network refuses is left to the retransmissions."""
        try:
            self.socket.sendto(data, (hop.host, hop.port))
        except OSError:
            self.errors += 1

    def receive(self) -> Iterator[tuple[bytes, Hop]]:
        """At most a batch."""
        for _ in range(BATCH):
            try:
                data, address = self.socket.recvfrom(MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error of an earlier datagram
                self.errors += 1
                continue
            yield data, Hop(address[0], address[1])

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()


class StreamLink:
    """One connection to the proxy, whatever the hop says; after its end the next message opens another.

    `persistent`: not the next message, but whoever calls `reconnect` does, from the same port, and what comes
    looks as if it came over UDP to the transactions, so that they repeat what is not answered.
    """

    def __init__(self, proxy: Hop, local: tuple[str, int], trust: Trust, *, persistent: bool = False) -> None:
        self.errors = 0
        self._persistent = persistent
        self._proxy = proxy
        self._local = local
        self._name = trust.server_name or proxy.host
        self._context = _context(trust) if proxy.transport == "tls" else None
        self._framing = Framing()
        self._is_up = False
        self.connects = 0
        self.socket = self._connect()

    def send(self, data: bytes, hop: Hop) -> None:
        """Over the connection, or a new one."""
        try:
            if not self._is_up:
                if self._persistent:
                    return  # it is repeated
                self.socket = self._connect()
            self.socket.settimeout(SEND_SECONDS)
            self.socket.sendall(data)
        except (OSError, ConfigError):
            self.errors += 1
            self._lost()

    def reconnect(self) -> bool:
        """Only for `persistent`; it takes RECONNECT_SECONDS at most."""
        if not self._persistent:
            return False
        try:
            self.socket = self._connect(RECONNECT_SECONDS)
        except ConfigError:
            self.errors += 1
            return False
        return True

    def receive(self) -> Iterator[tuple[bytes, Hop]]:
        """The messages that are whole."""
        while self._is_up:
            try:
                self.socket.settimeout(0)
                data = self.socket.recv(MAX_DATAGRAM)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            except OSError:
                data = b""
            if not data:
                self._lost()
                return
            for message in self._framing.feed(data):
                transport = "udp" if self._persistent else self._proxy.transport
                yield message, self._proxy._replace(flow=self.connects, transport=transport)
            if self._framing.error is not None:
                self._lost()

    def close(self) -> None:
        """Close the connection."""
        self._lost()

    def _lost(self) -> None:
        self._is_up = False
        self.socket.close()

    def _connect(self, limit: float = SEND_SECONDS) -> socket.socket:
        proxy = self._proxy
        try:
            made = self._dial(limit)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                made = self._context.wrap_socket(made, server_hostname=self._name)
        except OSError as error:
            raise ConfigError(f"{proxy.host}:{proxy.port}: {error.strerror or error}") from error
        self._framing = Framing()
        self._is_up = True
        self.connects += 1
        if self._persistent:  # its Contact names this port for as long as it lives
            self._local = made.getsockname()[:2]
        else:
            self._local = self._local[0], 0  # the next one gets a port of its own
        return made

    def _dial(self, limit: float) -> socket.socket:
        proxy = self._proxy
        if not self._persistent:
            return socket.create_connection((proxy.host, proxy.port), limit, self._local)
        made = socket.socket(socket.AF_INET6 if ":" in proxy.host else socket.AF_INET)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # what is left of the old connection must not keep its port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            made.settimeout(limit)
            made.bind(self._local)
            made.connect((proxy.host, proxy.port))
        except OSError:
            made.close()
            raise
        return made


def _context(trust: Trust) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=trust.ca_file)
        if trust.certificate is not None:
            context.load_cert_chain(trust.certificate, trust.key)
    except OSError as error:
        raise ConfigError(f"{trust.ca_file} or {trust.certificate}: {error.strerror or error}") from error
    if not trust.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
