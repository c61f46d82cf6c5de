"""Sans-IO: the calls by BIN: what is told of those that are answered, and what is taken in.

Of two versions of a call the one that has got further wins, then the one whose CSeqs are higher; a call that
is over stays over, whatever comes late. A call that this node leads itself is left alone.

Deviations: as in OpenSIPS 1.11 a call has one called party, and no values, profiles or session timer; unlike
there a dialog is found by Call-ID and tags alone.
"""

from collections import Counter
from zlib import crc32

import msgspec

from sipcore.bus import Event
from sipcore.dialog.dialog import CONFIRMED, CONFIRMED_NA, DELETED, Dialog, Leg, State, dialog_key
from sipcore.dialog.replica import DialogReplica
from sipcore.dialog.store import StateChange
from sipcore.dialog.table import MAX_FIELD, DialogTable
from sipcore.dialog.wire import WireDialog, WireLeg
from sipcore.errors import BinError
from sipcore.interop.bin.dialog import BinDialog, BinEnded, DialogPacket, decode, encode
from sipcore.interop.bin.naming import Naming, check_uri, route_set, text_of
from sipcore.interop.bin.wire import BinReader
from sipcore.role import RoleGate

MAX_WAITING = 100_000  # calls between two `take`
MAX_LIFETIME = 86400 * 7  # seconds that a call may last
GRACE = 60.0  # seconds
STEP = 1024  # changes on the replication channel between two CSeqs; each that was told of here counts one
OVER = 2**50  # a change after which there is none
ANSWERED = (CONFIRMED_NA, CONFIRMED)

_Waiting = tuple[DialogPacket, Dialog, Leg]


