"""IO shell: a listening socket for connections; who is refused costs one accept and a reset.

A BACKUP's socket is bound and listens, but nothing is accepted from it: it answers nobody. What connects in
the moment of a takeover, after the address has moved and before the role has, waits in the kernel with its
first message and is served as soon as this node is MASTER: faster than after a refusal, which phones answer
with a pause (RFC 5626 section 4.5: 30 seconds and more).
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

from sipcore.transport.sockets import BACKLOG, bound_socket
from sipcore.transport.tls import TlsServer

ACCEPTS = 64  # per wake-up, so that nothing else starves
PAUSE_SECONDS = 0.2  # after an error such as "too many open files"

Accept = Callable[["StreamListener", socket.socket, str, int], None]


class StreamListener:
    """One bound socket; `index` is its place in the configuration."""

    def __init__(
        self, address: str, port: int, transport: str, index: int, *, tls: TlsServer | None, alias: str
    ) -> None:
        self.transport = transport
        self.index = index
        self.tls = tls
        self.alias = alias
        self.accept_errors = 0
        self.socket = bound_socket(address, port, socket.SOCK_STREAM)
        try:
            self.socket.listen(BACKLOG)
        except OSError:
            self.socket.close()
            raise
        self.address: str = self.socket.getsockname()[0]
        self.port: int = self.socket.getsockname()[1]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pause: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop, accept: Accept) -> None:
        """Accept from now on."""
        self._loop, self._accept = loop, accept
        loop.add_reader(self.socket.fileno(), self._drain)

    def stop(self) -> None:
        """Accept nothing more; what connects waits."""
        if self._loop is not None:
            self._loop.remove_reader(self.socket.fileno())
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self._loop = None

    def close(self) -> None:
        """Stop and close the socket."""
        self.stop()
        self.socket.close()

    def _drain(self) -> None:
        for _ in range(ACCEPTS):
            try:
                made, source = self.socket.accept()
            except BlockingIOError:
                return
            except ConnectionError:  # gone before we took it
                continue
            except OSError:
                self._rest()
                return
            made.setblocking(False)
            self._accept(self, made, source[0], source[1])

    def _rest(self) -> None:
        """The socket stays readable: without a pause the loop would spin."""
        self.accept_errors += 1
        loop = self._loop
        if loop is not None:
            loop.remove_reader(self.socket.fileno())
            self._pause = loop.call_later(PAUSE_SECONDS, self._resume)

    def _resume(self) -> None:
        self._pause = None
        if self._loop is not None:
            with suppress(ValueError):  # closed meanwhile
                self._loop.add_reader(self.socket.fileno(), self._drain)
