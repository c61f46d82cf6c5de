"""Sans-IO: dialog records on the replication channel: packed, applied, held by the standby, taken over.

Merge rule: the higher epoch wins; within one epoch a dialog's state only grows; a delete beats older updates.
"""

from collections import Counter

import msgspec

from sipcore.dialog.dialog import DELETED
from sipcore.dialog.table import DialogTable
from sipcore.dialog.wire import WireDialog, from_wire, to_wire
from sipcore.replication.capability import Kind
from sipcore.replication.held import Held
from sipcore.role import RoleGate


class DialogReplica:
    """The dialogs of this node for its peers, and those of the master while this node is the standby."""

    kind = Kind.DIALOG
    version = 1

    def __init__(self, gate: RoleGate, table: DialogTable) -> None:
        self._gate = gate
        self._table = table
        self._held: dict[bytes, Held] = {}
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

    def apply(self, key: bytes, payload: bytes, epoch: int, now: float) -> bool:
        """Keep the peer's record; a MASTER takes in what has come further elsewhere."""
        wire = self._decode(payload)
        rank = (epoch, int(wire.state))
        if epoch < self._table.ended.epoch(key):  # within one epoch the log keeps the order
            return False
        if self._gate.is_master:
            mine = self._table.dialogs.get(key)
            if mine is not None and mine.state >= wire.state:
                return False
            self._table.adopt(from_wire(wire, now), now)
            return True
        held = self._held.get(key)
        if held is not None and held.rank > rank:
            return False
        self._held[key] = Held(rank, payload, now)
        return True

    def delete(self, key: bytes, epoch: int, now: float) -> bool:
        """The dialog is over at the peer."""
        held = self._held.get(key)
        if held is not None and held.rank[0] > epoch:
            return False
        self._table.ended.add(key, epoch, now)
        dialog = self._table.dialogs.get(key)
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

    def stand_by(self, epoch: int, now: float) -> None:
        """This node is BACKUP: hold what it led (in `epoch`), packed."""
        for key, dialog in list(self._table.dialogs.items()):
            if self._table.is_replicated(dialog):
                rank = (epoch, int(dialog.state))
                self._held[key] = Held(rank, self._encode(to_wire(dialog, now)), now)
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

    def _aged(self, held: Held, now: float) -> WireDialog:
        wire = self._decode(held.payload)
        wire.grow_old(now - held.at)
        return wire
