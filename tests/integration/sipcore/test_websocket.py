"""Browsers on a real SIP core: registrations and calls over WebSocket, RFC 7118."""

import asyncio
import base64
import time
from collections.abc import Iterator
from contextlib import closing

import aiohttp
import pytest

from sipcore.message import parse
from tests.kit.sip_live import LivePhones, wait_for
from tests.kit.sip_streams import Streams
from tests.kit.sip_web import Meeting, web_phone

MORE = '[tcp]\nmessage_timeout = "2s"\n'


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Streams]:
    with Streams(tmp_path_factory.mktemp("web"), MORE) as running:
        yield running


@pytest.mark.parametrize("text", [True, False], ids=["text", "binary"])
@pytest.mark.parametrize("transport", ["ws", "wss"])
@pytest.mark.parametrize("caller", ["desk", "web"])
def test_a_browser_and_a_phone_on_udp_call_each_other(
    streams: Streams, transport: str, caller: str, text: bool
) -> None:
    async def scenario() -> None:
        context = streams.client_context() if transport == "wss" else None
        scheme = "https" if context else "http"
        url = f"{scheme}://127.0.0.1:{streams.ports[transport]}/"
        with LivePhones((streams.core.address, streams.core.port), "bob") as desk:
            async with web_phone(url, "alice", context=context, text=text) as web:
                await call(streams, Meeting(web, desk), caller=caller, transport=transport)
                kind = aiohttp.WSMsgType.TEXT if text else aiohttp.WSMsgType.BINARY
                assert web.kinds == {kind}

    asyncio.run(scenario())
    assert streams.core.client.get("/v1/dialogs") == []
    assert streams.core.counters()["failures"] == 0, streams.core.log()
    assert "Traceback" not in streams.core.log()


async def call(streams: Streams, meeting: Meeting, *, caller: str, transport: str) -> None:
    """One whole call; the other side hangs up, so that each end sends a request along its route set."""
    web, desk = meeting.web, meeting.desk
    await meeting.register(web.phone, "alice")
    await meeting.register(desk.phone, "bob")
    (row,) = streams.core.client.get("/v1/location?aor=alice@example.test")
    assert row["contact"] == "sip:alice@xyz.invalid;transport=ws"
    assert row["received"].startswith(f"{transport}:127.0.0.1:")
    first, second = (desk.phone, web.phone) if caller == "desk" else (web.phone, desk.phone)
    who, whom = (b"bob", b"alice") if caller == "desk" else (b"alice", b"bob")
    first.call("1", who, whom, time.monotonic())
    await meeting.until(second, "ringing")
    await meeting.until(first, "progress")
    second.answer("1", time.monotonic())
    await meeting.until(first, "answered")
    await meeting.until(second, "established")
    second.bye("1", "callee", time.monotonic())
    await meeting.until(first, "bye_received")
    assert (await meeting.until(second, "bye_answered"))["status"] == 200
    if caller == "desk":
        check_sides(record_routes(web.request(b"INVITE")), streams, transport)
        web.request(b"ACK")
    else:
        (answer,) = [d for d in web.heard if d.startswith(b"SIP/2.0 200 ") and b" INVITE\r\n" in d]
        check_sides(record_routes(answer)[::-1], streams, transport)
        web.request(b"BYE")
    assert streams.core.status()["connections"] == {transport: 1}
    await meeting.register(desk.phone, "bob", 0)
    await meeting.register(web.phone, "alice", 0)


def record_routes(data: bytes) -> list[str]:
    return [value.decode() for value in parse(data).values(b"record-route")]


def check_sides(routes: list[str], streams: Streams, transport: str) -> None:
    """The side of the browser, then that of the phone; RFC 5658."""
    web, desk = routes
    assert f"@127.0.0.1:{streams.ports[transport]};transport={transport};lr;r2=on" in web
    assert f"<sip:127.0.0.1:{streams.core.port};lr;r2=on" in desk


def handshake(streams: Streams) -> bytes:
    key = base64.b64encode(b"0123456789abcdef").decode()
    return (
        f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{streams.ports['ws']}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: sip\r\n\r\n"
    ).encode()


def ended(streams: Streams, why: str) -> int:
    return int(streams.core.counters().get(f"connections_ended_{why}", 0))


FRAME = b"\x89\x80\0\0\0\0" + b"\x81\xfe\x40\0" + b"mask" + b"x" * 1000  # a ping, then the begin of a message


@pytest.mark.parametrize("sent", [b"", FRAME], ids=["nothing", "a frame that trickles"])
def test_a_browser_that_completes_no_message_is_cut_off(streams: Streams, sent: bytes) -> None:
    before = ended(streams, "slow_sender")
    with closing(streams.connect("ws")) as slow:
        slow.sendall(handshake(streams))
        assert slow.recv(4096).startswith(b"HTTP/1.1 101 ")
        slow.settimeout(0.1)
        slow.sendall(sent[:6])
        frame = iter(sent[6:])

        def trickles() -> bool:
            try:
                slow.sendall(bytes([byte]) if (byte := next(frame, None)) is not None else b"")
                return not slow.recv(10)
            except TimeoutError:
                return False
            except OSError:
                return True

        wait_for(trickles, "it is cut off")
    wait_for(lambda: ended(streams, "slow_sender") == before + 1, "it is counted")


def test_a_browser_that_sends_ping_frames_is_answered_and_stays(streams: Streams) -> None:
    with closing(streams.connect("ws")) as alive:
        alive.sendall(handshake(streams))
        assert alive.recv(4096).startswith(b"HTTP/1.1 101 ")
        for _ in range(8):
            alive.sendall(b"\x89\x82\0\0\0\0hi")
            assert alive.recv(10) == b"\x8a\x02hi"
            time.sleep(0.5)


def test_a_frame_that_is_too_long_ends_the_connection_as_a_bad_stream(streams: Streams) -> None:
    before = ended(streams, "bad_stream")
    with closing(streams.connect("ws")) as connection:
        connection.sendall(handshake(streams))
        assert connection.recv(4096).startswith(b"HTTP/1.1 101 ")
        connection.sendall(b"\x82\xff" + (1 << 40).to_bytes(8, "big") + b"mask")
        wait_for(lambda: ended(streams, "bad_stream") == before + 1, "it is counted", streams.core.log)
