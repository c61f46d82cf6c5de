"""IO shell: all sockets of the SIP core: UDP, TCP, TLS, WebSocket; sends by hop."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sipcore.transport.admission import Admission, Batch
from sipcore.transport.connections import StreamLimits
from sipcore.transport.layer import Hop, Send
from sipcore.transport.listener import StreamListener
from sipcore.transport.resets import Resets
from sipcore.transport.streams import Streams
from sipcore.transport.tls import TlsClient, TlsServer, TlsServerSettings, reload_all
from sipcore.transport.udp import UdpListener


@dataclass(frozen=True, slots=True)
class Listening:
    """One listener to be made; its place among them is Hop.listener."""

    address: str
    port: int
    transport: str
    tls: TlsServerSettings | None = None
    alias: str = "verified"
    coalesce: float = 0.0  # of datagrams, seconds


@dataclass(slots=True)
class TransportEvents:
    """What the transports tell; never from within `send`."""

    on_batch: Callable[[Batch], None]
    on_unsent: Callable[[list[tuple[bytes, Hop]]], None]
    on_flows_closed: Callable[[list[Hop]], None]


class BindError(OSError):
    """A socket cannot be bound; `index` says which."""

    def __init__(self, index: int, error: OSError) -> None:
        super().__init__(error.errno, error.strerror)
        self.index = index


class Transports:
    """Owns every socket; all are bound when it is made, also on a BACKUP."""

    def __init__(
        self,
        listens: Sequence[Listening],
        *,
        limits: StreamLimits,
        admission: Admission,
        client: TlsClient,
        events: TransportEvents,
    ) -> None:
        self.admission = admission
        self._events = events
        self._client = client
        self._unsent: list[tuple[bytes, Hop]] = []
        self._closed: list[Hop] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self.udp: list[UdpListener] = []
        self._streams_of: list[StreamListener] = []
        for index, listen in enumerate(listens):
            try:
                self._bind(listen, index)
            except OSError as error:
                self._close_sockets()
                raise BindError(index, error) from error
        self.streams = Streams(
            listeners=self._streams_of,
            addresses=[listen.address for listen in listens],
            limits=limits,
            admission=admission,
            client=client,
            events=self,
        )
        self._resets = Resets(
            {listener.index: listener for listener in self._streams_of}, self.streams.accept
        )
        self._senders = [self._udp_for(index, listen.address) for index, listen in enumerate(listens)]

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read datagrams from now on; connections wait for the role."""
        self._loop = loop
        for listener in self.udp:
            listener.start(loop)

    def on_role(self, *, is_master: bool) -> None:
        """A MASTER has connections; a BACKUP has none and answers no keepalive."""
        for listener in self.udp:
            listener.is_master = is_master
        if is_master:
            self.streams.start()
        else:
            self._resets.stop()
            self.streams.stop()

    def reset(self, hops: Iterable[Hop]) -> None:
        """End what a master that is gone has left of these connections, so that the phones connect anew."""
        self._resets.start(hop for hop in hops if hop.transport != "udp" and not self.streams.is_back(hop))

    def close(self) -> None:
        """Close everything."""
        self._resets.stop()
        self.streams.stop()
        self._close_sockets()

    def send_all(self, sends: Sequence[Send]) -> None:
        """Send in this order; what cannot be sent comes back by `on_unsent`."""
        senders = self._senders
        for data, hop, _hold in sends:
            if hop.transport == "udp":
                sender = senders[hop.listener]
                if sender is None:
                    self.on_unsent(data, hop)
                else:
                    sender.send(data, hop)
            else:
                self.streams.send(data, hop)

    def reload(self) -> str:
        """Read certificates, keys and CAs again; TlsError names those that stay as they were, and why."""
        servers = [listener.tls for listener in self._streams_of if listener.tls is not None]
        reload_all([*servers, self._client])
        return f"read for {len(servers)} listeners and for connections of ours; what is up stays up"

    @property
    def resets_sent(self) -> int:
        """How many old connections were called."""
        return self._resets.sent

    @property
    def ports(self) -> list[tuple[str, int]]:
        """Protocol and port of each socket."""
        return [("udp", udp.port) for udp in self.udp] + [("tcp", tcp.port) for tcp in self._streams_of]

    # What sockets tell (streams.StreamEvents); it may come from within a send, so it waits for the loop

    def on_batch(self, batch: Batch) -> None:
        """Messages of one read."""
        self._events.on_batch(batch)

    def on_unsent(self, data: bytes, hop: Hop) -> None:
        """This could not be sent."""
        self._unsent.append((data, hop))
        self._tell_soon()

    def on_flow_closed(self, hop: Hop) -> None:
        """This connection has ended."""
        self._closed.append(hop)
        self._tell_soon()

    def _tell_soon(self) -> None:
        if self._loop is not None and len(self._unsent) + len(self._closed) == 1:
            self._loop.call_soon(self._tell)

    def _tell(self) -> None:
        unsent, self._unsent = self._unsent, []
        closed, self._closed = self._closed, []
        if closed:
            self._events.on_flows_closed(closed)
        if unsent:
            self._events.on_unsent(unsent)

    # Sockets

    def _bind(self, listen: Listening, index: int) -> None:
        if listen.transport == "udp":
            made = UdpListener(
                listen.address,
                listen.port,
                self._events.on_batch,
                listener=index,
                admission=self.admission,
                on_unsent=self.on_unsent,
                coalesce=listen.coalesce,
            )
            self.udp.append(made)
        else:
            tls = TlsServer(listen.tls) if listen.tls is not None else None
            self._streams_of.append(
                StreamListener(
                    listen.address, listen.port, listen.transport, index, tls=tls, alias=listen.alias
                )
            )

    def _udp_for(self, index: int, address: str) -> UdpListener | None:
        """The socket for datagrams of this listener: its own, or the nearest one if it is for connections."""
        same_family = [udp for udp in self.udp if (":" in udp.address) == (":" in address)]
        same_family.sort(key=lambda udp: (udp.listener != index, udp.address != address))
        return same_family[0] if same_family else None

    def _close_sockets(self) -> None:
        for listener in self.udp:
            listener.close()
        for stream in self._streams_of:
            stream.close()
