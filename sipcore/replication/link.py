"""IO shell: the TCP links to the peers: what is sent on them, held for them, heard from them.

A newer link of a peer replaces the older one, which it has lost; while that one lives, another process of the
same name is refused.
"""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from ipaddress import ip_address
from typing import Generic, TypeVar

import structlog

from sipcore.errors import ConfigError
from sipcore.replication.capability import Kind
from sipcore.replication.connection import Connection
from sipcore.replication.doors import Doors, Endpoint
from sipcore.replication.events import Acked, Event, NewerMaster, PeerRole, PeerSynced, PeerUp, Synced
from sipcore.replication.journal import Journal
from sipcore.replication.semi_sync import HoldQueue, SemiSync
from sipcore.replication.session import LocalNode, Timing
from sipcore.replication.status import session_status
from sipcore.replication.tls import LinkTls, names_host
from sipcore.replication.verify import verify
from sipcore.replication.wire import Intro

log = structlog.get_logger(__name__)
T = TypeVar("T")
NO_KEY = (
    b"the certificates prove it"  # with TLS alone: the frames are protected by TLS, not by a secret of ours
)
QUIET = 1.0  # seconds between two warnings of strangers
MAX_STRANGERS = 8  # connections whose peer has not proved itself yet


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Where this node listens and which peers it has; addresses must be the same ones that the peers name."""

    node: str
    key: bytes
    listen: Endpoint
    peers: tuple[Endpoint, ...]
    semi_sync: SemiSync = SemiSync.ON
    budget: float = 0.005
    timing: Timing = field(default_factory=Timing)
    tls: LinkTls | None = None
    compress: tuple[Endpoint, ...] = ()  # those of the peers that are far
    waits: frozenset[Kind] | None = (
        None  # what an answer promises, if it is to wait for it; None: whatever it is
    )


@dataclass(slots=True)
class LinkCallbacks(Generic[T]):
    """What the core and the server want to hear of."""

    on_release: Callable[[list[T]], None]  # answers that may leave now
    on_newer_master: Callable[[int], None]  # this node must step down
    on_sync: Callable[[bool], None] = lambda synced: None
    promise: Callable[[T], Kind] = lambda answer: Kind.DIALOG  # what an answer promises


@dataclass(slots=True)
class LinkCounters:
    """What went wrong, by kind."""

    refused: int = 0  # strangers: wrong key, version, address, garbage
    broken: int = 0  # sessions that ended with an error after the proof
    connected: int = 0
    replaced: int = 0
    duplicate: int = 0  # nodes whose name another one has that is connected
    crowded: int = 0  # connections closed because MAX_STRANGERS were waiting


class ReplicationLink(Generic[T]):
    """Streams the journal to all peers and applies theirs. `send_batch` after each receive batch."""

    def __init__(self, settings: LinkSettings, journal: Journal, callbacks: LinkCallbacks[T]) -> None:
        self.settings = settings
        self.journal = journal
        self.callbacks = callbacks
        self.counters = LinkCounters()
        self.hold_queue: HoldQueue[T] = HoldQueue(settings.semi_sync, settings.budget)
        self.local = LocalNode(settings.node, settings.key or NO_KEY, journal, settings.timing)
        self.local.vouch = self._vouch
        self.connections: set[Connection] = set()
        self.ever_connected = False
        self._synced: dict[str, bool] = {}  # by peer: we hold all that it had when we last spoke
        self._peers = {ip_address(host): (host, port) for host, port in settings.peers}
        self._far = {ip_address(host) for host, _ in settings.compress}
        if len(self._peers) != len(settings.peers):
            raise ConfigError("replication.peers: two peers on one address")
        self._doors = Doors(
            settings.listen,
            settings.peers,
            settings.tls,
            handshake=settings.timing.handshake,
            admits=self._admits,
            make=lambda dialer: Connection(self, dialer=dialer),
            refused=self._on_refused,
        )
        self._release_timer: asyncio.TimerHandle | None = None
        self._quiet_until, self._unsaid = 0.0, 0  # warnings of strangers

    async def start(self) -> None:
        """Listen, and dial the peers with a higher address."""
        self._doors.start()

    async def stop(self) -> None:
        """Let go what is held and close all links."""
        await self._doors.stop()
        for connection in list(self.connections):
            connection.close("stopped")
        self._release(self.hold_queue.on_peers(synced=False))

    # The fast path

    def send_batch(self, now: float) -> int:
        """Flush the journal to all peers; returns the sequence that covers all changes so far."""
        flushed = False
        while self.journal.flush(now) is not None:
            flushed = True
        if flushed:
            for connection in self.connections:
                connection.pump()
        return self.journal.sequence

    def hold(self, sends: list[T], now: float) -> list[T]:
        """Answers that promise what `send_batch` has just flushed; returns those that may leave at once."""
        waits = self.settings.waits
        free: list[T] = []
        if waits is not None:
            promise = self.callbacks.promise
            free = [send for send in sends if promise(send) not in waits]
            sends = [send for send in sends if promise(send) in waits]
        free += self.hold_queue.hold(sends, self.journal.sequence, now)
        self._arm_release()
        return free

    def on_role(self) -> None:
        """Tell the peers at once that this node's role changed."""
        for connection in self.connections:
            connection.session.announce()
            connection.pump()

    @property
    def synced(self) -> bool:
        """Whether this node holds all that its peers had; true as well as long as it has never met one."""
        return all(self._synced.values())

    @property
    def alone(self) -> bool:
        """Whether no peer has ever been there."""
        return not self.ever_connected

    def peers(self, now: float) -> dict[str, dict[str, object]]:
        """Each configured peer: how far it is behind, and what is under way."""
        by_host = {ip_address(c.host): c for c in self.connections if c.node}
        return {
            f"{host}:{port}": session_status(by_host[address].session, now)
            if address in by_host
            else {"connected": False}
            for address, (host, port) in self._peers.items()
        }

    def status(self, now: float) -> dict[str, object]:
        """For the control API: this node's log, each configured peer, counters."""
        queue, journal = self.hold_queue, self.journal
        return {
            "node": self.settings.node,
            "synced": self.synced,
            "alone": self.alone,
            "sequence": journal.sequence,
            "peers": self.peers(now),
            "counters": {
                **asdict(self.counters),
                **asdict(self.local.counters),
                "oversized": journal.oversized,
            },
            "semi_sync": {
                "mode": queue.mode.value,
                "budget_ms": queue.budget * 1000,
                "held": len(queue),
                "acknowledged": queue.acknowledged,
                "released": queue.released,
                "dropped": queue.dropped,
            },
        }

    async def verify(self) -> dict[str, object]:
        """Compare everything with each peer now."""
        return await verify(self.journal, self.connections)

    # What connections say

    def admit(self, connection: Connection, host: str, certificate: object) -> bool:
        """Whether this connection may go on to prove itself."""
        if self.settings.tls is not None and not names_host(certificate, host):
            self._on_refused(host, "its certificate is that of another address")
            return False
        self.connections.add(connection)
        connection.session.compress = ip_address(host) in self._far
        return True

    def _admits(self, host: str) -> bool:
        if ip_address(host) not in self._peers:
            self._on_refused(host, "not one of replication.peers")
            return False
        if sum(other.session.peer is None for other in self.connections) >= MAX_STRANGERS:
            self.counters.crowded += 1
            return False
        return True

    def _vouch(self, intro: Intro) -> str:
        """Why a node may not be who it says, "" when it may: the one that is here comes first."""
        heard_after = asyncio.get_running_loop().time() - 2 * self.local.timing.heartbeat
        for other in self.connections:
            session = other.session
            if other.node != intro.node or session.peer is None or session.heard < heard_after:
                continue
            if session.peer.incarnation != intro.incarnation:
                self.counters.duplicate += 1
                return f"a node called {intro.node} is connected already, from {other.host}"
        return ""

    def on_event(self, connection: Connection, event: Event) -> None:
        """Carry out what a session says."""
        if isinstance(event, Acked):
            if connection.session.sender.synced:
                self._release(self.hold_queue.on_ack(event.sequence))
        elif isinstance(event, PeerUp):
            self._on_peer_up(connection, event.node)
        elif isinstance(event, Synced):
            self._synced[connection.node] = event.synced
            log.info("replication sync", peer=connection.node, synced=event.synced)
            self.callbacks.on_sync(self.synced)
        elif isinstance(event, PeerSynced):
            log.info("replication peer sync", peer=connection.node, synced=event.synced)
            if event.synced:
                self._release(self.hold_queue.on_ack(connection.session.sender.acked))
            self._on_peers()
        elif isinstance(event, NewerMaster):
            log.warning("newer master", peer=connection.node, epoch=event.epoch)
            self.callbacks.on_newer_master(event.epoch)
        elif isinstance(event, PeerRole):
            log.info("peer role", peer=connection.node, role=event.role.name, epoch=event.epoch)

    def on_closed(self, connection: Connection, reason: str) -> None:
        """A link is gone."""
        self.connections.discard(connection)
        if connection.node:
            self.counters.broken += 1
            log.warning("replication link closed", peer=connection.node, reason=reason)
        else:
            self._on_refused(connection.host, reason)
        self._on_peers()

    def _on_refused(self, host: str, reason: str) -> None:
        self.counters.refused += 1
        now = asyncio.get_running_loop().time()
        if now < self._quiet_until:
            self._unsaid += 1
            return
        log.warning("replication refused", peer=host, reason=reason, more_not_logged=self._unsaid)
        self._quiet_until, self._unsaid = now + QUIET, 0

    def _on_peer_up(self, connection: Connection, node: str) -> None:
        for other in [c for c in self.connections if c is not connection and c.node == node]:
            self.counters.replaced += 1
            other.close("replaced by a newer link")
        connection.node = node
        self.ever_connected = True
        self._synced[node] = False
        self.counters.connected += 1
        log.info("replication connected", peer=node, address=connection.host)
        self.callbacks.on_sync(self.synced)

    def _on_peers(self) -> None:
        synced = any(connection.session.sender.synced for connection in self.connections)
        self._release(self.hold_queue.on_peers(synced=synced))

    def _release(self, sends: list[T]) -> None:
        if sends:
            self.callbacks.on_release(sends)
        self._arm_release()

    def _arm_release(self) -> None:
        deadline = self.hold_queue.deadline
        if deadline is None:
            if self._release_timer is not None:
                self._release_timer.cancel()
                self._release_timer = None
        elif self._release_timer is None:
            self._release_timer = asyncio.get_running_loop().call_at(deadline, self._on_release_timer)

    def _on_release_timer(self) -> None:
        self._release_timer = None
        self._release(self.hold_queue.on_timer(asyncio.get_running_loop().time()))
