"""Sans-IO: dialog records on the replication channel: packed, applied, held by the standby, taken over.

Merge rule: a dialog's state only grows; of one state the version (epoch, number of the change) decides; a
delete beats older versions. Any two nodes choose the same one, in whatever order they hear of them.
"""

from collections import Counter

import msgspec

from sipcore.dialog.dialog import DELETED, Dialog
from sipcore.dialog.table import DialogTable
from sipcore.dialog.wire import WireDialog, from_wire, to_wire
from sipcore.replication.capability import Kind
from sipcore.replication.digest import Stamps, stamp_of
from sipcore.replication.held import Held
from sipcore.role import RoleGate


class DialogReplica:
    """The dialogs of this node for its peers, and those of the master while this node is the standby."""

    kind = Kind.DIALOG
    version = 1

    def __init__(self, gate: RoleGate, table: DialogTable) -> None:
        self._gate = gate
        self._table = table
        self._held: dict[bytes, Held[tuple[int, int, int]]] = {}
        self.stamps = Stamps()
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(WireDialog).decode

    def __len__(self) -> int:
        return len(self._table) + len(self._held)

    def pack(self, key: bytes, now: float) -> bytes | None:
        """The dialog as it is now; None: it is over."""
        dialog = self._table.dialogs.get(key)
        if dialog is not None and self._table.is_replicated(dialog):
            return self._encode(to_wire(dialog, now))
        held = self._held.get(key)
        if held is not None:
            return self._encode(self._aged(held, now))
        return None

    def changed(self, key: bytes, epoch: int) -> None:
        """The next version of a dialog of this node; one that has begun anew comes after its own end."""
        dialog = self._table.dialogs.get(key)
        if dialog is not None and self._table.is_replicated(dialog):
            dialog.epoch = epoch
            dialog.change = max(dialog.change, self._table.ended.version(key)[1]) + 1
        self.restamp(key)

    def restamp(self, key: bytes) -> None:
        """The version of the dialog, led or held."""
        dialog, held = self._table.dialogs.get(key), self._held.get(key)
        if dialog is not None and self._table.is_replicated(dialog):
            self.stamps.put(key, _stamp(key, dialog_rank(dialog)))
        elif held is not None:
            self.stamps.put(key, _stamp(key, held.rank))
        else:
            self.stamps.drop(key)

    def ended(self, key: bytes) -> int:
        """The epoch in which it has ended, -1 when it has not."""
        return self._table.ended.epoch(key)

    def apply(self, key: bytes, payload: bytes, epoch: int, now: float) -> bool:
        """Keep the peer's record if it is the newer one; a MASTER goes on with it."""
        wire = self._decode(payload)
        rank = (int(wire.state), wire.epoch or epoch, wire.change)
        if self._is_over(key, rank, ordered=not wire.change):
            return False
        mine = self._table.dialogs.get(key)
        held = self._held.get(key)
        if self._gate.is_master:
            if mine is not None and dialog_rank(mine) >= rank:
                return False
            dialog = from_wire(wire, now)
            _, dialog.epoch, dialog.change = rank
            self._table.adopt(dialog, now)
        elif held is not None and held.rank > rank:
            return False
        else:
            self._held[key] = Held(rank, payload, now)
        self.stamps.put(key, _stamp(key, rank))
        return True

    def _is_over(self, key: bytes, rank: tuple[int, int, int], *, ordered: bool) -> bool:
        """Whether it has ended after this version; an older node numbers none, but keeps the order."""
        over = self._table.ended.version(key)
        return rank[1] < over[0] if ordered else rank[1:] <= over

    def delete(self, key: bytes, epoch: int, now: float) -> bool:
        """The dialog is over at the peer."""
        held = self._held.get(key)
        dialog = self._table.dialogs.get(key)
        rank = held.rank if held is not None else dialog_rank(dialog) if dialog is not None else (0, 0, 0)
        if rank[1] > epoch:
            return False
        self._table.ended.add(key, epoch, now, rank[2] + 1)
        self.stamps.drop(key)
        if dialog is not None:
            self._table.forget(dialog)
        return self._held.pop(key, None) is not None or dialog is not None

    def keys(self) -> list[bytes]:
        """All replicated dialogs, and those that have ended lately."""
        table = self._table
        live = [key for key, dialog in table.dialogs.items() if table.is_replicated(dialog)]
        return list({*live, *self._held, *table.ended.keys()})

    def take_over(self, now: float) -> None:
        """This node is MASTER: lead what was held."""
        held, self._held = self._held, {}
        for record in held.values():
            self._table.adopt(from_wire(self._aged(record, now), now), now)

    def stand_by(self, now: float) -> None:
        """This node is BACKUP: hold what it led, packed."""
        for key, dialog in list(self._table.dialogs.items()):
            if self._table.is_replicated(dialog):
                self._held[key] = Held(dialog_rank(dialog), self._encode(to_wire(dialog, now)), now)
            self._table.forget(dialog)

    def rows(self, now: float) -> list[dict[str, object]]:
        """The dialogs that have not ended, led or held, for an operator."""
        led = [dialog.row(now) for dialog in self._table.dialogs.values() if dialog.state is not DELETED]
        held = (from_wire(self._aged(record, now), now) for record in self._held.values())
        return led + [dialog.row(now) for dialog in held if dialog.state is not DELETED]

    def profile_sizes(self) -> dict[str, dict[str, int]]:
        """Profile -> value -> dialogs, also of those that a standby holds."""
        profiles = self._table.profiles
        sizes = {name: Counter(profiles.values(name)) for name in profiles.names}
        for record in self._held.values():
            wire = self._decode(record.payload)
            more = wire.more
            if more is not None and wire.state is not DELETED:
                for name, value in more.profiles:
                    sizes.setdefault(name, Counter())[value] += 1
        return {name: dict(counts) for name, counts in sizes.items()}

    def _aged(self, held: Held[tuple[int, int, int]], now: float) -> WireDialog:
        wire = self._decode(held.payload)
        wire.grow_old(now - held.at)
        _, wire.epoch, wire.change = held.rank
        return wire


def dialog_rank(dialog: Dialog) -> tuple[int, int, int]:
    """The greater one of two versions of a dialog wins."""
    return int(dialog.state), dialog.epoch, dialog.change


def _stamp(key: bytes, rank: tuple[int, int, int]) -> int:
    return stamp_of(b"%b %d %d %d" % (key, *rank))
