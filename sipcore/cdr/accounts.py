"""Sans-IO: the records that are not on a disk yet, on the master and on its standby.

A record is noted when its call ends, replicated in the same batch as the end itself, written to the disk of
the master, and only then taken back from the standby. So a node that dies takes no record with it: what the
standby still holds when it becomes MASTER it writes itself, marked `recovered`. It errs in one way only: a
record may be in the files of both nodes, with the same id, if the old master died (or stepped down) between
its disk and the word of it.
"""

from collections.abc import Callable, Iterable

import msgspec

from sipcore.cdr.record import Cdr, cdr_id, record, row
from sipcore.dialog.dialog import Dialog, EndReason
from sipcore.dialog.settings import Accounting
from sipcore.replication.capability import Kind
from sipcore.replication.journal import Journal
from sipcore.replication.tombstones import Tombstones
from sipcore.role import Role

GROUP = 1000  # records that are written in one go


class Accounts:
    """Notes calls that end (`on_end`), gives what is to be written (`take`), forgets it then (`written`).

    `wall` gives the wall clock for a moment of the core's clock; `wanted` says of which calls records are
    kept when their script has said nothing. Without a peer it works all the same.
    """

    kind = Kind.CDR
    version = 1

    def __init__(
        self,
        journal: Journal,
        wall: Callable[[float], float],
        *,
        wanted: Accounting = Accounting.ANSWERED | Accounting.MISSED,
        limit: int = 100_000,
    ) -> None:
        self.noted = self.done = self.recovered = 0
        self.lost = 0  # there was no room for them: the disk has been full for long
        self._journal = journal
        self._gate = journal.gate
        self._wall = wall
        self._wanted = wanted
        self._limit = limit
        self._pending: dict[bytes, bytes] = {}
        self._queue: dict[bytes, bool] = {}  # to be written here -> it comes from another node
        self._past = Tombstones()
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Cdr).decode

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def counters(self) -> dict[str, int]:
        """What was counted since the start, by name."""
        return {
            "cdrs_noted": self.noted,
            "cdrs_written": self.done,
            "cdrs_recovered": self.recovered,
            "cdrs_lost": self.lost,
        }

    def on_end(self, dialog: Dialog, reason: EndReason, status: int, now: float) -> None:
        """A call of this node's has ended."""
        more = dialog.more
        wanted = more.accounting if more is not None and more.accounting is not None else self._wanted
        if not wanted & (Accounting.ANSWERED if dialog.answered_at else Accounting.MISSED):
            return
        gate = self._gate
        cdr = record(dialog, reason, status, now, wall=self._wall(now), node=gate.node, epoch=gate.epoch)
        self.noted += 1
        self._note(cdr_id(dialog), self._encode(cdr), recovered=False)

    @property
    def is_waiting(self) -> bool:
        """Whether `take` has something to give."""
        return bool(self._queue)

    def take(self) -> dict[bytes, dict[str, object]]:
        """What is to be written now, by id, the oldest first; it is given again until `written` says so."""
        keys = [key for key, _ in zip(self._queue, range(GROUP), strict=False)]
        return {key: row(key, self._decode(self._pending[key]), recovered=self._queue[key]) for key in keys}

    def written(self, keys: Iterable[bytes], now: float) -> None:
        """These are on the disk: the standby may forget them."""
        for key in keys:
            self.done += 1
            self.recovered += self._queue.pop(key, False)
            if self._pending.pop(key, None) is not None and self._gate.is_master:
                self._past.add(key, self._gate.epoch, now)
                self._journal.touch(Kind.CDR, key)

    def on_role(self, role: Role, _now: float) -> None:
        """A MASTER writes what it holds; a BACKUP leaves it to the new MASTER, which holds it too."""
        if role is Role.MASTER:
            self._queue = {key: self._queue.get(key, True) for key in self._pending}
        else:
            self._queue.clear()

    # The records of this kind on the replication channel

    def pack(self, key: bytes, now: float) -> bytes | None:
        """The record; None: it has been written."""
        del now
        return self._pending.get(key)

    def apply(self, key: bytes, payload: bytes, epoch: int, now: float) -> bool:
        """A call has ended at the peer; a MASTER that hears of it writes it, too: the peer may be gone."""
        del epoch, now
        self._decode(payload)  # what cannot be read is not kept
        if key in self._pending or key in self._past:
            return False
        self._note(key, payload, recovered=True)
        return True

    def delete(self, key: bytes, epoch: int, now: float) -> bool:
        """It is on the peer's disk."""
        self._past.add(key, epoch, now)
        self._queue.pop(key, None)
        return self._pending.pop(key, None) is not None

    def keys(self) -> list[bytes]:
        """What waits, and what was written lately."""
        return list({*self._pending, *self._past.keys()})

    def _note(self, key: bytes, payload: bytes, *, recovered: bool) -> None:
        if len(self._pending) >= self._limit:
            self.lost += 1
            return
        self._pending[key] = payload
        if self._gate.is_master:
            self._queue[key] = recovered
        if not recovered:
            self._journal.touch(Kind.CDR, key)
