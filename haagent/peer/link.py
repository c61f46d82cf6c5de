"""IO shell: the sockets of the peer channel: one TCP connection (the tripwire) and UDP for the fast hello.

Both nodes listen; the one with the lower address connects. A new connection replaces one that has proved
nothing; beside a proven one it waits until that ends. A peer that has forgotten the old one (it was booted
anew) resets it at the next heartbeat; whoever else connects from the peer's address tears nothing.
"""

import errno
import ipaddress
import socket
import sys
from dataclasses import dataclass
from typing import Protocol

RETRY_SECONDS = 0.1
CONNECT_SECONDS = 1.0
_USER_TIMEOUT_MS = 1000
_TCPI_RTT = 68  # offset in struct tcp_info of linux/tcp.h
_CHUNK = 65536
_MAX_BACKLOG = 1 << 20
_MAX_WAITING = 4


class Selectable(Protocol):
    """What select takes."""

    def fileno(self) -> int:
        """The descriptor."""


@dataclass(slots=True)
class Connected:
    """A new connection; what the old one had under way is lost."""


@dataclass(slots=True)
class Closed:
    """The connection has ended; by the peer: end of stream or reset, so its process has ended."""

    reason: str
    by_peer: bool


@dataclass(slots=True)
class Data:
    """Bytes of the connection, cut anywhere."""

    data: bytes


@dataclass(slots=True)
class Datagram:
    """One hello."""

    data: bytes


LinkInput = Connected | Closed | Data | Datagram


