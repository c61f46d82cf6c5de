"""TCP and TLS among enemies: mutated messages in pieces, junk before, in and after the handshake."""

import random
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import suppress

import pytest

from bench.sip.usage import memory
from tests.kit.hostile import datagrams
from tests.kit.sip_streams import Streams

pytestmark = pytest.mark.timeout(180)

CONNECTIONS = 400  # of them one in four to the TLS listener
MOST_GROWTH = 24 * 1024 * 1024
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a RST


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Streams]:
    with Streams(tmp_path_factory.mktemp("hostile")) as running:
        yield running


def junk(dice: random.Random, handshake: bytes) -> bytes:
    """What is no TLS, or begins like it."""
    kind = dice.randrange(3)
    if kind == 0:
        return dice.randbytes(dice.randint(1, 3000))
    at = dice.randrange(len(handshake))
    if kind == 1:
        return handshake[:at]
    return handshake[:at] + dice.randbytes(4) + handshake[at + 4 :] + dice.randbytes(200)


def client_hello() -> bytes:
    """The first bytes of a handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="example.test")
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def throw(connection: socket.socket, dice: random.Random, data: bytes) -> None:
    """Send it in pieces, perhaps with another beginning behind it, and end the connection somehow."""
    with suppress(OSError):
        while data:
            size = dice.choice([1, 7, 100, 1400, 65535])
            connection.sendall(data[:size])
            data = data[size:] if size > 1 or len(data) < 50 else data[1:][:3000]
        if dice.random() < 0.3:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        elif dice.random() < 0.5:
            connection.settimeout(0.2)
            connection.recv(65535)
    connection.close()


def attack(streams: Streams, dice: random.Random, count: int) -> None:
    hello, context = client_hello(), streams.client_context()
    for number, data in enumerate(datagrams(dice, count)):
        if number % 8 == 0:
            throw(streams.connect("tls"), dice, junk(dice, hello))
        elif number % 8 == 4:
            throw(streams.connect_tls(context), dice, data)
        else:
            message = data.replace(b"/UDP", b"/TCP") * dice.choice([1, 1, 3])
            throw(streams.connect("tcp"), dice, message)


def test_junk_over_tcp_and_tls_breaks_nothing_grows_nothing_and_a_call_works_after_it(
    streams: Streams,
) -> None:
    core, dice = streams.core, random.Random(3261)
    assert core.process is not None
    attack(streams, dice, CONNECTIONS // 4)  # caches fill up
    before = memory(core.process.pid)
    attack(streams, dice, CONNECTIONS)
    assert memory(core.process.pid) - before < MOST_GROWTH
    assert core.counters()["failures"] == 0, core.log()
    for transport in ("tcp", "tls"):
        with streams.phones(transport, "alice", "bob") as phones:
            phones.register("alice", "bob")
            phones.call(transport, "alice", "bob")
