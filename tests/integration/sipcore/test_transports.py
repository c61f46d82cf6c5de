"""A real SIP core with TCP, TLS, WebSocket and IPv6 listeners, and phones over them."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import aiohttp
import pytest

from tests.kit.sip_live import wait_for
from tests.kit.sip_streams import Streams, answers, options

MORE = '[tcp]\nmessage_timeout = "1s"\nmax_connections_per_source = 40\nwrite_buffer = 65536\n'


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Streams]:
    with Streams(tmp_path_factory.mktemp("streams"), MORE) as running:
        yield running


@pytest.mark.parametrize("transport", ["tcp", "tls", "tcp6"])
def test_a_phone_registers_over_a_connection_and_leaves(streams: Streams, transport: str) -> None:
    with streams.phones(transport, "carol") as phones:
        phones.register("carol")
        (row,) = streams.core.client.get("/v1/location?aor=carol@example.test")
        assert row["contact"].endswith(f";transport={transport[:3]}")
        assert streams.core.status()["connections"][transport[:3]] >= 1
        phones.register("carol", expires=0)
        assert streams.core.client.get("/v1/location?aor=carol@example.test") == []


def test_messages_of_one_write_are_answered_in_order_on_the_same_connection(streams: Streams) -> None:
    with closing(streams.connect("tcp")) as connection:
        connection.sendall(b"".join(options(number) for number in range(1, 31)))
        found = answers(connection, 30)
        numbers = [int(line.split()[1]) for line in found.split(b"\r\n") if line.startswith(b"CSeq:")]
        assert numbers == list(range(1, 31))
        assert found.count(b"SIP/2.0 200 ") == 30


def test_a_response_needs_no_port_of_the_phone_that_can_be_reached(streams: Streams) -> None:
    with closing(streams.connect("tcp")) as connection:
        connection.sendall(options(via="192.0.2.77:1"))
        found = answers(connection, 1)
        assert b";received=127.0.0.1" in found
        assert b";rport=%d" % connection.getsockname()[1] in found


def test_a_message_of_64_kilobytes_passes_and_one_above_is_refused_and_the_connection_closed(
    streams: Streams,
) -> None:
    body = b"x" * (65535 - len(options(1)) - 4)
    with closing(streams.connect("tcp")) as connection:
        connection.sendall(options(1, body=body))
        assert b"SIP/2.0 200 " in answers(connection, 1)
        connection.sendall(options(2, body=body + b"x" * 10))
        refused = answers(connection, 1)
        assert refused.startswith((b"SIP/2.0 4", b"SIP/2.0 5"))
        assert closed(connection)


def test_a_keepalive_of_two_line_ends_is_answered_with_one(streams: Streams) -> None:
    with closing(streams.connect("tcp")) as connection:
        connection.sendall(b"\r\n\r\n")
        assert connection.recv(10) == b"\r\n"
        connection.sendall(b"\r\n\r\n" + options(3))
        assert connection.recv(2) == b"\r\n"
        assert answers(connection, 1).startswith(b"SIP/2.0 200 ")


def test_what_is_no_sip_is_closed_at_once(streams: Streams) -> None:
    for data in (b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
        with closing(streams.connect("tcp")) as connection:
            connection.sendall(data)
            assert closed(connection)


def test_a_byte_per_second_holds_no_connection(streams: Streams) -> None:
    before = ended(streams, "slow_sender")
    with closing(streams.connect("tcp")) as slow, closing(streams.connect("tcp")) as silent:
        end = time.monotonic() + 10
        slow.setblocking(False)
        while time.monotonic() < end and ended(streams, "slow_sender") < before + 2:
            with suppress(OSError):
                slow.send(b"O")
            time.sleep(0.1)
        silent.settimeout(5)
        assert closed(silent)
    assert ended(streams, "slow_sender") == before + 2


def test_a_peer_that_does_not_read_is_cut_off(streams: Streams) -> None:
    before = ended(streams, "slow_reader")
    with closing(streams.connect("tcp")) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(5)
        request = options(4, body=b"").replace(b"stream-4", b"stream-" + b"4" * 3000)
        wait_for(
            lambda: flood(connection, request) and ended(streams, "slow_reader") > before, "it is cut off"
        )


def test_one_source_has_so_many_connections_and_the_others_are_served(streams: Streams) -> None:
    made = []
    for _ in range(60):
        with suppress(ConnectionResetError):  # some see it already while they connect
            made.append(streams.connect("tcp"))
    try:
        wait_for(
            lambda: streams.core.counters().get("connections_refused_max_connections_per_source", 0) >= 20,
            "20 are refused",
        )
        with closing(streams.connect("tcp6")) as other:
            other.sendall(options(5, via="[::1]:9"))
            assert answers(other, 1).startswith(b"SIP/2.0 200 ")
    finally:
        for connection in made:
            connection.close()
    wait_for(lambda: not streams.core.status()["connections"].get("tcp"), "all are gone")


@pytest.mark.parametrize(("transport", "scheme"), [("ws", "http"), ("wss", "https")])
def test_sip_over_websocket_in_text_and_binary(streams: Streams, transport: str, scheme: str) -> None:
    async def scenario() -> None:
        url = f"{scheme}://127.0.0.1:{streams.ports[transport]}/"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(
                url, protocols=["sip"], ssl=streams.client_context(), server_hostname="example.test"
            ) as ws,
        ):
            assert ws.protocol == "sip"
            via = transport.upper()
            await ws.send_str(options(6, via="x.invalid", transport=via).decode())
            text = await ws.receive(5)
            assert text.type is aiohttp.WSMsgType.TEXT
            assert text.data.startswith("SIP/2.0 200 ")
            await ws.send_bytes(options(7, via="x.invalid", transport=via))
            data = await ws.receive(5)
            assert data.type is aiohttp.WSMsgType.BINARY
            assert data.data.startswith(b"SIP/2.0 200 ")
            await ws.send_str("\r\n\r\n")
            assert (await ws.receive(5)).data == "\r\n"
            assert streams.core.status()["connections"][transport] == 1

    asyncio.run(scenario())


def test_a_websocket_without_the_subprotocol_and_bad_http_are_refused(streams: Streams) -> None:
    async def scenario() -> None:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await session.ws_connect(f"http://127.0.0.1:{streams.ports['ws']}/")
            assert caught.value.status == 400
            async with session.get(
                f"http://127.0.0.1:{streams.ports['ws']}/", headers={"Sec-WebSocket-Protocol": "sip"}
            ) as answer:
                assert answer.status == 400

    asyncio.run(scenario())
    with closing(streams.connect("ws")) as connection:
        connection.sendall(b"\x00\x01garbage\r\n\r\n")
        assert closed(connection)


def test_a_stun_request_on_the_sip_port_is_answered_with_the_address(streams: Streams) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(5)
        phone.sendto(b"\0\1\0\0\x21\x12\xa4\x42" + b"i" * 12, (streams.core.address, streams.core.port))
        answer = phone.recv(100)
        assert answer[:2] == b"\1\1"
        port = int.from_bytes(answer[26:28], "big") ^ 0x2112
        assert port == phone.getsockname()[1]


def test_no_message_of_this_file_broke_the_core(streams: Streams) -> None:
    assert streams.core.counters()["failures"] == 0, streams.core.log()
    assert "Traceback" not in streams.core.log()


def closed(connection: socket.socket) -> bool:
    """Whether the other side has ended it; waits for that."""
    try:
        while connection.recv(65535):
            pass
    except ConnectionError:
        pass
    return True


def ended(streams: Streams, why: str) -> int:
    return int(streams.core.counters().get(f"connections_ended_{why}", 0))


def flood(connection: socket.socket, request: bytes) -> bool:
    """Send for a moment without reading."""
    with suppress(OSError):
        connection.sendall(request * 50)
    return True
