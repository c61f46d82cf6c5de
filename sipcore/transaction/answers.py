"""Sans-IO: the last answers to requests other than INVITE on the replication channel.

A phone whose 200 to a REGISTER, BYE or MESSAGE was lost with the master sends the request again; the new
master gives the same answer, and no MESSAGE is shown twice. Kept are answers over UDP, for as long as a phone
waits at most before it asks again; no record says that they have ended, and no snapshot has them.

Left out is what may be carried out again: OPTIONS, a CANCEL (the INVITE knows of it), a challenge.
"""

from collections import deque
from math import inf

import msgspec

from sipcore.replication.capability import Kind
from sipcore.replication.journal import Journal
from sipcore.role import RoleGate
from sipcore.transaction.layer import ServerTransaction, TransactionLayer
from sipcore.transaction.non_invite_server import NonInviteServer

LIFE = 8.0  # seconds, twice T2: a master that lived as long as that has answered the repetition itself
AFTER = 32.0  # seconds after a takeover, 64 * T1: then no phone repeats anything any more
MAX_ANSWERS = 50_000
HARMLESS = frozenset({b"OPTIONS", b"CANCEL"})
CHALLENGES = frozenset({401, 407})


class WireAnswer(msgspec.Struct, array_like=True, gc=False):
    """An answer as it was sent; new fields go to the end, with a default."""

    response: bytes


class AnswerReplica:
    """What this node has answered lately or, standing by, the master has."""

    kind = Kind.ANSWER
    version = 1

    def __init__(self, gate: RoleGate, journal: Journal, layer: TransactionLayer) -> None:
        self._gate = gate
        self._journal = journal
        self._layer = layer
        self._held: dict[bytes, bytes] = {}
        self._order: deque[tuple[float, bytes]] = deque()
        layer.on_answered = self._on_answered
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(WireAnswer).decode

    def __len__(self) -> int:
        return len(self._held)

    def pack(self, key: bytes, now: float) -> bytes | None:
        """The answer; None when its transaction has ended already."""
        tx = self._layer.servers.get(key)
        return self._encode(WireAnswer(tx.last_response)) if tx is not None else None

    def apply(self, key: bytes, payload: bytes, epoch: int, now: float) -> bool:
        """Keep the peer's answer for a while; a MASTER has its own."""
        response = self._decode(payload).response
        if self._gate.is_master:
            return False
        self._keep(key, response, now)
        return True

    def delete(self, key: bytes, epoch: int, now: float) -> bool:
        """Time alone ends them."""
        return False

    def keys(self) -> list[bytes]:
        """None: when a snapshot is over, so is the time of what was answered before it."""
        return []

    def take_over(self, now: float) -> None:
        """This node is MASTER: what is held is given for a while to who asks again."""
        self._forget(now)
        given, self._held = self._held, {}
        self._order.clear()
        if given:
            self._layer.given = given
            self._layer.wheel.schedule(now + AFTER, lambda _: given.clear())

    def stand_by(self, now: float) -> None:
        """This node is BACKUP: the answers that it has given lately may be asked for at its return."""
        self._layer.given = {}
        ends_after = now + self._layer.timers.j - LIFE
        for key, tx in self._layer.servers.items():
            if isinstance(tx, NonInviteServer) and ends_after < tx.ends_at < inf:
                self._keep(key, tx.last_response, now)

    def _on_answered(self, tx: ServerTransaction) -> None:
        """A request has its final answer: the standby hears of it if it could not find it by itself."""
        if (
            self._journal.capabilities
            and tx.last_status not in CHALLENGES
            and tx.request.method not in HARMLESS
        ):
            self._journal.touch(Kind.ANSWER, tx.key)

    def _keep(self, key: bytes, response: bytes, now: float) -> None:
        self._forget(now)
        if key not in self._held:
            self._order.append((now, key))
        self._held[key] = response

    def _forget(self, now: float) -> None:
        order = self._order
        while order and (order[0][0] < now - LIFE or len(order) >= MAX_ANSWERS):
            self._held.pop(order.popleft()[1], None)
