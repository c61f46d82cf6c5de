"""Sans-IO: dialog records on the replication channel: packed, applied, held by the standby, taken over.

Merge rule: the higher epoch wins; within one epoch a dialog's state only grows; a delete beats older updates.
"""

from typing import Annotated

import msgspec

from sipcore.dialog.dialog import EARLY, Dialog, Leg, State
from sipcore.dialog.table import DialogTable
from sipcore.replication.capability import Kind
from sipcore.replication.held import Held
from sipcore.role import RoleGate

Seconds = Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)]


class WireLeg(msgspec.Struct, array_like=True, gc=False):
    """One called party; new fields go to the end, with a default."""

    tag: bytes
    state: State
    contact: bytes
    route_set: tuple[bytes, ...]
    cseq: int


class WireDialog(msgspec.Struct, array_like=True, gc=False):
    """A dialog; new fields go to the end, with a default."""

    call_id: bytes
    from_tag: bytes
    state: State
    from_uri: bytes
    to_uri: bytes
    contact: bytes
    route_set: tuple[bytes, ...]
    cseq: int
    legs: list[WireLeg]
    age: Seconds
    remaining: Seconds


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
        if dialog is not None and dialog.state >= EARLY:
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
            self._table.adopt(from_wire(wire, now))
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
        live = [key for key, dialog in self._table.dialogs.items() if dialog.state >= EARLY]
        return list({*live, *self._held, *self._table.ended.keys()})

    def take_over(self, now: float) -> None:
        """This node is MASTER: lead what was held."""
        held, self._held = self._held, {}
        for record in held.values():
            self._table.adopt(from_wire(self._aged(record, now), now))

    def stand_by(self, epoch: int, now: float) -> None:
        """This node is BACKUP: hold what it led (in `epoch`), packed."""
        for key, dialog in list(self._table.dialogs.items()):
            if dialog.state >= EARLY:
                rank = (epoch, int(dialog.state))
                self._held[key] = Held(rank, self._encode(to_wire(dialog, now)), now)
            self._table.forget(dialog)

    def rows(self, now: float) -> list[dict[str, object]]:
        """The dialogs, led or held, for an operator."""
        led = [dialog.row(now) for dialog in self._table.dialogs.values()]
        return led + [from_wire(self._aged(held, now), now).row(now) for held in self._held.values()]

    def _aged(self, held: Held, now: float) -> WireDialog:
        wire = self._decode(held.payload)
        wire.age += now - held.at
        wire.remaining -= now - held.at
        return wire


def to_wire(dialog: Dialog, now: float) -> WireDialog:
    """The record of a dialog; times relative to `now`."""
    legs = [WireLeg(leg.tag, leg.state, leg.contact, leg.route_set, leg.cseq) for leg in dialog.legs.values()]
    return WireDialog(
        call_id=dialog.call_id,
        from_tag=dialog.from_tag,
        state=dialog.state,
        from_uri=dialog.from_uri,
        to_uri=dialog.to_uri,
        contact=dialog.contact,
        route_set=dialog.route_set,
        cseq=dialog.cseq,
        legs=legs,
        age=now - dialog.started_at,
        remaining=dialog.expires_at - now,
    )


def from_wire(wire: WireDialog, now: float) -> Dialog:
    """The dialog of a record."""
    dialog = Dialog(wire.call_id, wire.from_tag, now - wire.age, now + wire.remaining)
    dialog.state = wire.state
    dialog.from_uri = wire.from_uri
    dialog.to_uri = wire.to_uri
    dialog.contact = wire.contact
    dialog.route_set = wire.route_set
    dialog.cseq = wire.cseq
    for wire_leg in wire.legs:
        leg = dialog.legs[wire_leg.tag] = Leg(wire_leg.tag, wire_leg.state)
        leg.contact = wire_leg.contact
        leg.route_set = wire_leg.route_set
        leg.cseq = wire_leg.cseq
    return dialog
