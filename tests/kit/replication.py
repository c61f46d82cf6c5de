"""Sans-IO: two nodes with real location tables, joined by a wire that the test delivers, cuts and counts."""

from dataclasses import dataclass, field

from sipcore.bus import Bus
from sipcore.dialog.dialog import LEGAL, Dialog, State
from sipcore.dialog.replica import DialogReplica, dialog_rank
from sipcore.dialog.table import DialogTable
from sipcore.errors import ReplicationError
from sipcore.location.binding import Binding
from sipcore.location.replica import LocationReplica
from sipcore.location.table import LocationTable
from sipcore.replication.capability import Kind
from sipcore.replication.events import Event, NewerMaster
from sipcore.replication.journal import Journal
from sipcore.replication.session import LocalNode, ReplicationSession
from sipcore.role import Role, RoleGate
from sipcore.timers import TimerWheel

KEY = b"a key of thirty-two bytes, shared"


class Node:
    """One node without sockets; its clock differs from the test's by `skew` seconds."""

    def __init__(
        self,
        name: str,
        *,
        incarnation: int = 1,
        skew: float = 0.0,
        backlog_bytes: int = 1 << 24,
        sends: frozenset[Kind] | None = None,
        accepts: frozenset[Kind] | None = None,
    ) -> None:
        self.name = name
        self.skew = skew
        self.gate = RoleGate(name)
        self.wheel = TimerWheel(now=skew, slots=64)
        self.journal = Journal(
            self.gate, incarnation=incarnation, backlog_bytes=backlog_bytes, sends=sends, accepts=accepts
        )
        self.bus: Bus[Binding] = Bus()
        self.table = LocationTable(self.gate, self.wheel, self.journal, self.bus)
        self.dialogs = DialogTable(self.wheel, self.journal)
        self.held = DialogReplica(self.gate, self.dialogs)
        self.journal.register(LocationReplica(self.table))
        self.journal.register(self.held)
        self.local = LocalNode(name, KEY, self.journal)
        self.events: list[Event] = []

    def become(self, role: Role, epoch: int, now: float = 0.0) -> None:
        """Change the role as the core would."""
        was = self.gate.role
        self.gate.change(role, epoch)
        if role is was:
            return
        self.table.on_role(role, now + self.skew)
        if role is Role.MASTER:
            self.held.take_over(now + self.skew)
        else:
            self.held.stand_by(now + self.skew)

    def register(self, aor: bytes, uri: bytes, now: float, *, cseq: int = 1, expires: float = 3600.0) -> None:
        """A contact, as the registrar would store it."""
        at = now + self.skew
        self.table.save(aor, Binding(uri, call_id=b"call-" + uri, cseq=cseq, expires_at=at + expires), at)

    def call(self, number: int, state: State, now: float) -> None:
        """A call gets as far as this; DELETED: it is over. Only a MASTER has calls."""
        key = b"call-%d tag" % number
        dialog = self.dialogs.dialogs.get(key)
        if dialog is None and state is not State.DELETED:
            dialog = Dialog(key, b"tag", now + self.skew, now + self.skew + 3600)
            dialog.state = state
            self.dialogs.adopt(dialog, now + self.skew)
        elif dialog is not None and state is State.DELETED:
            self.dialogs.remove(dialog, now + self.skew)
            return
        elif dialog is not None and state in LEGAL[dialog.state]:
            self.dialogs._move(dialog, state)  # as the table does when a message passes
        if dialog is not None:
            self.dialogs.touch(dialog)

    def flush(self, now: float) -> None:
        """What the shell does at the end of a receive batch."""
        while self.journal.flush(now + self.skew) is not None:
            pass

    def contents(self) -> dict[tuple[bytes, bytes], tuple[object, ...]]:
        """All that should be equal on both nodes, tombstones among them."""
        found: dict[tuple[bytes, bytes], tuple[object, ...]] = {}
        for aor in self.table.aors():
            record = self.table.record(aor)
            for key, b in record.bindings.items() if record is not None else ():
                found[aor, key] = (b.rank, b.q, b.path, b.received, b.instance, b.flags, b.user_agent)
        return found

    def calls(self) -> dict[bytes, tuple[int, int, int]]:
        """The dialogs, led or held, and their versions."""
        led = {key: dialog_rank(dialog) for key, dialog in self.dialogs.dialogs.items()}
        return led | {key: held.rank for key, held in self.held._held.items()}


@dataclass
class Wire:
    """A TCP connection between two nodes; the first one dials."""

    a: Node
    b: Node
    now: float
    nonces: tuple[bytes, bytes] = (b"A" * 32, b"B" * 32)
    errors: list[str] = field(default_factory=list)
    sent: int = 0
    compress: tuple[bool, bool] = (False, False)  # who of them wants it

    def __post_init__(self) -> None:
        self.sessions = tuple(
            ReplicationSession(node.local, nonce, self.now + node.skew, dialer=node is self.a)
            for node, nonce in zip((self.a, self.b), self.nonces, strict=True)
        )
        for session, wish in zip(self.sessions, self.compress, strict=True):
            session.compress = wish
        self.pipes = (bytearray(), bytearray())  # to b, to a
        self.recorded = (bytearray(), bytearray())

    def write(self) -> None:
        """Let both sessions put what they may into the pipes."""
        for side, node in enumerate((self.a, self.b)):
            data = self.sessions[side].output(self.now + node.skew)
            self.pipes[side].extend(data)
            self.recorded[side].extend(data)
            self.sent += len(data)

    def deliver(self, side: int, size: int) -> None:
        """Give the session of node `side` (0: a, 1: b) up to this many bytes; an error ends the wire."""
        pipe = self.pipes[1 - side]
        data = bytes(pipe[:size])
        del pipe[:size]
        node = (self.a, self.b)[side]
        if not data or self.errors:
            return
        try:
            events = self.sessions[side].feed(data, self.now + node.skew)
        except ReplicationError as error:
            self.errors.append(str(error))
            return
        node.events += events
        for event in events:
            if isinstance(event, NewerMaster):
                node.become(Role.BACKUP, event.epoch, self.now)

    def open(self) -> "Wire":
        """Go on until both sides have said who they are, in step: what follows crosses on the wire."""
        while not all(session.peer for session in self.sessions) and not self.errors:
            self.write()
            for side in (0, 1):
                while self.sessions[side].peer is None and self.pipes[1 - side] and not self.errors:
                    self.deliver(side, 1)
        return self

    def timers(self) -> None:
        """Heartbeats of both sides."""
        for node, session in zip((self.a, self.b), self.sessions, strict=True):
            session.on_timer(self.now + node.skew)

    def settle(self, rounds: int = 2000) -> None:
        """Deliver everything until both sides are quiet."""
        for _ in range(rounds):
            self.write()
            if self.errors or not (self.pipes[0] or self.pipes[1]):
                return
            self.deliver(0, 1 << 20)
            self.deliver(1, 1 << 20)
        raise AssertionError("the sessions never came to rest")
