"""IO shell: the UDP listener on the loopback."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

from sipcore.transport.admission import Batch
from sipcore.transport.layer import Hop
from sipcore.transport.udp import BATCH, UdpListener


class Arrivals:
    """Collects batches and lets a test wait for them."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self._came = asyncio.Event()

    def take(self, batch: Batch) -> None:
        """Called by the listener."""
        self.batches.append(batch)
        self._came.set()

    async def wait_for(self, count: int) -> None:
        """Until so many datagrams are here."""
        async with asyncio.timeout(5):
            while sum(map(len, self.batches)) < count:
                self._came.clear()
                await self._came.wait()


@contextmanager
def listener(arrivals: Arrivals, address: str = "127.0.0.1") -> Iterator[UdpListener]:
    with closing(UdpListener(address, 0, arrivals.take, listener=3)) as made:
        yield made


def test_waiting_datagrams_come_in_batches_with_their_source() -> None:
    async def scenario() -> None:
        arrivals = Arrivals()
        with listener(arrivals) as udp, closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as phone:
            phone.bind(("127.0.0.1", 0))
            for number in range(BATCH + 1):
                phone.sendto(b"%d" % number, (udp.address, udp.port))
            udp.start(asyncio.get_running_loop())
            await arrivals.wait_for(BATCH + 1)
            assert [len(batch) for batch in arrivals.batches] == [BATCH, 1]
            assert arrivals.batches[0][0] == (b"0", Hop("127.0.0.1", phone.getsockname()[1], 3))
            udp.send(b"answer", arrivals.batches[0][0][1])
            assert phone.recv(100) == b"answer"

    asyncio.run(scenario())


def test_an_absent_address_can_be_bound_in_advance_and_sending_from_it_is_only_counted() -> None:
    for address, target in (("192.0.2.77", "192.0.2.1"), ("2001:db8::77", "2001:db8::1")):
        with listener(Arrivals(), address) as udp:
            assert udp.address == address
            before = udp.send_errors
            udp.send(b"x", Hop("127.0.0.1" if "." in address else "::1", 9))
            udp.send(b"x", Hop(target, 0))
            assert udp.send_errors > before


def test_a_peer_that_is_gone_costs_a_counter_and_nothing_else() -> None:
    async def scenario() -> None:
        arrivals = Arrivals()
        with listener(arrivals) as udp, closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as phone:
            phone.bind(("127.0.0.1", 0))
            with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as gone:
                gone.bind(("127.0.0.1", 0))
                nobody = Hop("127.0.0.1", gone.getsockname()[1])
            udp.start(asyncio.get_running_loop())
            for _ in range(3):
                udp.send(b"x", nobody)
            phone.sendto(b"alive", (udp.address, udp.port))
            await arrivals.wait_for(1)
            assert arrivals.batches[0][0][0] == b"alive"

    asyncio.run(scenario())


def test_oversized_datagrams_names_and_broadcast_are_counted_and_not_sent() -> None:
    with listener(Arrivals()) as udp:
        for data, hop in (
            (b"x" * 70_000, Hop("127.0.0.1", 9)),
            (b"x", Hop("localhost", 9)),
            (b"x", Hop("255.255.255.255", 5060)),
            (b"x", Hop("127.0.0.1", 0)),
        ):
            udp.send(data, hop)
        assert udp.send_errors == 4


def test_a_busy_socket_loses_nothing_and_is_read_at_once_again_when_it_is_quiet() -> None:
    async def scenario() -> None:
        arrivals = Arrivals()
        udp = UdpListener("127.0.0.1", 0, arrivals.take, coalesce=0.001)
        with closing(udp), closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as phone:
            udp.start(asyncio.get_running_loop())
            for number in range(300):  # one wake-up for each, until the listener has enough of that
                phone.sendto(b"OPTIONS %d" % number, (udp.address, udp.port))
                await asyncio.sleep(0)
            await arrivals.wait_for(300)
            got = [data for batch in arrivals.batches for data, _ in batch]
            assert got == [b"OPTIONS %d" % number for number in range(300)]
            await asyncio.sleep(0.1)
            phone.sendto(b"OPTIONS again", (udp.address, udp.port))
            await arrivals.wait_for(301)

    asyncio.run(scenario())
