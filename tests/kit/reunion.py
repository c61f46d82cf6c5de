"""IO shell: phones over TCP, TLS and WebSocket lose their master: how soon they ring again."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import aiohttp

from haagent.lab.topology import VIP, Lan, address
from tests.kit.baresip import Baresip
from tests.kit.certificates import Authority
from tests.kit.core_pair import Pair
from tests.kit.sip_live import PATIENCE, wait_for
from tests.kit.sip_web import WebPhone

USERS = {"tcp": "carol", "tls": "dave", "ws": "erin"}
WS_PORT = 5080
LISTEN = f'[[listen]]\naddress = "{VIP}"\nport = {WS_PORT}\ntransport = "ws"\n'


@contextmanager
def connected_phones(folder: Path) -> Iterator[Pair]:
    """A pair with alice and bob on UDP, and baresip over TCP and over TLS; the TLS one has a certificate."""
    authority = Authority(folder)
    issued = authority.issue("phone", address("client"))
    both = folder / "phone-both.pem"
    both.write_text(Path(issued.key).read_text() + Path(issued.certificate).read_text())
    with ExitStack() as stack:
        lan = stack.enter_context(Lan())
        pair = stack.enter_context(Pair(lan, folder, LISTEN + authority.listeners(VIP)))
        for number, transport in enumerate(("tcp", "tls")):
            phone = Baresip(
                lan.hosts["client"],
                folder / transport,
                USERS[transport],
                proxy=f"sip:{VIP};transport={transport}",
                address=address("client"),
                port=7000 + 300 * number,
                authority=authority.ca,
                certificate=str(both),
            )
            stack.enter_context(phone)
        wait_for(lambda: pair.b.status()["contacts"] == 4, "all are registered", pair.b.log)
        yield pair


async def seconds_until_they_ring(pair: Pair) -> dict[str, float]:
    """The master dies; each is called at once. Seconds from the role of the new master on, by transport."""
    with pair.lan.hosts["client"].entered():
        async with aiohttp.ClientSession() as session:
            web = WebPhone(await _connect(session), USERS["ws"], secure=False, text=True)
            serving = asyncio.create_task(_serve(web, session))
            try:
                await _until(lambda: pair.b.status()["contacts"] == 5, pair)
                pair.ip("a", "link", "set", "eth0", "down")  # so that the dying kernel cannot say good-bye
                pair.power_cut()
                return await _call_all(pair)
            finally:
                serving.cancel()
                await asyncio.gather(serving, return_exceptions=True)


async def _call_all(pair: Pair) -> dict[str, float]:
    began = time.monotonic()
    phone = pair.phones.phone
    for transport, user in USERS.items():
        phone.call(transport, b"alice", user.encode(), began)
    found: dict[str, float] = {}

    def all_ring() -> bool:
        for event in phone.events:
            if event["event"] in ("progress", "answered") and event.get("leg") == "caller":
                found.setdefault(str(event["id"]), time.monotonic() - began)
            assert event["event"] != "failed", (event, pair.b.log())
        return len(found) == len(USERS)

    await _until(all_ring, pair)
    return found


async def _connect(session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
    return await session.ws_connect(f"ws://{VIP}:{WS_PORT}/", protocols=["sip"])


async def _serve(web: WebPhone, session: aiohttp.ClientSession) -> None:
    """As a browser's SIP library: connect again when the connection is gone, and register."""
    while True:
        with suppress(ConnectionResetError, aiohttp.ClientError):
            web.phone.register(USERS["ws"].encode(), 600, time.monotonic())
            while True:
                await web.step()
        with suppress(aiohttp.ClientError):
            web.move(await _connect(session))


async def _until(condition: Callable[[], bool], pair: Pair) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, pair.b.log()
        pair.phones.wire.wait(0)
        await asyncio.sleep(0.005)
