"""IO shell: SIP over WebSocket, RFC 7118: one message in each text or binary message.

Deviations: no connection is opened to a WebSocket server (RFC 7118 section 5: only clients do that).
"""

import asyncio
import logging
import time
from collections import deque
from typing import Any

from aiohttp import WSMessage, WSMsgType, web
from aiohttp.web_protocol import RequestHandler

from sipcore.transport.connections import Ending, Flow, StreamLimits
from sipcore.transport.framing import PONG
from sipcore.transport.layer import Hop
from sipcore.transport.sockets import leave_nothing, reset
from sipcore.transport.stream import StreamUser

SUBPROTOCOL = "sip"  # section 4.1
_PING = PONG + PONG
_quiet = logging.getLogger(__name__)
_quiet.setLevel(logging.CRITICAL + 1)  # bad HTTP is counted, one line per scanner would fill the log


class WsConnection:
    """One connection: first an HTTP request, after the handshake messages."""

    def __init__(self, flow: Flow, user: StreamUser, limits: StreamLimits) -> None:
        self.flow = flow
        self._user: StreamUser | None = user
        self._limits = limits
        self._transport: asyncio.Transport | None = None
        self._queue: deque[bytes] = deque()
        self._queued = 0  # bytes
        self._wake = asyncio.Event()
        self._is_text = True
        self._ending = Ending.HANDSHAKE

    def on_transport(self, transport: asyncio.BaseTransport) -> None:
        """TCP, and TLS, are up."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._user is None:  # closed during the handshake of TLS
            reset(transport)

    def send(self, data: bytes, hop: Hop) -> bool:
        """Let it wait for its turn; a peer that does not read is cut off."""
        if self._user is None:
            return False
        if self._queued + len(data) > self._limits.write_buffer:
            self.close(Ending.SLOW_READER)
            return False
        self._queue.append(data)
        self._queued += len(data)
        self._wake.set()
        return True

    def close(self, ending: Ending) -> None:
        """Reset it."""
        self._ending = ending
        if self._transport is not None:
            reset(self._transport)
        self.on_lost()

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """The handshake (section 4), then messages until the end."""
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        if SUBPROTOCOL not in (word.strip() for word in offered.split(",")):
            return web.Response(
                status=400, text="the subprotocol sip is needed\n", headers={"Connection": "close"}
            )
        socket = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,),
            max_msg_size=self._limits.max_message,
            compress=False,
            timeout=1.0,
            autoping=False,
        )
        await socket.prepare(request)
        user = self._user
        if user is None or not user.on_open(self, None):
            return socket
        self._ending = Ending.PEER
        made = request.get_extra_info("socket")
        leave_nothing(made)
        writer = asyncio.create_task(self._write(socket))
        try:
            await self._read(socket, user)
        finally:
            writer.cancel()
            leave_nothing(made, wanted=False)
        return socket

    def on_bytes(self) -> None:
        """Something came, perhaps only a piece of a frame: it has the time of a message to become whole."""
        self.flow.heard(time.monotonic(), pending=True)

    async def _read(self, socket: web.WebSocketResponse, user: StreamUser) -> None:
        async for message in socket:
            now = time.monotonic()
            self.flow.heard(now, pending=False)
            if message.type is WSMsgType.PING:
                await socket.pong(message.data)
            elif message.type is WSMsgType.ERROR:  # too long, no UTF-8, no frame
                self._ending = Ending.FRAMING
                return
            elif message.type is not WSMsgType.PONG:
                self._on_message(message, user, now)

    def _on_message(self, message: WSMessage, user: StreamUser, now: float) -> None:
        self._is_text = message.type is WSMsgType.TEXT
        data: Any = message.data
        data = data.encode() if self._is_text else bytes(data)
        if not data.strip(b"\r\n"):
            if data == _PING:  # RFC 5626 section 4.4.1, where a browser cannot send a ping frame
                self.send(PONG, self.flow.hop)
        elif self._user is not None:
            user.on_messages(self, [data], now)

    async def _write(self, socket: web.WebSocketResponse) -> None:
        queue = self._queue
        while True:
            await self._wake.wait()
            self._wake.clear()
            while queue:
                data = queue.popleft()
                try:
                    await self._write_one(socket, data)
                except (ConnectionError, RuntimeError):  # it is closing
                    return
                self._queued -= len(data)

    async def _write_one(self, socket: web.WebSocketResponse, data: bytes) -> None:
        """In the form that the peer uses; text must be UTF-8."""
        if self._is_text:
            try:
                text = data.decode()
            except UnicodeDecodeError:
                await socket.send_bytes(data)
            else:
                await socket.send_str(text)
        else:
            await socket.send_bytes(data)

    def on_lost(self) -> None:
        """Closed, by whomever."""
        user, self._user, self._transport = self._user, None, None  # no circle is left for the collector
        self._queue.clear()
        if user is not None:
            user.on_ended(self, self._ending, [])


class _Handler(RequestHandler):
    """aiohttp's side of one connection."""

    __slots__ = ("_connection",)

    def __init__(self, http: web.Server, connection: WsConnection) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(http, loop=loop, access_log=_quiet, logger=_quiet, max_headers=64, lingering_time=0)
        self._connection: WsConnection | None = connection

    @property
    def connection(self) -> WsConnection:
        """Whose HTTP this is; only while it is open."""
        assert self._connection is not None
        return self._connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        self.connection.on_transport(transport)

    def data_received(self, data: bytes) -> None:
        """A part of HTTP or of a frame."""
        if self._connection is not None:
            self._connection.on_bytes()
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        super().connection_lost(exc)
        if self._connection is not None:
            self._connection.on_lost()
            self._connection = None


class WsServer:
    """The HTTP server that all WebSocket connections of this node share."""

    def __init__(self) -> None:
        self._http = web.Server(_serve)

    def protocol(self, connection: WsConnection) -> asyncio.Protocol:
        """What the event loop talks with for this connection."""
        return _Handler(self._http, connection)


async def _serve(request: web.BaseRequest) -> web.StreamResponse:
    handler = request.protocol
    assert isinstance(handler, _Handler)
    return await handler.connection.serve(request)
