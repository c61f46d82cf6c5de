"""IO shell: ends what is left of the connections of a master that is gone: phones connect anew at once.

A phone learns that its connection is dead when it sends something, which may take minutes: until then no call
reaches it. So a new MASTER, who knows the ends of these connections from replication, calls
from the same address and port: a SYN for a connection that the phone believes in. The phone answers with what
it expects (RFC 5961 section 4.2), our kernel, which knows nothing of it, with a reset that fits (RFC 9293
section 3.10.7.3), and the phone connects again. It takes one round trip, no raw socket and no privilege.

A phone that always uses the same port may call at the same moment: both calls become one connection (RFC 9293
section 3.5, figure 7), which then is the phone's new one and is served like any other.

Deviations: a firewall that drops a SYN within a connection keeps the phone from learning it; then its own
keepalive (RFC 5626) does.
"""

import asyncio
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import islice

from sipcore.transport.layer import Hop, may_answer
from sipcore.transport.listener import Accept, StreamListener
from sipcore.transport.sockets import bound_socket

AT_ONCE = 100  # file descriptors are few
INTERVAL = 0.1
PATIENCE = 0.3  # seconds in which an answer may come


class Resets:
    """Goes through the hops that it is given, so many at once; `accept` takes what becomes a connection."""

    def __init__(
        self, listeners: Mapping[int, StreamListener], accept: Accept, patience: float = PATIENCE
    ) -> None:
        self._listeners = listeners
        self._accept = accept
        self._patience = patience
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
        left = iter(hops)
        try:
            for listener in self._listeners.values():
                _share(listener.socket, True)
            async with asyncio.TaskGroup() as calls:
                while chunk := list(islice(left, AT_ONCE)):
                    for hop in chunk:
                        self._begin(hop, calls)
                    await asyncio.sleep(INTERVAL)
        finally:
            for listener in self._listeners.values():
                _share(listener.socket, False)

    def _begin(self, hop: Hop, calls: asyncio.TaskGroup) -> None:
        listener = self._listeners.get(hop.listener)
        if listener is None or listener.transport != hop.transport or not may_answer(hop):
            return
        try:
            made = bound_socket(listener.address, listener.port, socket.SOCK_STREAM, share=True)
        except OSError:  # no descriptor left, or a connection from there to us is up already
            return
        self.sent += 1
        calls.create_task(self._call(listener, made, hop))

    async def _call(self, listener: StreamListener, made: socket.socket, hop: Hop) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await asyncio.get_running_loop().sock_connect(made, (hop.host, hop.port))
        except BaseException as error:
            made.close()
            if not isinstance(error, OSError):
                raise
        else:
            self._accept(listener, made, hop.host, hop.port)


def _share(listening: socket.socket, on: bool) -> None:
    """Let other sockets of ours have the port of a listener, only for the time that it takes."""
    with suppress(OSError):  # closed already
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, on)
