"""Sans-IO: the connections of one node: which one leads where, how many there may be, and how long they last.

A connection is found by its flow number, else by (transport, address, port, identity). The identity is empty
without TLS; with TLS it is the name that the certificate had to carry. So a connection that was checked for
one domain never carries what is meant for another on the same address.

RFC 5923: a peer that connects to us and says `alias` in its Via is reached over that connection when
something is to go to its address at the port of its Via. That port is the peer's word alone, so by default it
counts only for the names of a verified client certificate: a stranger on the same address (or behind the same
NAT) takes over nobody's calls.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from sipcore.transport.layer import Hop
from sipcore.transport.source import AllowList, source_of

Key = tuple[str, str, int, str]


class Refusal(StrEnum):
    """Why a connection was not accepted."""

    NOT_ADMITTED = "banned_or_blocked"
    MAX_CONNECTIONS = "max_connections"
    PER_SOURCE = "max_connections_per_source"


class Ending(StrEnum):
    """Why a connection ended."""

    PEER = "peer"  # closed or reset
    CONNECT = "connect_failed"
    HANDSHAKE = "handshake_failed"  # of TLS or WebSocket
    IDENTITY = "wrong_identity"  # the certificate is somebody else's
    FRAMING = "bad_stream"
    SLOW_SENDER = "slow_sender"
    SLOW_READER = "slow_reader"
    IDLE = "idle"
    OURS = "shutdown"  # role or process


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What one connection and all of them may cost; seconds and bytes."""

    max_connections: int = 4096
    max_connections_per_source: int = 256
    connect_timeout: float = 5.0
    message_timeout: float = 20.0
    idle_timeout: float = 3900.0
    max_message: int = 65535
    write_buffer: int = 524_288


@dataclass(slots=True, eq=False)
class Flow:
    """What is known of one connection: its ends, when it was heard, who the peer has proved to be."""

    hop: Hop
    opened_at: float
    heard_at: float
    is_outgoing: bool
    waits_since: float | None  # for the end of a message, or for the first one
    identities: tuple[str, ...] = ()

    def heard(self, now: float, *, pending: bool) -> None:
        """Bytes came; `pending`: a message has begun and not ended."""
        self.heard_at = now
        if not pending:
            self.waits_since = None
        elif self.waits_since is None:
            self.waits_since = now

    def whole_message(self) -> None:
        """A message has ended: the next one has its own time."""
        self.waits_since = None

    def overdue(self, limits: StreamLimits, now: float) -> Ending | None:
        """A byte per second holds no slot for ever, and silence not much longer than a registration."""
        if self.waits_since is not None and now - self.waits_since > limits.message_timeout:
            return Ending.SLOW_SENDER
        return Ending.IDLE if now - self.heard_at > limits.idle_timeout else None


class HasFlow(Protocol):
    """A connection, as the table sees it."""

    flow: Flow


C = TypeVar("C", bound=HasFlow)


class ConnectionTable(Generic[C]):
    """Accepted connections and opened ones are limited apart, so that a flood of the first stops no call."""

    def __init__(self, limits: StreamLimits, allow: AllowList, *, first_flow: int) -> None:
        self.limits = limits
        self._allow = allow
        self._next_flow = first_flow
        self._connections: dict[int, C] = {}
        self._by_peer: dict[Key, C] = {}
        self._keys: dict[int, list[Key]] = {}  # by flow
        self._per_source: Counter[str] = Counter()
        self._outgoing = 0
        self.accepted: Counter[str] = Counter()  # by transport
        self.opened: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()  # by Refusal
        self.ended: Counter[str] = Counter()  # by Ending

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[C]:
        return iter(list(self._connections.values()))

    def refusal(self, host: str) -> Refusal | None:
        """Whether one more connection from there is one too many."""
        if len(self._connections) - self._outgoing >= self.limits.max_connections:
            return Refusal.MAX_CONNECTIONS
        if self._per_source[source_of(host)] < self.limits.max_connections_per_source or host in self._allow:
            return None
        return Refusal.PER_SOURCE

    def new_flow(self, hop: Hop, now: float, *, is_outgoing: bool) -> Flow:
        """The flow of a connection to be made; `add` follows."""
        self._next_flow += 1
        waits_since = None if is_outgoing else now
        return Flow(hop._replace(flow=self._next_flow), now, now, is_outgoing, waits_since)

    @property
    def may_open(self) -> bool:
        """Whether one more connection may be opened by us."""
        return self._outgoing < self.limits.max_connections

    def add(self, connection: C) -> None:
        """From now on it is counted and can be found."""
        flow = connection.flow
        hop = flow.hop
        self._connections[hop.flow] = connection
        self._keys[hop.flow] = []
        if flow.is_outgoing:
            self._outgoing += 1
            self.opened[hop.transport] += 1
        else:
            self._per_source[source_of(hop.host)] += 1
            self.accepted[hop.transport] += 1
        self._lead_to(connection, key_of(hop))

    def alias(self, connection: C, port: int, *, trust_all: bool) -> bool:
        """Section 4 of RFC 5923: also reached at that port of its address; False when it may not be."""
        hop = connection.flow.hop
        identities = list(connection.flow.identities) if hop.transport == "tls" else []
        if trust_all:
            identities.append(key_of(hop)[3])
        for identity in identities:
            self._lead_to(connection, (hop.transport, hop.host, port, identity))
        return bool(identities)

    def remove(self, connection: C, ending: Ending) -> bool:
        """It has ended; False when that was known."""
        flow = connection.flow
        hop = flow.hop
        if self._connections.pop(hop.flow, None) is None:
            return False
        for key in self._keys.pop(hop.flow):
            if self._by_peer.get(key) is connection:
                del self._by_peer[key]
        if flow.is_outgoing:
            self._outgoing -= 1
        else:
            source = source_of(hop.host)
            self._per_source[source] -= 1
            if not self._per_source[source]:
                del self._per_source[source]
        self.ended[ending] += 1
        return True

    def find(self, hop: Hop) -> C | None:
        """The connection to send over: the flow itself, else one that leads there."""
        return (self._connections.get(hop.flow) if hop.flow else None) or self._by_peer.get(key_of(hop))

    def hops(self, connection: C) -> list[Hop]:
        """What leads to it: its flow, first of all, and the addresses that it is an alias for."""
        hop = connection.flow.hop
        ports = dict.fromkeys(key[2] for key in self._keys.get(hop.flow, ()))
        return [hop, *(hop._replace(port=port) for port in ports if port != hop.port)]

    def overdue(self, now: float) -> list[tuple[C, Ending]]:
        """Those that have used up their time."""
        limits = self.limits
        return [
            (connection, ending)
            for connection in self._connections.values()
            if (ending := connection.flow.overdue(limits, now)) is not None
        ]

    @property
    def by_transport(self) -> dict[str, int]:
        """How many there are now."""
        return dict(Counter(connection.flow.hop.transport for connection in self._connections.values()))

    def _lead_to(self, connection: C, key: Key) -> None:
        keys = self._keys[connection.flow.hop.flow]
        if key not in keys and len(keys) < 8:  # of one peer: its address, its aliases
            keys.append(key)
        if key in keys:
            self._by_peer[key] = connection


def key_of(hop: Hop) -> Key:
    """Where a hop leads; without a name a TLS peer is known by its address."""
    return hop.transport, hop.host, hop.port, (hop.name or hop.host) if hop.transport == "tls" else ""
