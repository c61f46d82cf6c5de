"""IO shell: a node that is MASTER no more keeps nothing of its connections."""

import asyncio
import socket
import struct

import pytest

from sipcore.transport.connections import Ending, Flow
from sipcore.transport.layer import Hop
from sipcore.transport.stream import StreamConnection
from sipcore.transport.streams import Streams


class Owner(Streams):
    """Is told of the end, and needs no more of it."""

    def __init__(self) -> None:
        self.endings: list[Ending] = []

    def on_ended(self, connection: object, ending: Ending, unsent: object) -> None:
        self.endings.append(ending)


def test_what_a_backup_ends_is_reset_since_a_fin_would_stay_in_its_kernel_until_it_can_leave() -> None:
    async def scenario() -> None:
        owner = Owner()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            phone = socket.create_connection(listening.getsockname())
            made, source = listening.accept()
        flow = Flow(Hop(source[0], source[1], 0, "tcp", 1), 0.0, 0.0, is_outgoing=False, waits_since=None)
        connection = StreamConnection(flow, owner, max_message=1000, write_buffer=1000)
        made.setblocking(False)
        await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, made)
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == struct.pack("ii", 1, 0)  # if we die
        connection.close(Ending.OURS)
        phone.settimeout(5)
        with phone, pytest.raises(ConnectionResetError):
            await asyncio.to_thread(phone.recv, 1)
        assert owner.endings == [Ending.OURS]

    asyncio.run(scenario())
