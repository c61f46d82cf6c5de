"""IO shell: one TCP connection of replication: bytes between the kernel and a ReplicationSession."""

import asyncio
import secrets
import socket
from typing import Protocol

from sipcore.errors import ReplicationError
from sipcore.replication.events import Event
from sipcore.replication.handshake import NONCE_SIZE
from sipcore.replication.session import LocalNode, ReplicationSession

WRITE_HIGH = 256 * 1024  # bytes in the transport at which the log waits in the backlog


class ConnectionOwner(Protocol):
    """What a connection tells: the link."""

    local: LocalNode

    def admit(self, connection: "Connection", host: str, certificate: object) -> bool:
        """Whether this connection may go on to prove itself; its certificate has been verified, if any."""

    def on_event(self, connection: "Connection", event: Event) -> None:
        """What the session understood."""

    def on_closed(self, connection: "Connection", reason: str) -> None:
        """An admitted connection is gone; called once."""


class Connection(asyncio.Protocol):
    """Feeds the session, writes what it gives while the peer reads, keeps its one timer."""

    def __init__(self, owner: ConnectionOwner, *, dialer: bool) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._writable = True
        self._timer: asyncio.TimerHandle | None = None
        self._pump_due = False
        self._admitted = False
        self._reason = "closed by the peer"
        self.session = ReplicationSession(
            owner.local, secrets.token_bytes(NONCE_SIZE), self._loop.time(), dialer=dialer
        )
        self.node = ""  # the peer's name, once it has proved itself
        self.host = ""
        self.closed: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, or turn a stranger away."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.host = transport.get_extra_info("peername")[0]
        if not self._owner.admit(self, self.host, transport.get_extra_info("peercert")):
            transport.abort()
            return
        self._admitted = True
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        dead_after_ms = int(self._owner.local.timing.dead_after * 1000)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(dead_after_ms, 1))
        transport.set_write_buffer_limits(high=WRITE_HIGH)
        self.pump()
        self._arm()

    def data_received(self, data: bytes) -> None:
        """Bytes of the peer."""
        if self._reason_given:
            return
        try:
            events = self.session.feed(data, self._loop.time())
        except ReplicationError as error:
            self.close(str(error))
            return
        for event in events:
            self._owner.on_event(self, event)
        self.pump()
        self._arm()

    def pause_writing(self) -> None:
        """The peer does not read: the log waits where it is, in the backlog."""
        self._writable = False

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._writable = True
        self.pump()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, for whatever reason."""
        if self._timer is not None:
            self._timer.cancel()
        if self._admitted:
            self._admitted = False
            self._owner.on_closed(self, self._reason if exc is None else str(exc))
        if not self.closed.done():
            self.closed.set_result(None)

    def pump(self) -> None:
        """Write what may be written; one slice per turn of the loop, so that SIP comes in between."""
        if self._transport is None or not self._writable or self._transport.is_closing():
            return
        data = self.session.output(self._loop.time())
        if not data:
            return
        self._transport.write(data)
        if not self._pump_due:
            self._pump_due = True
            self._loop.call_soon(self._pump_again)

    def close(self, reason: str) -> None:
        """End the session; a last word for the peer leaves if it can."""
        if self._transport is None or self._reason_given:
            return
        self._reason = reason
        self._transport.write(self.session.last_words())
        self._transport.close()
        if not self._writable:
            self._transport.abort()

    @property
    def _reason_given(self) -> bool:
        return self._transport is not None and self._transport.is_closing()

    def _pump_again(self) -> None:
        self._pump_due = False
        self.pump()

    def _arm(self) -> None:
        deadline = self.session.deadline
        if self._timer is not None:
            if self._timer.when() <= deadline:
                return  # it asks again when it fires
            self._timer.cancel()
        if not self._reason_given:
            self._timer = self._loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._reason_given:
            return
        try:
            self.session.on_timer(self._loop.time())
        except ReplicationError as error:
            self.close(str(error))
            if self._transport is not None:
                self._transport.abort()  # a dead peer takes no last word
            return
        self.pump()
        self._arm()
