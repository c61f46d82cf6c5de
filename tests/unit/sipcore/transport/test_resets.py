"""IO shell: a phone whose server has vanished without a word is told by the next one."""

import asyncio
import socket

import pytest

from sipcore.transport.layer import Hop
from sipcore.transport.listener import StreamListener
from sipcore.transport.resets import Resets

TCP_REPAIR = 19  # linux/tcp.h: a socket that is closed in this state says nothing to its peer


def vanish(connection: socket.socket) -> None:
    """End it as a power cut does."""
    try:
        connection.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    except PermissionError:
        pytest.skip("needs CAP_NET_ADMIN")
    connection.close()


def refused(_listener: StreamListener, made: socket.socket, host: str, port: int) -> None:
    raise AssertionError(f"a connection with {host}:{port}: {made}")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_phone_hears_of_the_end_of_its_old_connection_at_once(address: str) -> None:
    async def scenario() -> None:
        old = StreamListener(address, 0, "tcp", 0, tls=None, alias="never")
        port = old.port
        phones = [socket.create_connection((address, port)) for _ in range(3)]
        for _ in phones:
            made, _source = old.socket.accept()
            vanish(made)
        old.close()
        new = StreamListener(address, port, "tcp", 0, tls=None, alias="never")
        resets = Resets({0: new}, refused)
        hops = [Hop(address, phone.getsockname()[1], 0, "tcp", flow=1) for phone in phones]
        resets.start([*hops, hops[0]._replace(host="host.test"), hops[0]._replace(transport="tls")])
        for phone in phones:
            phone.settimeout(5)
            with pytest.raises(ConnectionResetError):
                await asyncio.to_thread(phone.recv, 1)
        with socket.create_connection((address, port)) as phone:
            assert phone.getpeername()[1] == port
        assert resets.sent == 3
        resets.stop()
        new.close()

    asyncio.run(scenario())


def test_a_phone_that_calls_back_from_the_same_port_is_served_over_that_connection() -> None:
    async def scenario() -> None:
        old = StreamListener("127.0.0.1", 0, "tcp", 0, tls=None, alias="never")
        phone = socket.create_connection(("127.0.0.1", old.port))
        source = phone.getsockname()
        vanish(old.socket.accept()[0])
        old.close()
        new = StreamListener("127.0.0.1", old.port, "tcp", 0, tls=None, alias="never")
        served: asyncio.Queue[tuple[socket.socket, str, int]] = asyncio.Queue()
        resets = Resets({0: new}, lambda _, *made: served.put_nowait(made), patience=10.0)
        resets.start([Hop(source[0], source[1], 0, "tcp", flow=1)])
        phone.settimeout(5)
        with pytest.raises(ConnectionResetError):
            await asyncio.to_thread(phone.recv, 1)
        phone.close()
        with socket.create_connection(("127.0.0.1", old.port), 5, source) as back:
            async with asyncio.timeout(5):
                made, *address = await served.get()
            back.sendall(b"x")
            assert (made.recv(1), tuple(address)) == (b"x", source)
            made.close()
        resets.stop()
        new.close()

    asyncio.run(scenario())
