"""A phone whose proxy dies: it connects anew from its port and repeats what was not answered."""

import socket
import time

from sipcore.phone.wire import Wire

PATIENCE = 10.0


def accept(listener: socket.socket, wire: Wire) -> tuple[socket.socket, tuple[str, int]]:
    """The next connection of the phone."""
    listener.settimeout(0)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        wire.wait(0.01)
        try:
            connection, peer = listener.accept()
        except BlockingIOError:
            continue
        return connection, peer
    raise AssertionError("the phone has not connected")


def read(connection: socket.socket, wire: Wire) -> bytes:
    """The first message that the phone says there."""
    connection.settimeout(0)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        wire.wait(0.01)
        try:
            return connection.recv(65535).partition(b"\r\n\r\n")[0]
        except BlockingIOError:
            continue
    raise AssertionError("the phone says nothing")


def test_a_persistent_phone_repeats_over_a_new_connection_what_the_old_one_has_lost() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = "{}:{}".format(*listener.getsockname())
        wire = Wire(
            local="127.0.0.1", proxy=proxy, domain="example.test", passwords={b"alice": b"x"}, t1=0.05,
            transport="tcp", persistent=True, private="192.168.77.1",
        )  # fmt: skip
        first, peer = accept(listener, wire)
        wire.phone.register(b"alice", 3600, time.monotonic())
        said = read(first, wire)
        assert said.startswith(b"REGISTER ")
        assert b"\r\nContact: <sip:alice@192.168.77.1:" in said
        first.close()
        second, again = accept(listener, wire)
        assert again == peer  # its Contact names this port
        assert read(second, wire) == said
        assert wire.connects == 2
        second.close()
        wire.link.close()
