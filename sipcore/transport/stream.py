"""IO shell: one TCP or TLS connection: bytes to messages, messages to bytes, within limits."""

import asyncio
import time
from collections.abc import Mapping
from typing import Protocol

from sipcore.transport.connections import Ending, Flow
from sipcore.transport.framing import PONG, Framing
from sipcore.transport.identity import identities
from sipcore.transport.layer import Hop
from sipcore.transport.sockets import leave_nothing, reset


class Connection(Protocol):
    """A TCP, TLS or WebSocket connection, as the streams see it."""

    flow: Flow

    def send(self, data: bytes, hop: Hop) -> bool:
        """Send a message, in its turn; False when it cannot be sent any more."""

    def close(self, ending: Ending) -> None:
        """End it at once."""


class StreamUser(Protocol):
    """Who owns the connections."""

    def on_messages(self, connection: Connection, messages: list[bytes], now: float) -> None:
        """Whole messages came, together in one read."""

    def on_open(self, connection: Connection, certificate: Mapping[str, object] | None) -> bool:
        """It is up; False: the peer is not who it should be."""

    def on_ended(self, connection: Connection, ending: Ending, unsent: list[tuple[bytes, Hop]]) -> None:
        """It has ended; called once. `unsent` never left."""


class StreamConnection(asyncio.Protocol):
    """Accepted, or being opened: what is sent before it is up waits, up to the limit."""

    def __init__(self, flow: Flow, user: StreamUser, *, max_message: int, write_buffer: int) -> None:
        self.flow = flow
        self._user: StreamUser | None = user
        self._framing = Framing(max_message)
        self._write_buffer = write_buffer
        self._transport: asyncio.Transport | None = None
        self._waiting: list[tuple[bytes, Hop]] = []
        self._waiting_bytes = 0
        self._ending = Ending.PEER

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """With TLS this is after its handshake."""
        assert isinstance(transport, asyncio.Transport)
        user = self._user
        if user is None:  # closed while it was being opened
            reset(transport)
            return
        self._transport = transport
        leave_nothing(transport.get_extra_info("socket"))
        certificate = transport.get_extra_info("peercert")
        if certificate:
            self.flow.identities = identities(certificate)
        if not user.on_open(self, certificate):
            self.close(Ending.IDENTITY)
            return
        waiting, self._waiting = self._waiting, []
        if waiting:
            transport.write(b"".join([data for data, _ in waiting]))

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        user, transport, framing = self._user, self._transport, self._framing
        if user is None or transport is None:
            return
        now = time.monotonic()
        messages = framing.feed(data)
        if messages:
            self.flow.whole_message()
        self.flow.heard(now, pending=framing.pending)
        if framing.pings:
            transport.write(PONG * framing.pings)
            framing.pings = 0
        error = framing.error
        if error is not None and error.head:
            messages.append(error.head)
        if messages:
            user.on_messages(self, messages, now)
        if error is not None:
            self._finish(Ending.FRAMING)

    def eof_received(self) -> bool:
        """The peer sends no more: nothing is served to one that may be gone."""
        self._let_leave()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed, by whomever."""
        self._end(self._ending)

    def send(self, data: bytes, hop: Hop) -> bool:
        """Write it, or let it wait for the connection; a peer that does not read is cut off."""
        transport = self._transport
        if transport is None:
            if self._user is None or self._waiting_bytes + len(data) > self._write_buffer:
                return False
            self._waiting.append((data, hop))
            self._waiting_bytes += len(data)
            return True
        if transport.is_closing():
            return False
        if transport.get_write_buffer_size() + len(data) > self._write_buffer:
            self.close(Ending.SLOW_READER)
            return False
        transport.write(data)
        return True

    def close(self, ending: Ending) -> None:
        """Reset it."""
        self._ending = ending
        transport = self._transport
        if transport is not None:
            reset(transport)
        self._end(ending)

    def _finish(self, ending: Ending) -> None:
        """Let what is written leave, then close; the time of a message is all that the peer gets for it."""
        self._ending = ending
        transport = self._transport
        if transport is not None:
            self._let_leave()
            transport.close()
        self.flow.heard(time.monotonic(), pending=True)

    def _let_leave(self) -> None:
        """What is written reaches the peer before the end does."""
        if self._transport is not None:
            leave_nothing(self._transport.get_extra_info("socket"), wanted=False)

    def _end(self, ending: Ending) -> None:
        user, self._user, self._transport = self._user, None, None  # no circle is left for the collector
        unsent, self._waiting = self._waiting, []
        if user is not None:
            user.on_ended(self, ending, unsent)
