"""Calls over connections: between phones of all transports, to a phone that is gone, to a TCP peer."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.kit.sip_live import LivePhones, wait_for
from tests.kit.sip_streams import Streams


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Streams]:
    with Streams(tmp_path_factory.mktemp("streams")) as running:
        yield running


def phones(streams: Streams, transport: str, user: str) -> LivePhones:
    if transport == "udp":
        return LivePhones((streams.core.address, streams.core.port), user)
    return streams.phones(transport, user)


@pytest.mark.parametrize("side", ["caller", "callee"])
@pytest.mark.parametrize(
    ("caller", "callee"),
    [("tcp", "tcp"), ("udp", "tcp"), ("tcp", "udp"), ("tls", "tcp"), ("tcp", "tls"), ("tcp6", "tcp")],
)
def test_a_call_between_transports(streams: Streams, caller: str, callee: str, side: str) -> None:
    name = f"{caller}-{callee}-{side}"
    with (
        phones(streams, caller, "alice") as alice,
        phones(streams, callee, "bob") as bob,
    ):
        alice.register("alice")
        bob.register("bob")
        alice.phone.call(name, b"alice", b"bob", time.monotonic())
        alice.wire.flush()
        bob.until("ringing", call=name)
        alice.until("progress", call=name)
        bob.phone.answer(name, time.monotonic())
        bob.wire.flush()
        alice.until("answered", call=name)
        alice.wire.flush()
        bob.until("established", call=name)
        first, second = (alice, bob) if side == "caller" else (bob, alice)
        first.phone.bye(name, side, time.monotonic())
        first.wire.flush()
        second.until("bye_received", call=name)
        second.wire.flush()
        assert first.until("bye_answered", call=name)["status"] == 200
        bob.register("bob", expires=0)
        alice.register("alice", expires=0)
    assert streams.core.client.get("/v1/dialogs") == []
    assert streams.core.counters()["failures"] == 0, streams.core.log()


def test_a_call_to_a_phone_whose_connection_is_gone_fails_at_once(streams: Streams) -> None:
    with phones(streams, "udp", "alice") as alice:
        with streams.phones("tcp", "carol") as carol:
            carol.register("carol")
        wait_for(lambda: not streams.core.status()["connections"].get("tcp"), "it is seen")
        alice.phone.call("gone", b"alice", b"carol", time.monotonic())
        assert alice.until("failed", call="gone")["status"] in (430, 480, 500)


def test_a_request_to_a_peer_opens_one_connection_and_uses_it_again(streams: Streams) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server, phones(streams, "udp", "alice") as alice:
        server.settimeout(10)
        port = server.getsockname()[1]
        before = streams.core.counters().get("connections_opened_tcp", 0)
        alice.register("alice")
        for name in ("one", "two"):
            alice.phone.call(name, b"alice", b"sip:x@127.0.0.1:%d;transport=tcp" % port, time.monotonic())
        alice.wire.flush()
        peer, source = server.accept()
        with closing(peer):
            peer.settimeout(10)
            assert source[0] == "127.0.0.1"
            data = b""
            while data.count(b"INVITE sip:x@") < 2:
                data += peer.recv(65535)
            assert b"Via: SIP/2.0/TCP 127.0.0.1:" in data
        alice.register("alice", expires=0)
        assert streams.core.counters()["connections_opened_tcp"] == before + 1


def test_a_peer_that_refuses_the_connection_fails_the_call_at_once(streams: Streams) -> None:
    with phones(streams, "udp", "alice") as alice:
        alice.register("alice")
        alice.phone.call("dead", b"alice", b"sip:x@127.0.0.1:1;transport=tcp", time.monotonic())
        assert alice.until("failed", call="dead")["status"] == 500  # section 16.7: a 503 ends here
        alice.register("alice", expires=0)