class PeerLink:
    """Connects, accepts, reads and writes without ever waiting."""

    def __init__(self, local: str, address: str, port: int, *, connects: bool) -> None:
        self._peer = (address, port)
        self._address = ipaddress.ip_address(address)
        self._family = socket.AF_INET if self._address.version == 4 else socket.AF_INET6
        self._local = local
        self._connects = connects
        self._listener = self._socket(socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((local, port))
        self._listener.listen(4)
        self._hello = self._socket(socket.SOCK_DGRAM)
        self._hello.bind((local, port))
        self._stream: socket.socket | None = None
        self._connecting: socket.socket | None = None
        self._waiting: list[socket.socket] = []
        self._unsent = b""
        self.proven = False
        """Whether the peer has proved itself on this connection; the owner of the session says so."""
        self.deadline: float | None = 0.0 if connects else None

    @property
    def where(self) -> tuple[str, int]:
        """Address and port that it listens on."""
        host, port = self._listener.getsockname()[:2]
        return host, port

    def readers(self) -> list[Selectable]:
        """What to wait for."""
        waiting: list[Selectable] = [self._listener, self._hello]
        if self._stream is not None:
            waiting.append(self._stream)
        return waiting

    def writers(self) -> list[Selectable]:
        """What to wait for until it can be written."""
        if self._connecting is not None:
            return [self._connecting]
        return [self._stream] if self._stream is not None and self._unsent else []

    def on_readable(self, ready: Selectable) -> list[LinkInput]:
        """Read what one of the readers has."""
        if ready is self._listener:
            return self._accept()
        if ready is self._hello:
            return self._read_hello()
        return self._read_stream() if ready is self._stream else []

    def on_writable(self, ready: Selectable, now: float) -> list[LinkInput]:
        """A connection is made (or has failed), or there is room to send."""
        if ready is not self._connecting or self._connecting is None:
            return self._flush()
        stream, self._connecting = self._connecting, None
        if stream.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            stream.close()
            self.deadline = now + RETRY_SECONDS
            return []
        self.deadline = None
        return self._take(stream)

    def on_timer(self, now: float) -> None:
        """Connect, if there is no connection; a try that hangs is given up."""
        if self.deadline is None or now < self.deadline or self._stream is not None:
            return
        if self._connecting is not None:
            self._connecting.close()
        self._connecting = self._socket(socket.SOCK_STREAM)
        self._connecting.bind((self._local, 0))
        code = self._connecting.connect_ex(self._peer)
        self.deadline = now + CONNECT_SECONDS
        if code not in (0, errno.EINPROGRESS):
            self._connecting.close()
            self._connecting = None
            self.deadline = now + RETRY_SECONDS

    def send(self, data: bytes) -> list[LinkInput]:
        """Send on the connection; what does not fit waits."""
        if self._stream is None:
            return []
        self._unsent += data
        if len(self._unsent) > _MAX_BACKLOG:
            return self.drop("the peer does not read")
        return self._flush()

    def send_hello(self, data: bytes) -> None:
        """Send one datagram, or not."""
        try:
            self._hello.sendto(data, self._peer)
        except OSError:
            return

    def rtt_ms(self) -> float | None:
        """The kernel's smoothed round-trip time (tcpi_rtt) in milliseconds."""
        if self._stream is None:
            return None
        info = self._stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCPI_RTT + 4)
        return int.from_bytes(info[_TCPI_RTT:], sys.byteorder) / 1000

    def drop(self, reason: str, *, by_peer: bool = False, now: float = 0.0) -> list[LinkInput]:
        """Close the connection; with `now` the next one is made after a pause."""
        if self._stream is None:
            return []
        if self._connects:
            self.deadline = now + RETRY_SECONDS if now else 0.0
        closed = self._end(reason, by_peer=by_peer)
        return [*closed, *self._take(self._waiting.pop())] if self._waiting else closed

    def _accept(self) -> list[LinkInput]:
        try:
            stream, (host, *_rest) = self._listener.accept()
        except OSError:
            return []
        if ipaddress.ip_address(host.partition("%")[0]) != self._address:
            stream.close()
            return []
        stream.setblocking(False)
        return self._wait(stream) if self.proven else self._take(stream)

    def _wait(self, stream: socket.socket) -> list[LinkInput]:
        """The newest ones are kept, and the newest of them comes first."""
        self._waiting.append(stream)
        for oldest in self._waiting[:-_MAX_WAITING]:
            oldest.close()
        del self._waiting[:-_MAX_WAITING]
        return []

    def _end(self, reason: str, *, by_peer: bool = False) -> list[LinkInput]:
        if self._stream is None:
            return []
        self._stream.close()
        self._stream = None
        self._unsent = b""
        self.proven = False
        return [Closed(reason, by_peer)]

    def _take(self, stream: socket.socket) -> list[LinkInput]:
        closed = self._end("the peer connected again")
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
        self._stream = stream
        self.deadline = None
        return [*closed, Connected()]

    def _read_stream(self) -> list[LinkInput]:
        assert self._stream is not None
        try:
            data = self._stream.recv(_CHUNK)
        except BlockingIOError:
            return []
        except OSError as error:
            return self._broken(error)
        return [Data(data)] if data else self.drop("the peer channel was closed", by_peer=True)

    def _read_hello(self) -> list[LinkInput]:
        found: list[LinkInput] = []
        try:
            while len(found) < 64:
                data, (host, *_rest) = self._hello.recvfrom(2048)
                if ipaddress.ip_address(host.partition("%")[0]) == self._address:
                    found.append(Datagram(data))
        except OSError:
            pass  # nothing more to read, or the news that nobody listens there
        return found

    def _flush(self) -> list[LinkInput]:
        if self._stream is None or not self._unsent:
            return []
        try:
            sent = self._stream.send(self._unsent)
        except BlockingIOError:
            return []
        except OSError as error:
            return self._broken(error)
        self._unsent = self._unsent[sent:]
        return []

    def _broken(self, error: OSError) -> list[LinkInput]:
        by_peer = isinstance(error, ConnectionResetError | BrokenPipeError)
        return self.drop(f"the peer channel broke: {error.strerror}", by_peer=by_peer)

    def _socket(self, kind: int) -> socket.socket:
        return socket.socket(self._family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
