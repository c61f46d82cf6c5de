"""IO shell: ends what is left of the connections of a master that is gone: phones connect anew at once.

A phone learns that its connection is dead when it sends something, which may take minutes: until then no call
reaches it. So a new MASTER, who knows the ends of these connections from replication, calls
from the same address and port: a SYN for a connection that the phone believes in. The phone answers with what
it expects (RFC 5961 section 4.2), our kernel, which knows nothing of it, with a reset that fits (RFC 9293
section 3.10.7.3), and the phone connects again. It takes one round trip, no raw socket and no privilege.

Deviations: a firewall that drops a SYN within a connection keeps the phone from learning it; then its own
keepalive (RFC 5626) does.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import islice

from sipcore.transport.layer import Hop, may_answer
from sipcore.transport.listener import StreamListener
from sipcore.transport.sockets import bound_socket

AT_ONCE = 100  # file descriptors are few
INTERVAL = 0.1
ROUNDS = 3  # intervals in which an answer may come


class Resets:
    """Goes through the hops that it is given, so many at once."""

    def __init__(self, listeners: Mapping[int, StreamListener]) -> None:
        self._listeners = listeners
        self._task: asyncio.Task[None] | None = None
        self.sent = 0

    def start(self, hops: Iterable[Hop]) -> None:
        """Begin; `hops` is read as it goes on."""
        self.stop()
        self._task = asyncio.get_running_loop().create_task(self._run(hops))

    def stop(self) -> None:
        """Leave the rest."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self, hops: Iterable[Hop]) -> None:
        under_way: deque[list[socket.socket]] = deque()
        left = iter(hops)
        try:
            for listener in self._listeners.values():
                _share(listener.socket, True)
            while chunk := list(islice(left, AT_ONCE)):
                under_way.append([made for hop in chunk if (made := self._call(hop)) is not None])
                await asyncio.sleep(INTERVAL)
                if len(under_way) == ROUNDS:
                    _close(under_way.popleft())
            await asyncio.sleep(INTERVAL * (ROUNDS - 1))
        finally:
            for sockets in under_way:
                _close(sockets)
            for listener in self._listeners.values():
                _share(listener.socket, False)

    def _call(self, hop: Hop) -> socket.socket | None:
        listener = self._listeners.get(hop.listener)
        if listener is None or listener.transport != hop.transport or not may_answer(hop):
            return None
        try:
            made = bound_socket(listener.address, listener.port, socket.SOCK_STREAM, share=True)
        except OSError:  # no descriptor left, or a connection from there to us is up already
            return None
        with suppress(BlockingIOError, OSError):
            made.connect((hop.host, hop.port))
        self.sent += 1
        return made


def _share(listening: socket.socket, on: bool) -> None:
    """Let other sockets of ours have the port of a listener, only for the time that it takes."""
    with suppress(OSError):  # closed already
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, on)


def _close(sockets: list[socket.socket]) -> None:
    for made in sockets:
        made.close()
