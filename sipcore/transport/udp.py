"""IO shell: UDP sockets, bound to the virtual IP also while it is elsewhere; drained in batches."""

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from contextlib import suppress

from sipcore.transport.layer import Hop, may_answer

BATCH = 64  # datagrams per wake-up, so that nothing else starves
BUFFER = 4 * 1024 * 1024
MAX_DATAGRAM = 65535
_IP_FREEBIND, _IPV6_FREEBIND = 15, 78  # linux/in.h, linux/in6.h

Batch = list[tuple[bytes, Hop]]


class UdpListener:
    """One bound socket: hands over up to 64 datagrams at a time."""

    def __init__(
        self, address: str, port: int, on_batch: Callable[[Batch], None], *, listener: int = 0
    ) -> None:
        self.listener = listener
        self.send_errors = 0
        self.receive_errors = 0
        self._on_batch = on_batch
        version = ipaddress.ip_address(address).version
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        self._socket = sock = socket.socket(
            family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        )
        try:
            if version == 4:
                sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                sock.setsockopt(socket.SOL_SOCKET, option, BUFFER)
            sock.bind((address, port))
        except OSError:
            sock.close()
            raise
        self.address: str = sock.getsockname()[0]
        self.port: int = sock.getsockname()[1]

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to read on this loop."""
        self._loop = loop
        loop.add_reader(self._socket.fileno(), self._drain)

    def send(self, data: bytes, hop: Hop) -> None:
        """Send one datagram. No address yet, full buffer, absent peer: a counter, never an exception."""
        if not may_answer(hop):  # a name would also have the kernel's resolver called here
            self.send_errors += 1
            return
        try:
            self._socket.sendto(data, (hop.host, hop.port))
        except OSError:
            self.send_errors += 1

    def close(self) -> None:
        """Stop reading and close the socket."""
        with suppress(AttributeError):
            self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def _drain(self) -> None:
        batch: Batch = []
        receive, listener = self._socket.recvfrom, self.listener
        for _ in range(BATCH):
            try:
                data, source = receive(MAX_DATAGRAM)
            except BlockingIOError:
                break
            except OSError:  # an ICMP error of an earlier send
                self.receive_errors += 1
                continue
            batch.append((data, Hop(source[0], source[1], listener)))
        if batch:
            self._on_batch(batch)
