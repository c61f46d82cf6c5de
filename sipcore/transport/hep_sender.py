"""IO shell: sends copies of messages to capture servers; what one cannot take is counted and left out."""

import asyncio
import socket
from contextlib import suppress

from sipcore.transport.hep import HepEncoder
from sipcore.transport.trace import Filter, Seen, redacted

MAX_WAITING_BYTES = 1024 * 1024  # per capture server, over TCP
RECONNECT_SECONDS = 5.0


class HepSender:
    """A watcher that sends what its filter wants to one capture server."""

    def __init__(
        self, server: tuple[str, int], transport: str, encoder: HepEncoder, wanted: Filter, *, secrets: bool
    ) -> None:
        self.sent = 0
        self.lost = 0
        self._server = server
        self._transport = transport
        self._encoder = encoder
        self._wanted = wanted
        self._secrets = secrets
        self._socket: socket.socket | None = None
        self._writer: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the socket; over TCP keep on connecting."""
        if self._transport == "udp":
            family = socket.AF_INET6 if ":" in self._server[0] else socket.AF_INET
            self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        else:
            self._connecting = asyncio.create_task(self._connect())

    async def stop(self) -> None:
        """Close it; what still waits is left out."""
        if self._connecting is not None:
            self._connecting.cancel()
            with suppress(asyncio.CancelledError):
                await self._connecting
        if self._writer is not None:
            self._writer.abort()
        if self._socket is not None:
            self._socket.close()

    def see(self, seen: Seen) -> None:
        """Send a copy."""
        if not self._wanted.may_match(seen):
            return
        packet = self._encoder.encode(seen, seen.data if self._secrets else redacted(seen.data))
        if packet is not None and self._send(packet):
            self.sent += 1
        else:
            self.lost += 1

    def _send(self, packet: bytes) -> bool:
        if self._socket is not None:
            try:
                self._socket.sendto(packet, self._server)
            except OSError:
                return False
            return True
        writer = self._writer
        if writer is None or writer.get_write_buffer_size() > MAX_WAITING_BYTES:
            return False
        writer.write(packet)
        return True

    async def _connect(self) -> None:
        """Hold one connection; after a break wait a while and open the next one."""
        loop = asyncio.get_running_loop()
        while True:
            with suppress(OSError):
                self._writer, sink = await loop.create_connection(_Sink, *self._server)
                await sink.lost.wait()
            self._writer = None
            await asyncio.sleep(RECONNECT_SECONDS)


class _Sink(asyncio.Protocol):
    """A capture server says nothing; `lost` tells when it has gone."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
