"""Sans-IO: one connection of replication: handshake, intro, sender, receiver, heartbeat; bytes in and out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

from sipcore.errors import ReplicationError
from sipcore.replication.comparison import COMPARISON, Comparison
from sipcore.replication.events import Acked, Event, NewerMaster, PeerRole, PeerSynced, PeerUp, Synced
from sipcore.replication.frame import MAX_BODY, FrameReader, FrameType, FrameWriter
from sipcore.replication.handshake import OLDEST, VERSION, Handshake, SessionKeys
from sipcore.replication.journal import Journal
from sipcore.replication.packing import Packer, Unpacker, ratio
from sipcore.replication.receiver import Counters, Position, Receiver
from sipcore.replication.sender import Sender
from sipcore.replication.wire import (
    Ack,
    Ask,
    Heartbeat,
    Intro,
    Refuse,
    Resume,
    Start,
    decode,
    decode_batch,
    encode,
)
from sipcore.role import Role

MAX_NAME = 64  # characters of a node's name
COMPARES = 2  # the first version that does
COMPRESSES = 3


@dataclass(slots=True)
class Timing:
    """Seconds."""

    heartbeat: float = 0.1
    dead_after: float = 0.3  # three heartbeats
    handshake: float = 1.0


@dataclass(slots=True)
class LocalNode:
    """What all sessions of one node share; positions and counters by the peer's name."""

    node: str
    key: bytes
    journal: Journal
    timing: Timing = field(default_factory=Timing)
    positions: dict[str, Position] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)
    versions: tuple[int, int] = (OLDEST, VERSION)  # of the protocol: the oldest, the newest
    vouch: Callable[[Intro], str] = lambda intro: ""  # why a peer is not who it says; "": it is


