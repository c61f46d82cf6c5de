"""IO shell: all connections of this node: accepted, opened, found, timed, ended."""

import asyncio
import secrets
import socket
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Protocol

from sipcore.transport.admission import Admission, Batch
from sipcore.transport.alias import alias_port
from sipcore.transport.connections import ConnectionTable, Ending, Flow, Refusal, StreamLimits
from sipcore.transport.identity import is_identity_of
from sipcore.transport.layer import Hop, may_answer
from sipcore.transport.listener import StreamListener
from sipcore.transport.sockets import bound_socket, leave_nothing, refuse, tune
from sipcore.transport.stream import Connection, StreamConnection
from sipcore.transport.tls import TlsClient, TlsServer
from sipcore.transport.ws import WsConnection, WsServer

SWEEP_SECONDS = 1.0
_WEB = ("ws", "wss")


class StreamEvents(Protocol):
    """Who is told what the connections bring."""

    def on_batch(self, batch: Batch) -> None:
        """Messages of one read."""

    def on_unsent(self, data: bytes, hop: Hop) -> None:
        """This could not be sent."""

    def on_flow_closed(self, hop: Hop) -> None:
        """This connection has ended."""


class Streams:
    """The connections; only a MASTER has any. Flow numbers begin at random: no other process has the same."""

    def __init__(
        self,
        *,
        listeners: Sequence[StreamListener],
        addresses: Sequence[str],
        limits: StreamLimits,
        admission: Admission,
        client: TlsClient,
        events: StreamEvents,
    ) -> None:
        self.listeners = listeners
        self.table: ConnectionTable[Connection] = ConnectionTable(
            limits, admission.allow, first_flow=secrets.randbits(31) << 31
        )
        self._addresses = addresses
        self._limits = limits
        self._admission = admission
        self._client = client
        self._events = events
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._web: WsServer | None = None
        self._by_index = {listener.index: listener for listener in listeners}

    def start(self) -> None:
        """Accept and open connections from now on: this node is MASTER."""
        if self._loop is not None:
            return
        self._loop = loop = asyncio.get_running_loop()
        if any(listener.transport in _WEB for listener in self.listeners):
            self._web = WsServer()
        for listener in self.listeners:
            listener.start(loop, self.accept)
        self._sweeper = loop.call_later(SWEEP_SECONDS, self._sweep)

    def stop(self) -> None:
        """End all connections: this node is no MASTER any more. Nobody is told of their end."""
        if self._loop is None:
            return
        self._loop = None
        self._sweeper.cancel()
        for listener in self.listeners:
            listener.stop()
        for task in self._tasks:
            task.cancel()
        for connection in self.table:
            connection.close(Ending.OURS)

    def close(self) -> None:
        """Stop, and give the ports back."""
        self.stop()
        for listener in self.listeners:
            listener.close()

    def send(self, data: bytes, hop: Hop) -> None:
        """Over the flow, else over a connection that leads there, else over a new one."""
        connection = self.table.find(hop) or self._open(hop)
        if connection is None or not connection.send(data, hop):
            self._events.on_unsent(data, hop)

    def is_back(self, hop: Hop) -> bool:
        """Whether the phone there has connected to this node; one that we are opening to it says nothing."""
        connection = self.table.find(hop)
        return connection is not None and not connection.flow.is_outgoing

    # What connections tell (stream.StreamUser)

    def on_messages(self, connection: Connection, messages: list[bytes], now: float) -> None:
        """Hand them on together, so that one flush answers them all."""
        flow = connection.flow
        hop = flow.hop
        admission = self._admission
        if admission.is_active:
            messages = [data for data in messages if admission.admits_stream(hop.host, now)]
        if not flow.is_outgoing:
            self._look_for_alias(connection, messages)
        if messages:
            self._events.on_batch([(data, hop) for data in messages])

    def on_open(self, connection: Connection, certificate: Mapping[str, object] | None) -> bool:
        """Section 7.3 of RFC 5922: an opened connection leads to the domain that was asked for."""
        flow = connection.flow
        if not flow.is_outgoing or flow.hop.transport != "tls" or not self._client.verify:
            return True
        return certificate is not None and is_identity_of(flow.hop.name or flow.hop.host, certificate)

    def on_ended(self, connection: Connection, ending: Ending, unsent: list[tuple[bytes, Hop]]) -> None:
        """Forget it; what waited for it comes back."""
        hops = self.table.hops(connection)
        if not self.table.remove(connection, ending) or ending is Ending.OURS:
            return
        for data, hop in unsent:
            self._events.on_unsent(data, hop)
        for hop in hops:
            self._events.on_flow_closed(hop)

    # Accepting

    def accept(self, listener: StreamListener, made: socket.socket, host: str, port: int) -> None:
        """Serve a connection that a phone has made, unless it is one too many."""
        now = time.monotonic()
        admission, table = self._admission, self.table
        if admission.is_active and not admission.admits_stream(host, now):
            table.refused[Refusal.NOT_ADMITTED] += 1
            refuse(made)
            return
        refusal = table.refusal(host)
        if refusal is not None:
            table.refused[refusal] += 1
            refuse(made)
            return
        tune(made)
        flow = table.new_flow(Hop(host, port, listener.index, listener.transport), now, is_outgoing=False)
        connection: StreamConnection | WsConnection
        protocol: asyncio.Protocol
        if self._web is not None and listener.transport in _WEB:
            connection = WsConnection(flow, self, self._limits)
            protocol = self._web.protocol(connection)
        else:
            connection = protocol = self._stream(flow)
        table.add(connection)
        self._run(self._serve(connection, protocol, made, listener.tls))

    async def _serve(
        self, connection: Connection, protocol: asyncio.Protocol, made: socket.socket, tls: TlsServer | None
    ) -> None:
        loop = asyncio.get_running_loop()
        try:
            if tls is None:
                await loop.connect_accepted_socket(lambda: protocol, made)
            else:
                await loop.connect_accepted_socket(
                    lambda: protocol,
                    made,
                    ssl=tls.context,
                    ssl_handshake_timeout=self._limits.message_timeout,
                    ssl_shutdown_timeout=1.0,
                )
        except OSError:  # TimeoutError and SSLError are OSErrors
            connection.close(Ending.HANDSHAKE)
        except asyncio.CancelledError:
            leave_nothing(made)
            connection.close(Ending.OURS)

    # Opening

    def _open(self, hop: Hop) -> Connection | None:
        table = self.table
        if self._loop is None or hop.transport in _WEB or not may_answer(hop) or not table.may_open:
            return None
        hop = hop._replace(listener=self._listener_for(hop), flow=0)
        connection = self._stream(table.new_flow(hop, time.monotonic(), is_outgoing=True))
        table.add(connection)
        self._run(self._connect(connection, hop))
        return connection

    async def _connect(self, connection: StreamConnection, hop: Hop) -> None:
        """From the address that the listener has, so that the peer sees the VIP."""
        loop = asyncio.get_running_loop()
        ending = Ending.CONNECT
        try:
            async with asyncio.timeout(self._limits.connect_timeout):
                made = await self._connected(hop)
                ending = Ending.HANDSHAKE
                is_secure = hop.transport == "tls"
                await loop.create_connection(  # from here on the socket is the transport's to close
                    lambda: connection,
                    sock=made,
                    ssl=self._client.context if is_secure else None,
                    server_hostname=(hop.name or hop.host) if is_secure else None,
                    ssl_shutdown_timeout=1.0 if is_secure else None,
                )
        except (OSError, ValueError):  # ValueError: a name that IDNA does not know
            connection.close(ending)
        except asyncio.CancelledError:
            connection.close(Ending.OURS)

    async def _connected(self, hop: Hop) -> socket.socket:
        made = bound_socket(self._addresses[hop.listener], 0, socket.SOCK_STREAM)
        try:
            await asyncio.get_running_loop().sock_connect(made, (hop.host, hop.port))
        except BaseException:
            made.close()
            raise
        tune(made)
        return made

    def _listener_for(self, hop: Hop) -> int:
        """The listener whose address the connection has: the wanted one if it is of that kind."""
        is_six = ":" in hop.host
        wanted = self._by_index.get(hop.listener)
        fitting = [
            listener
            for listener in self.listeners
            if listener.transport == hop.transport and (":" in listener.address) == is_six
        ]
        if wanted in fitting or not fitting:
            return hop.listener
        return fitting[0].index

    # Steps

    def _stream(self, flow: Flow) -> StreamConnection:
        limits = self._limits
        return StreamConnection(flow, self, max_message=limits.max_message, write_buffer=limits.write_buffer)

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _look_for_alias(self, connection: Connection, messages: list[bytes]) -> None:
        """RFC 5923 section 5."""
        hop = connection.flow.hop
        alias = self._by_index[hop.listener].alias
        if alias == "never" or (alias == "verified" and not connection.flow.identities):
            return
        for data in messages:
            port = alias_port(data, hop.transport)
            if port is not None:
                self.table.alias(connection, port, trust_all=alias == "always")

    def _sweep(self) -> None:
        for connection, ending in self.table.overdue(time.monotonic()):
            connection.close(ending)
        if self._loop is not None:
            self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep)
