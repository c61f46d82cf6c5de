"""IO shell: UDP sockets, bound to the virtual IP also while it is elsewhere; drained in batches."""

import asyncio
import errno
import socket
import time
from collections.abc import Callable

from sipcore.transport.admission import Admission, Batch
from sipcore.transport.layer import Hop, may_answer
from sipcore.transport.pace import Pace
from sipcore.transport.sockets import bound_socket
from sipcore.transport.stun import binding_response

BATCH = 64  # datagrams per wake-up, so that nothing else starves
BUFFER = 4 * 1024 * 1024
MAX_DATAGRAM = 65535
_FIRST_OF_SIP = b"\x0e"  # below it: nothing, STUN (RFC 5389 section 6: two zero bits), line ends
_LATER = frozenset(  # a retransmission may get through, from here or from the next master
    {errno.EAGAIN, errno.ENOBUFS, errno.ECONNREFUSED, errno.EPERM, errno.ENETDOWN, errno.EADDRNOTAVAIL}
)
# Either there is no way to the receiver, or our cable has been pulled. Whoever is MASTER after DOUBT seconds
# still has the cable: only then has the transaction failed, and may the standby be told of its end.
_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH})
DOUBT = 0.5
MAX_DOUBTFUL = 1000


class UdpListener:
    """One bound socket: hands over up to 64 datagrams at a time.

    `coalesce`: seconds that a datagram may wait for others when many come; 0: each is read at once.
    """

    def __init__(
        self,
        address: str,
        port: int,
        on_batch: Callable[[Batch], None],
        *,
        listener: int = 0,
        admission: Admission | None = None,
        on_unsent: Callable[[bytes, Hop], None] | None = None,
        coalesce: float = 0.0,
    ) -> None:
        self.listener = listener
        self.is_master = False  # a BACKUP answers no keepalive
        self.send_errors = 0
        self.receive_errors = 0
        self.keepalives = 0
        self._doubtful = 0
        self._started = False
        self._on_batch = on_batch
        self._admission = admission
        self._on_unsent = on_unsent
        self._pace = Pace(coalesce) if coalesce else None
        self._rest: asyncio.Handle | None = None
        self._socket = sock = bound_socket(address, port, socket.SOCK_DGRAM)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, BUFFER)
        self.address: str = sock.getsockname()[0]
        self.port: int = sock.getsockname()[1]

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to read on this loop."""
        self._loop = loop
        self._started = True
        loop.add_reader(self._socket.fileno(), self._on_readable)

    def send(self, data: bytes, hop: Hop) -> None:
        """Send one datagram. No address yet, full buffer, absent peer: a counter, never an exception."""
        if not may_answer(hop):  # a name would also have the kernel's resolver called here
            self._unsent(data, hop)
            return
        try:
            self._socket.sendto(data, (hop.host, hop.port))
        except OSError as error:
            if error.errno in _LATER:
                self.send_errors += 1
            elif error.errno in _NO_WAY:
                self._doubt(data, hop)
            else:  # too long
                self._unsent(data, hop)

    def close(self) -> None:
        """Stop reading and close the socket."""
        if self._started:
            self._loop.remove_reader(self._socket.fileno())
        if self._rest is not None:
            self._rest.cancel()
        self._socket.close()

    def _on_readable(self) -> None:
        self._drain()
        pace = self._pace
        if pace is not None and pace.wants_rest(time.monotonic()):
            self._loop.remove_reader(self._socket.fileno())
            self._rest = self._loop.call_later(pace.wait, self._on_rested)

    def _on_rested(self) -> None:
        pace = self._pace
        assert pace is not None
        count = self._drain()
        if count == BATCH:  # there may be more
            self._rest = self._loop.call_soon(self._on_rested)
        elif pace.goes_on(count, time.monotonic()):
            self._rest = self._loop.call_later(pace.wait, self._on_rested)
        else:
            self._rest = None
            self._loop.add_reader(self._socket.fileno(), self._on_readable)

    def _drain(self) -> int:
        """Read what is there, hand it over; how many datagrams it was, at most BATCH."""
        batch: Batch = []
        count = 0
        receive, listener = self._socket.recvfrom, self.listener
        for _ in range(BATCH):
            try:
                data, source = receive(MAX_DATAGRAM)
            except BlockingIOError:
                break
            except OSError:  # an ICMP error of an earlier send
                self.receive_errors += 1
                continue
            count += 1
            if data < _FIRST_OF_SIP and not self._is_sip(data, source[0], source[1]):
                continue
            batch.append((data, Hop(source[0], source[1], listener)))
        admission = self._admission
        if admission is not None and admission.is_active:
            batch = admission.admit(batch, time.monotonic())
        if batch:
            self._on_batch(batch)
        return count

    def _is_sip(self, data: bytes, host: str, port: int) -> bool:
        """Whether it goes on to the parser: keepalives are answered here, or need no answer.

        Some phones send empty lines or zeros in place of STUN; only before a message do the former belong to
        it (RFC 3261 section 7.5).
        """
        answer = binding_response(data, host, port)
        if answer is None and data.strip(b"\r\n\0"):
            return True
        self.keepalives += 1
        hop = Hop(host, port, self.listener)
        admission = self._admission
        if not self.is_master or (admission and not admission.admit([(data, hop)], time.monotonic())):
            return False
        if answer is not None:
            self.send(answer, hop)
        return False

    def _doubt(self, data: bytes, hop: Hop) -> None:
        self.send_errors += 1
        if self._started and self._doubtful < MAX_DOUBTFUL:
            self._doubtful += 1
            self._loop.call_later(DOUBT, self._after_doubt, data, hop)

    def _after_doubt(self, data: bytes, hop: Hop) -> None:
        self._doubtful -= 1
        if self.is_master and self._on_unsent is not None:
            self._on_unsent(data, hop)

    def _unsent(self, data: bytes, hop: Hop) -> None:
        self.send_errors += 1
        if self._on_unsent is not None:
            self._on_unsent(data, hop)