class BinDialogs:
    """Follows the dialogs that this node leads; keeps what a peer tells as the replication channel would."""

    def __init__(
        self, gate: RoleGate, table: DialogTable, replica: DialogReplica, naming: Naming, *, sends: bool
    ) -> None:
        self._gate = gate
        self._table = table
        self._replica = replica
        self._naming = naming
        self._waiting: dict[bytes, _Waiting] = {}
        self._encode = msgspec.msgpack.Encoder().encode
        self._ends: dict[bytes, float] = {}  # when what was taken ends, while this node is the standby
        self._swept_at = 0.0
        self.counts: Counter[str] = Counter()
        if sends:
            table.bus.subscribe(Event.E_DLG_STATE_CHANGED, self.on_state)
            table.touched = self.on_touch

    # Out

    def on_state(self, key: bytes, change: StateChange | None) -> None:
        """A dialog has moved to another state."""
        if change is None:
            return
        if change.new is CONFIRMED_NA:
            self._wait(DialogPacket.CREATED, change.dialog)
        elif change.new is DELETED and change.old in ANSWERED:
            self._wait(DialogPacket.DELETED, change.dialog)

    def on_touch(self, dialog: Dialog) -> None:
        """Something about a dialog has changed."""
        if dialog.state in ANSWERED and dialog.key not in self._waiting:
            self._wait(DialogPacket.UPDATED, dialog)

    def _wait(self, kind: DialogPacket, dialog: Dialog) -> None:
        leg = max(dialog.legs, key=lambda leg: leg.state, default=None)
        if leg is None or len(self._waiting) >= MAX_WAITING:
            self.counts["bin_dropped"] += 1
            return
        self._waiting[dialog.key] = (kind, dialog, leg)

    def take(self, now: float) -> list[bytes]:
        """The datagrams of the changes since the last time."""
        if not self._waiting:
            return []
        waiting, self._waiting = self._waiting, {}
        datagrams = []
        for kind, dialog, leg in waiting.values():
            try:
                datagrams.append(encode(self._packet(kind, dialog, leg)))
            except BinError:
                self.counts["bin_dropped"] += 1
        self.counts["bin_dialogs_sent"] += len(datagrams)
        return datagrams

    def _packet(self, kind: DialogPacket, dialog: Dialog, leg: Leg) -> BinDialog | BinEnded:
        if kind is DialogPacket.DELETED:
            return BinEnded(dialog.call_id, dialog.from_tag, leg.tag)
        wall = self._naming.wall
        return BinDialog(
            kind,
            dialog.call_id,
            dialog.from_tag,
            leg.tag,
            dialog.from_uri,
            dialog.to_uri,
            h_id=crc32(dialog.key) & 0x7FFFFFFF,
            start_ts=int(wall(dialog.answered_at)),
            state=int(dialog.state),
            caller_socket=self._naming.socket(dialog.hop),
            callee_socket=self._naming.socket(leg.hop),
            caller_cseq=b"%d" % dialog.cseq,
            callee_cseq=b"%d" % leg.cseq,
            caller_route_set=b",".join(dialog.route_set),
            callee_route_set=b",".join(leg.route_set),
            caller_contact=dialog.contact,
            callee_contact=leg.contact,
            callee_from_uri=b"",
            callee_to_uri=b"",
            values=b"",
            profiles=b"",
            user_flags=0,
            flags=0,
            expires=round(wall(dialog.expires_at)),
            caller_last_cseq=0,
            callee_last_cseq=0,
        )

    # In

    def on_packet(self, reader: BinReader, now: float) -> bytes | None:
        """A datagram of the module "dialog": the key of the dialog that has changed, None: none has."""
        packet = decode(reader)
        for name in (packet.call_id, packet.from_tag, packet.to_tag):
            if len(text_of(name, MAX_FIELD).split()) != 1:
                raise BinError("callid or a tag: empty, or with blanks in it")
        key = dialog_key(packet.call_id, packet.from_tag)
        mine = self._table.dialogs.get(key)
        if mine is not None and mine.invite_cseq:
            changed = False  # this node saw its INVITE
        elif isinstance(packet, BinEnded):
            self._ends.pop(key, None)
            changed = self._replica.delete(key, self._gate.epoch, now)
            self._table.ended.add(key, self._gate.epoch, now, OVER)
        else:
            changed = self._keep(key, packet, now)
        self.counts["bin_dialogs_taken" if changed else "bin_dialogs_old"] += 1
        return key if changed else None

    def _keep(self, key: bytes, packet: BinDialog, now: float) -> bool:
        wire = self._wire(packet, now)
        if key not in self._ends and len(self._replica) >= self._table.settings.max_dialogs:
            self.counts["bin_dropped"] += 1
            return False
        if not self._replica.apply(key, self._encode(wire), self._gate.epoch, now):
            return False
        if not self._gate.is_master:
            self._ends[key] = now + wire.remaining
        return True

    def sweep(self, now: float) -> None:
        """Once a minute a standby forgets the calls that have ended and of which nobody has told it."""
        if self._gate.is_master:
            self._ends.clear()  # the table knows when they end
        elif now >= self._swept_at + GRACE:
            self._swept_at = now
            for key in [key for key, at in self._ends.items() if at < now - GRACE]:
                del self._ends[key]
                self._replica.delete(key, self._gate.epoch, now)

    def _wire(self, packet: BinDialog, now: float) -> WireDialog:
        if packet.state not in ANSWERED:
            raise BinError(f"state: {packet.state} is not in 3..4")
        wall = self._naming.wall(now)
        cseq, leg_cseq = _cseq(packet.caller_cseq), _cseq(packet.callee_cseq)
        age = max(wall - packet.start_ts, 0.0)
        state = State(packet.state)
        leg = WireLeg(
            packet.to_tag,
            state,
            check_uri(packet.callee_contact, MAX_FIELD),
            route_set(packet.callee_route_set, MAX_FIELD),
            leg_cseq,
        )
        return WireDialog(
            packet.call_id,
            packet.from_tag,
            state,
            check_uri(packet.from_uri, MAX_FIELD),
            check_uri(packet.to_uri, MAX_FIELD),
            check_uri(packet.caller_contact, MAX_FIELD),
            route_set(packet.caller_route_set, MAX_FIELD),
            cseq,
            [leg],
            age=min(age, 1e9),
            remaining=max(min(packet.expires - wall, MAX_LIFETIME), 0.0),
            answered_age=min(age, 1e9),
            change=STEP * (1 + cseq + leg_cseq),
        )


def _cseq(text: bytes) -> int:
    if not text:
        return 0
    if not text.isdigit() or len(text) > 10 or int(text) >= 2**32:
        raise BinError(f"cseq: {text[:20]!r} is not a number under 2^32")
    return int(text)
