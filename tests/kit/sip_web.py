"""IO shell: a phone in a browser: SIP over a WebSocket, and its calls with phones on sockets of their own."""

import asyncio
import secrets
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp

from sipcore.phone.agent import Event, Phone
from sipcore.transaction.timers import TimerValues
from sipcore.transport.layer import Hop
from tests.kit.sip_live import DOMAIN, PATIENCE, USERS, LivePhones

HOST = "xyz.invalid"  # a browser does not know its address: RFC 7118 section 5.2
ENDS = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
_SENT_BY = f"{HOST}:1".encode()


class WebPhone:
    """One user on one connection; `heard` and `said` are the messages in the form that they had on it."""

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, user: str, *, secure: bool, text: bool
    ) -> None:
        self.phone = Phone(
            local=Hop(HOST, 1, transport="wss" if secure else "ws"),
            proxy=Hop("127.0.0.1", 1),
            domain=DOMAIN.encode(),
            passwords={user.encode(): USERS[user].encode()},
            seed=secrets.token_hex(6).encode(),
            timers=TimerValues(),
            now=time.monotonic(),
        )
        self.heard: list[bytes] = []
        self.said: list[bytes] = []
        self.kinds: set[aiohttp.WSMsgType] = set()
        self._socket = socket
        self._text = text

    def request(self, method: bytes) -> bytes:
        """The request of this method that came; fails when it is not exactly one."""
        (found,) = [data for data in self.heard if data.startswith(method + b" ")]
        return found

    def move(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Go on over another connection."""
        self._socket = socket

    async def step(self) -> None:
        """Hear, do what is due, say; ConnectionResetError when the connection is gone."""
        with suppress(TimeoutError):
            message = await self._socket.receive(timeout=0.01)
            if message.type in ENDS:
                raise ConnectionResetError(str(message))
            assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message
            self.kinds.add(message.type)
            data = message.data.encode() if isinstance(message.data, str) else message.data
            self.heard.append(data)
            self.phone.feed(data, self.phone.proxy, time.monotonic())
        if (deadline := self.phone.deadline) is not None and deadline <= time.monotonic():
            self.phone.on_timer(time.monotonic())
        for sent, _hop, _hold in self.phone.outbox:
            # no port, and a Contact that says ws also over TLS, as browsers have it
            data = sent.replace(_SENT_BY, HOST.encode()).replace(b";transport=wss", b";transport=ws")
            self.said.append(data)
            await (self._socket.send_str(data.decode()) if self._text else self._socket.send_bytes(data))
        self.phone.outbox.clear()


class Meeting:
    """A phone in a browser and one on UDP; all are served while one is waited for."""

    def __init__(self, web: WebPhone, desk: LivePhones) -> None:
        self.web = web
        self.desk = desk

    async def register(self, phone: Phone, user: str, expires: int = 600) -> None:
        """Register and see that it worked."""
        phone.register(user.encode(), expires, time.monotonic())
        event = await self.until(phone, "registered", "register_failed")
        assert event["event"] == "registered", event

    async def until(self, phone: Phone, *names: str) -> Event:
        """The next of these events of this phone."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for event in phone.events:
                if event["event"] in names:
                    phone.events.remove(event)
                    return event
            self.desk.wire.wait(0)
            await self.web.step()
        raise AssertionError(f"none of {names} came, but {phone.events}; heard: {self.web.heard}")


@asynccontextmanager
async def web_phone(
    url: str, user: str, *, context: ssl.SSLContext | None = None, text: bool = True
) -> AsyncIterator[WebPhone]:
    """Connect, with TLS if there is a context for it."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            url, protocols=["sip"], ssl=context or False, server_hostname=DOMAIN if context else None
        ) as socket,
        asyncio.timeout(6 * PATIENCE),
    ):
        assert socket.protocol == "sip"
        yield WebPhone(socket, user, secure=context is not None, text=text)
