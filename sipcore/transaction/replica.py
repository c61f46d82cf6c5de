"""Sans-IO: INVITE transactions on the replication channel: packed, applied, held, taken over.

One record is the INVITE server transaction and all that hangs on it: branches, targets still to try, timers.
Merge rule: the higher epoch wins; within one epoch the state only grows; a delete beats older updates.
Deviations: other transactions are not replicated; their requests are repeated and find the same way.
"""

from typing import Annotated, Protocol

import msgspec

from sipcore.errors import SipcoreError
from sipcore.replication.capability import Kind
from sipcore.replication.held import Held
from sipcore.replication.tombstones import Tombstones
from sipcore.role import RoleGate
from sipcore.transaction.invite_client import State as ClientState
from sipcore.transaction.invite_server import State as ServerState
from sipcore.transport.layer import Hop

WireEdit = tuple[int, bytes, bytes]
Seconds = Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)]


class WireTarget(msgspec.Struct, array_like=True, gc=False):
    """A target that was not tried yet."""

    uri: bytes
    route: tuple[bytes, ...]
    received: Hop | None
    q: float
    spare: list["WireTarget"] = []


class WireBranch(msgspec.Struct, array_like=True, gc=False):
    """A branch: what was sent where, and what came of it; new fields go to the end, with a default."""

    id: bytes
    uri: bytes
    hop: Hop | None
    data: bytes
    state: Annotated[int, msgspec.Meta(ge=0, le=2)]
    client_state: ClientState
    status: int
    cancel: Annotated[int, msgspec.Meta(ge=0, le=2)]
    given_up: bool
    expires_in: Seconds | None
    route: tuple[bytes, ...] = ()
    received: Hop | None = None
    index: int = 0
    candidates: list[tuple[str, int, str, str]] = []
    breadth: int = 0
    edits: list[WireEdit] = []
    spare: list[WireTarget] = []


class WireCall(msgspec.Struct, array_like=True, gc=False):
    """What the routes have said about a request; new fields go to the end, with a default."""

    uri: bytes
    values: dict[str, str] = {}
    edits: list[WireEdit] = []
    branch_route: str = ""
    failure_route: str = ""
    reply_route: str = ""
    deciding: str = ""
    record_routed: bool = False
    record_params: bytes = b""
    path: bool = False
    destination: bytes = b""
    fr_timer: float = 0.0
    fr_inv_timer: float = 0.0
    recurse: bool | None = None
    user: bytes = b""


class WireTransaction(msgspec.Struct, array_like=True, gc=False):
    """An INVITE transaction; new fields go to the end, with a default."""

    request: bytes
    source: Hop
    state: ServerState
    status: int
    response: bytes
    ends_in: Seconds | None
    answered: bool = False
    cancelled: bool = False
    timed_out: bool = False
    done: bool = True
    best_status: int = 0
    best: bytes = b""
    branches: list[WireBranch] = []
    groups: list[list[WireTarget]] = []
    no_answer_in: Seconds | None = None
    call: WireCall | None = None  # None: as the default routes leave it
    challenges: list[tuple[bytes, bytes]] = []


class Contexts(Protocol):
    """Who knows what hangs on a transaction: the proxy."""

    def record(self, key: bytes, now: float) -> WireTransaction | None:
        """The INVITE server transaction of this key as it is now; None when there is none."""

    def record_keys(self) -> list[bytes]:
        """The keys of all INVITE server transactions."""

    def resume(self, record: WireTransaction, now: float) -> None:
        """Go on with a transaction where another node left it."""

    def close_all(self) -> None:
        """Wait for nothing any more."""


class TransactionReplica:
    """The INVITE transactions that this node leads or, standing by, holds for the master."""

    kind = Kind.TRANSACTION
    version = 1

    def __init__(self, gate: RoleGate, contexts: Contexts) -> None:
        self._gate = gate
        self._contexts = contexts
        self._held: dict[bytes, Held[tuple[int, int]]] = {}
        self._ended = Tombstones()
        self.failed = 0  # records that could not be taken over
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(WireTransaction).decode

    def __len__(self) -> int:
        return len(self._held)

    def pack(self, key: bytes, now: float) -> bytes | None:
        """The transaction as it is now; None: it has ended."""
        record = self._contexts.record(key, now)
        if record is None and key in self._held:
            record = self._aged(self._held[key], now)
        if record is None:
            self._ended.add(key, self._gate.epoch, now)
            return None
        return self._encode(record)

    def apply(self, key: bytes, payload: bytes, epoch: int, now: float) -> bool:
        """Keep the peer's record; a MASTER leads its own transactions and takes none."""
        rank = (epoch, int(self._decode(payload).state))
        if self._gate.is_master or epoch <= self._ended.epoch(key):
            return False
        held = self._held.get(key)
        if held is not None and held.rank > rank:
            return False
        self._held[key] = Held(rank, payload, now)
        return True

    def delete(self, key: bytes, epoch: int, now: float) -> bool:
        """The transaction has ended at the peer."""
        held = self._held.get(key)
        if held is not None and held.rank[0] > epoch:
            return False
        self._ended.add(key, epoch, now)
        return self._held.pop(key, None) is not None

    def keys(self) -> list[bytes]:
        """All INVITE transactions, and those that have ended lately."""
        return [*self._contexts.record_keys(), *self._held, *self._ended.keys()]

    def take_over(self, now: float) -> None:
        """This node is MASTER: go on with what was held."""
        held, self._held = self._held, {}
        for record in held.values():
            try:
                self._contexts.resume(self._aged(record, now), now)
            except (SipcoreError, ValueError):
                self.failed += 1  # one bad record must not stop the takeover of the others

    def stand_by(self, epoch: int, now: float) -> None:
        """This node is BACKUP: hold what it led (in `epoch`), packed, and end it here."""
        for key in self._contexts.record_keys():
            record = self._contexts.record(key, now)
            if record is not None:
                self._held[key] = Held((epoch, int(record.state)), self._encode(record), now)
        self._contexts.close_all()

    def _aged(self, held: Held[tuple[int, int]], now: float) -> WireTransaction:
        record = self._decode(held.payload)
        age = now - held.at
        record.ends_in = _less(record.ends_in, age)
        record.no_answer_in = _less(record.no_answer_in, age)
        for branch in record.branches:
            branch.expires_in = _less(branch.expires_in, age)
        return record


def _less(remaining: float | None, age: float) -> float | None:
    return None if remaining is None else max(remaining - age, 0.0)