class ReplicationSession:
    """`feed` takes bytes and returns events, `output` gives what may be written, `deadline` is for
    `on_timer`.

    Both raise ReplicationError when the session is over; `output` may then hold one last word for the peer.
    """

    def __init__(self, local: LocalNode, nonce: bytes, now: float, *, dialer: bool) -> None:
        self.local = local
        self.peer: Intro | None = None
        self.peer_role = Role.BACKUP
        self.peer_epoch = 0
        self.peer_sequence = 0
        self.sender = Sender(local.journal)
        self.receiver: Receiver | None = None
        self.version = 0  # of the protocol, agreed on with the peer
        self.comparison = Comparison(local.journal, now)
        self.compress = False  # this node wants it; to be said before the first byte is fed
        self.heard = now
        self._until = now + local.timing.handshake
        self._handshake = Handshake(local.key, nonce, dialer=dialer, versions=local.versions)
        self._reader: FrameReader | None = None
        self._writer: FrameWriter | None = None
        self._control: list[bytes] = []
        self._events: list[Event] = []
        self._ack_due = self._beat_due = False
        self._next_beat = now
        self._synced = self._peer_synced = False

    @property
    def deadline(self) -> float:
        """When to call `on_timer`."""
        if self.peer is None:
            return self._until
        return min(self._next_beat, self.heard + self.local.timing.dead_after)

    def feed(self, data: bytes, now: float) -> list[Event]:
        """Bytes of the peer; returns what they mean."""
        self.heard = now
        if self._reader is None:
            keys = self._handshake.feed(data)
            if keys is None:
                return []
            self._begin(keys)
            data = keys.rest
        assert self._reader is not None
        for kind, body in self._reader.feed(data):
            if self.peer is None and kind not in (FrameType.INTRO, FrameType.REFUSE):
                raise ReplicationError(f"frame of type {kind} before the intro")
            if kind in self._ON:
                self._ON[kind](self, body, now)
            elif kind in COMPARISON:
                self._on_comparison(FrameType(kind), body, now)
            else:
                self.local.counters.unknown_frames += 1  # of a newer version
        self._compare_sync()
        events, self._events = self._events, []
        return events

    def on_timer(self, now: float) -> None:
        """Heartbeats and their absence."""
        if self.peer is None:
            if now >= self._until:
                raise ReplicationError(f"no handshake within {self.local.timing.handshake:g} s")
            return
        if now >= self.heard + self.local.timing.dead_after:
            raise ReplicationError(f"peer silent for {now - self.heard:.3f} s")
        if now >= self._next_beat:
            self._beat_due = True
            self._next_beat = now + self.local.timing.heartbeat

    def compare(self) -> bool:
        """Compare now what both hold; False when the peer is too old for that or the link is not in sync."""
        if self.version < COMPARES or not (self._synced and self._peer_synced):
            return False
        if self.leads:
            self.comparison.authority.digest_wanted = True
        else:
            self._send(FrameType.ASK, encode(Ask(0)))
        return True

    def announce(self) -> None:
        """Tell the peer this node's role with the next output, not with the next heartbeat."""
        self._beat_due = True

    def output(self, now: float, room: int = 64 * 1024) -> bytes:
        """What may be written now: control first, then about `room` bytes of the log."""
        parts = [self.last_words()]
        if self._writer is not None and self.peer is not None:
            self._add_beat_and_ack(self._writer)
            parts += self._control
            self._control.clear()
            size = 0
            while size < room and (owed := self._next(now)) is not None:
                frame = self._writer.frame(owed[0], *owed[1])
                parts.append(frame)
                size += sum(map(len, owed[1]))  # before it is packed: packing costs time, too
        return b"".join(parts)

    def _next(self, now: float) -> tuple[FrameType, tuple[bytes, ...]] | None:
        """The log, and behind all of it what is compared."""
        owed = self.sender.next(now)
        if owed is None and self.version >= COMPARES and self.sender.caught_up:
            owed = self.comparison.authority.next(
                now, leading=self.leads and self._synced and self._peer_synced
            )
        return owed

    @property
    def leads(self) -> bool:
        """Whether this node's word counts more than the peer's: it is master, of the higher epoch."""
        gate, peer = self.local.journal.gate, self.peer
        if peer is None:
            return False
        mine = (gate.is_master, gate.epoch, self.local.node)
        return mine > (self.peer_role is Role.MASTER, self.peer_epoch, peer.node)

    def last_words(self) -> bytes:
        """What may still be said to a peer that is refused: never more of the log."""
        words = b"".join((self._handshake.take(), *self._control))
        self._control.clear()
        return words

    def refuse(self, reason: str) -> ReplicationError:
        """Put the reason into the output and return the error to raise."""
        self._send(FrameType.REFUSE, encode(Refuse(reason[:200])))
        return ReplicationError(reason)

    def _begin(self, keys: SessionKeys) -> None:
        journal = self.local.journal
        self._reader, self._writer = FrameReader(keys.receive), FrameWriter(keys.send)
        self.version = keys.version
        versions = {int(kind): capability.version for kind, capability in journal.capabilities.items()}
        gate = journal.gate
        name = self.local.node
        intro = Intro(
            name, journal.incarnation, gate.role, gate.epoch, journal.sequence, versions, self.compress
        )
        self._send(FrameType.INTRO, encode(intro))

    def _send(self, kind: FrameType, *body: bytes) -> None:
        if self._writer is not None:
            self._control.append(self._writer.frame(kind, *body))

    def _add_beat_and_ack(self, writer: FrameWriter) -> None:
        journal = self.local.journal
        if self._ack_due and self.receiver is not None and (ack := self.receiver.ack()) is not None:
            self._control.append(writer.frame(FrameType.ACK, encode(ack)))
        if self._beat_due:
            beat = Heartbeat(journal.gate.role, journal.gate.epoch, journal.sequence, self._synced)
            self._control.append(writer.frame(FrameType.HEARTBEAT, encode(beat)))
        self._ack_due = self._beat_due = False

    def _compare_sync(self) -> None:
        synced = self.receiver is not None and self.receiver.synced
        if synced is not self._synced:
            self._synced = synced
            self._events.append(Synced(synced))
        if self.sender.synced is not self._peer_synced:
            self._peer_synced = self.sender.synced
            self._events.append(PeerSynced(self._peer_synced))

    def _on_intro(self, body: bytes, now: float) -> None:
        intro = decode(body, Intro)
        if self.peer is not None:
            raise self.refuse("a second intro")
        if not 0 < len(intro.node) <= MAX_NAME:
            raise self.refuse(f"node name of {len(intro.node)} characters is not in 1..{MAX_NAME}")
        if intro.node == self.local.node:
            raise self.refuse(f"both nodes are called {intro.node}")
        self._check_versions(intro)
        if reason := self.local.vouch(intro):
            raise self.refuse(reason)
        position = self.local.positions.setdefault(intro.node, Position())
        self.peer = intro
        self.receiver = Receiver(self.local.journal.accepted, position, self.local.counters)
        self._next_beat = now
        self._agree_on_compression(intro)
        self._send(FrameType.RESUME, encode(position.resume(intro.incarnation)))
        self._events.append(PeerUp(intro.node))
        self._on_peer_state(intro.role, intro.epoch, intro.sequence)

    def _agree_on_compression(self, intro: Intro) -> None:
        """From the next frame on: the peer has read this node's intro before it does."""
        if not (self.compress and intro.compress and self.version >= COMPRESSES):
            return
        if self._writer is not None and self._reader is not None:
            self._writer.packer, self._reader.unpacker = Packer(), Unpacker(MAX_BODY)

    @property
    def ratios(self) -> tuple[float | None, float | None] | None:
        """Of what is sent and of what is received: bytes per byte on the wire; None: not compressed."""
        if self._writer is None or self._writer.packer is None or self._reader is None:
            return None
        return ratio(self._writer.packer), ratio(self._reader.unpacker)

    def _check_versions(self, intro: Intro) -> None:
        for kind, capability in self.local.journal.capabilities.items():
            theirs = intro.capabilities.get(int(kind), capability.version)
            if theirs != capability.version:
                raise self.refuse(
                    f"{kind.name} records: {intro.node} has version {theirs}, this node {capability.version}"
                )

    def _on_resume(self, body: bytes, now: float) -> None:
        self.sender.on_resume(decode(body, Resume))

    def _on_start(self, body: bytes, now: float) -> None:
        self._live_receiver().on_start(decode(body, Start))
        self._ack_due = True

    def _on_records(self, body: bytes, now: float) -> None:
        self._ack_due = True
        self._live_receiver().on_records(decode_batch(body), now)

    def _on_chunk(self, body: bytes, now: float) -> None:
        self._ack_due = True
        self._live_receiver().on_chunk(decode_batch(body), now)

    def _on_snapshot_end(self, body: bytes, now: float) -> None:
        self._ack_due = True
        self._live_receiver().on_snapshot_end()

    def _on_ack(self, body: bytes, now: float) -> None:
        self.sender.on_ack(decode(body, Ack))
        self._events.append(Acked(self.sender.acked))

    def _on_heartbeat(self, body: bytes, now: float) -> None:
        beat = decode(body, Heartbeat)
        self._on_peer_state(beat.role, beat.epoch, beat.sequence)

    def _on_comparison(self, kind: FrameType, body: bytes, now: float) -> None:
        apply = partial(self._live_receiver().apply, now=now)
        for answer, parts in self.comparison.on_frame(kind, body, apply, now):
            self._send(answer, *parts)

    def _on_refuse(self, body: bytes, now: float) -> None:
        raise ReplicationError(f"peer refused: {decode(body, Refuse).reason[:200]}")

    def _on_peer_state(self, role: Role, epoch: int, sequence: int) -> None:
        self.peer_sequence = sequence
        if (role, epoch) != (self.peer_role, self.peer_epoch):
            self.peer_role, self.peer_epoch = role, epoch
            self._events.append(PeerRole(role, epoch))
        gate = self.local.journal.gate
        if gate.is_master and role is Role.MASTER and epoch > gate.epoch:
            self._events.append(NewerMaster(epoch))

    def _live_receiver(self) -> Receiver:
        assert self.receiver is not None  # _on_intro made it, feed() lets nothing before
        return self.receiver

    _ON: ClassVar[dict[int, Callable[["ReplicationSession", bytes, float], None]]] = {
        FrameType.INTRO: _on_intro,
        FrameType.RESUME: _on_resume,
        FrameType.START: _on_start,
        FrameType.RECORDS: _on_records,
        FrameType.CHUNK: _on_chunk,
        FrameType.SNAPSHOT_END: _on_snapshot_end,
        FrameType.ACK: _on_ack,
        FrameType.HEARTBEAT: _on_heartbeat,
        FrameType.REFUSE: _on_refuse,
    }
