"""IO shell: how links come to be: this node listens for some peers and dials the others, with tenacity.

Of a pair the node with the lower listen address dials and the other one listens, so there is never a second
link. Who comes from an address that is no peer's is shown out before a byte of it is read.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine
from ipaddress import ip_address

import tenacity

from sipcore.errors import ConfigError, ReplicationError
from sipcore.replication.connection import Connection
from sipcore.replication.tls import LinkTls

Endpoint = tuple[str, int]
RETRY_FIRST, RETRY_MOST = 0.02, 0.5  # seconds between two dials: a rebooted peer is back soon
STABLE = 1.0  # seconds after which a link that breaks is dialed again at once
BACKLOG = 16
MAX_KNOCKS = 8  # TLS handshakes of those who come, at a time


class Doors:
    """Listens and dials. `admits` says whether an address may knock, `make` gives a connection its owner."""

    def __init__(
        self,
        listen: Endpoint,
        peers: tuple[Endpoint, ...],
        tls: LinkTls | None,
        *,
        handshake: float,
        admits: Callable[[str], bool],
        make: Callable[[bool], Connection],
        refused: Callable[[str, str], None],
    ) -> None:
        if ip_address(listen[0]).is_unspecified:
            raise ConfigError(f"replication.listen: {listen[0]} is no address that a peer could name")
        self._listen, self._peers, self._tls = listen, peers, tls
        self._handshake = handshake
        self._admits, self._make, self._refused = admits, make, refused
        self._sock: socket.socket | None = None
        self._knocks = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Listen, and dial the peers with a higher address; OSError: the address cannot be had."""
        for dialer in (True, False):
            self._context(dialer=dialer)  # a file that cannot be used is told now
        host, port = self._listen
        family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
        self._sock = socket.create_server((host, port), family=family, backlog=BACKLOG)
        self._sock.setblocking(False)
        self._spawn(self._accept(self._sock))
        for peer in self._peers:
            if self._dials(peer):
                self._spawn(self._keep_dialed(peer))

    async def stop(self) -> None:
        """No new links."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._sock is not None:
            self._sock.close()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _context(self, *, dialer: bool) -> ssl.SSLContext | None:
        return self._tls.context(dialer=dialer) if self._tls is not None else None

    # Those who come

    async def _accept(self, server: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, (host, *_) = await loop.sock_accept(server)
            except OSError:  # no descriptor left, or the peer has gone already
                await asyncio.sleep(RETRY_FIRST)
                continue
            if self._knocks < MAX_KNOCKS and self._admits(host):
                self._spawn(self._let_in(sock, host))
            else:
                sock.close()

    async def _let_in(self, sock: socket.socket, host: str) -> None:
        self._knocks += 1
        try:
            context = self._context(dialer=False)
            limit = self._handshake if context else None
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: self._make(False), sock, ssl=context, ssl_handshake_timeout=limit
            )
        except (OSError, ConfigError) as error:
            sock.close()
            self._refused(host, f"TLS: {error}")
        finally:
            self._knocks -= 1

    # Those who are dialed

    def _dials(self, peer: Endpoint) -> bool:
        mine, theirs = ip_address(self._listen[0]), ip_address(peer[0])
        return (mine.version, int(mine), self._listen[1]) < (theirs.version, int(theirs), peer[1])

    async def _keep_dialed(self, peer: Endpoint) -> None:
        while True:
            async for attempt in tenacity.AsyncRetrying(
                wait=tenacity.wait_random_exponential(multiplier=RETRY_FIRST, max=RETRY_MOST),
                retry=tenacity.retry_if_exception_type((OSError, ReplicationError, ConfigError)),
            ):
                with attempt:
                    await self._one_link(peer)

    async def _one_link(self, peer: Endpoint) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        context = self._context(dialer=True)
        try:
            # not wait_for: up to Python 3.11 a failed dial can swallow the cancellation of `stop`
            async with asyncio.timeout(RETRY_MOST + self._handshake):
                _, connection = await loop.create_connection(
                    lambda: self._make(True),
                    *peer,
                    local_addr=(self._listen[0], 0),
                    ssl=context,
                    server_hostname=peer[0] if context else None,
                )
        except ssl.SSLError as error:
            self._refused(peer[0], f"TLS: {error}")
            raise
        await connection.closed
        if loop.time() - began < STABLE:
            raise ReplicationError("the link broke at once")
