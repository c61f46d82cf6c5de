"""Sans-IO: where the dialogs of a node are kept: found by Call-ID and tag, counted, looked at in time."""

from collections.abc import Callable
from typing import NamedTuple
from zlib import crc32

from sipcore.bus import Bus, Event
from sipcore.dialog.deadlines import Deadlines
from sipcore.dialog.dialog import (
    CONFIRMED,
    CONFIRMED_NA,
    DELETED,
    EARLY,
    LEGAL,
    UNCONFIRMED,
    Dialog,
    EndReason,
    State,
    dialog_key,
)
from sipcore.dialog.profiles import Profiles
from sipcore.dialog.session_timer import LEAST
from sipcore.dialog.settings import Accounting, DialogSettings, Side
from sipcore.errors import DialogError
from sipcore.message import Request, Response
from sipcore.replication.capability import Kind
from sipcore.replication.journal import Journal
from sipcore.replication.tombstones import Tombstones
from sipcore.timers import TimerWheel
from sipcore.transport.layer import Hop

SPREAD = 5.0  # seconds over which a new master spreads what is overdue
MAX_SESSION = 86_400  # seconds
BYE_GUARD = 64.0  # seconds after which a BYE needs no answer any more
REMEMBERED = 900.0  # seconds for which it is known that a dialog has ended: how long nodes may be apart


class StateChange(NamedTuple):
    """What E_DLG_STATE_CHANGED tells; `old` is None for a dialog that is new."""

    dialog: Dialog
    old: State | None
    new: State


Accountant = Callable[[Dialog, EndReason, int, float], None]


class DialogStore:
    """Dialogs by Call-ID and the caller's tag. Every change of state goes through `_move`.

    Replicated from the early state on; before that the INVITE transaction says it all, unless a script has
    put something into the dialog. `is_us` tells our own Record-Route URIs from others';
    `heir` the connection that a phone has instead of the one that it had. `accountant` hears of each dialog
    that ends here: why, the status that its INVITE was refused with (0: it was not), and when.
    """

    def __init__(self, wheel: TimerWheel, journal: Journal, settings: DialogSettings | None = None) -> None:
        self.settings = settings or DialogSettings()
        self.dialogs: dict[bytes, Dialog] = {}
        self.profiles = Profiles(self.settings.profiles)
        self.bus: Bus[StateChange] = Bus()
        self._followers = self.bus.subscribers(Event.E_DLG_STATE_CHANGED)
        self.deadlines = Deadlines(wheel)
        self.is_us: Callable[[bytes], bool] = lambda uri: False
        self.heir: Callable[[Hop], Hop] = lambda hop: hop
        self.accountant: Accountant | None = None
        self.touched: Callable[[Dialog], None] | None = None  # hears of each change that a peer must hear of
        self.states = dict.fromkeys(State, 0)  # how many dialogs are in each
        self.ends = dict.fromkeys(EndReason, 0)  # how many have ended, by reason
        self.refused = 0  # INVITEs for which there was no room, or with too much in them
        self.ended = Tombstones(REMEMBERED)
        self._journal = journal

    def __len__(self) -> int:
        return len(self.dialogs) - self.states[DELETED]

    def find(self, message: Request | Response) -> Dialog | None:
        """The dialog of a message that goes in either direction."""
        found = self.dialogs.get(dialog_key(message.call_id, message.from_tag))
        if found is None and message.to_tag:
            found = self.dialogs.get(dialog_key(message.call_id, message.to_tag))
        return found

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """How many dialogs are in each state, and how many have ended for each reason."""
        return {
            "dialog_states": {state.name.lower(): count for state, count in self.states.items()},
            "dialogs_ended": {reason.name.lower(): count for reason, count in self.ends.items()},
        }

    def pings_of(self, dialog: Dialog) -> Side:
        """Which of its ends are to be pinged."""
        sides = self.settings.pings
        return sides | dialog.more.pings if dialog.more is not None else sides

    # Changes

    def set_session_timer(self, dialog: Dialog, seconds: int) -> None:
        """What the ends are asked for instead of what the config says, RFC 4028."""
        if not LEAST <= seconds <= MAX_SESSION:
            raise DialogError(f"session timer: {seconds} s is not in {LEAST}..{MAX_SESSION}")
        dialog.extra().session_wanted = seconds
        self.touch(dialog)

    def account(self, dialog: Dialog, wanted: Accounting) -> None:
        """Which records are kept of it, instead of what the config says (do_accounting)."""
        dialog.extra().accounting = wanted
        self.touch(dialog)

    def adopt(self, dialog: Dialog, now: float) -> None:
        """Take in a dialog that another node has led; what is overdue is spread over SPREAD seconds."""
        old = self.dialogs.get(dialog.key)
        if old is not None:
            self.forget(old)
        self.dialogs[dialog.key] = dialog
        self.states[dialog.state] += 1
        part = crc32(dialog.key) / 2**32
        soon = now + part * SPREAD
        dialog.expires_at = max(dialog.expires_at, soon) if dialog.state is not DELETED else soon
        more = dialog.more
        if more is not None and dialog.state is not DELETED:
            self.profiles.add(more.profiles)
            more.session_at = max(more.session_at, soon)
        if dialog.state is CONFIRMED and self.pings_of(dialog):
            dialog.extra().ping_at = now + part * self.settings.ping_interval
        self.schedule(dialog, now)

    def close(self, dialog: Dialog, now: float, reason: EndReason) -> None:
        """It is over, but it stays until the BYEs that say so are answered."""
        more = dialog.extra()
        more.reason = reason
        self._leave(dialog, reason, now)
        dialog.expires_at = now + BYE_GUARD
        self.schedule(dialog, now)
        self.touch(dialog)

    def remove(self, dialog: Dialog, now: float, reason: EndReason = EndReason.BYE, status: int = 0) -> None:
        """It is over here, and so on the standby; `status`: what its INVITE was refused with."""
        replicated = self.is_replicated(dialog)
        if dialog.state is not DELETED:
            self._leave(dialog, reason, now, status)
        if replicated:
            self.ended.add(dialog.key, self._journal.gate.epoch, now, dialog.change + 1)
            self.touch(dialog, deleted=True)
        self.forget(dialog)

    def forget(self, dialog: Dialog) -> None:
        """Drop it from the table without telling anybody."""
        if self.dialogs.get(dialog.key) is not dialog:
            return
        self.deadlines.drop(dialog)
        del self.dialogs[dialog.key]
        self.states[dialog.state] -= 1
        if dialog.more is not None and dialog.state is not DELETED:
            self.profiles.discard(dialog.more.profiles)
        dialog.state = DELETED

    @staticmethod
    def is_replicated(dialog: Dialog) -> bool:
        """Whether a peer is to know it."""
        return dialog.state >= EARLY or dialog.more is not None

    def schedule(self, dialog: Dialog, now: float) -> None:
        """Have it looked at when the nearest of its times comes."""
        at = dialog.expires_at
        if dialog.state is CONFIRMED_NA:
            at = min(at, dialog.answered_at + self.settings.ack_timeout)
        more = dialog.more
        if more is not None and dialog.state is not DELETED:
            at = min(at, more.session_at, more.ping_at)
        self.deadlines.file(dialog, at, now)

    def await_ack(self, dialog: Dialog, now: float) -> None:
        """It has just been answered: as `schedule`, but mostly it is to be looked at early enough anyway."""
        if dialog.more is None:
            at = min(dialog.expires_at, now + self.settings.ack_timeout)
            self.deadlines.no_later(dialog, at, now)
        else:
            self.schedule(dialog, now)

    def begin_pings(self, dialog: Dialog, now: float) -> None:
        """The first ping of an answered dialog, if any of its ends is to be pinged."""
        if dialog.state is CONFIRMED and self.pings_of(dialog):
            dialog.extra().ping_at = now + self.settings.ping_interval
            self.schedule(dialog, now)

    def touch(self, dialog: Dialog, *, deleted: bool = False) -> None:
        """The standby must hear of it."""
        if self.touched is not None:
            self.touched(dialog)
        if self._journal.capabilities and (deleted or self.is_replicated(dialog)):
            self._journal.touch(Kind.DIALOG, dialog.key)

    # Steps

    def _make(self, call_id: bytes, from_tag: bytes, now: float) -> Dialog:
        return Dialog(dialog_key(call_id, from_tag), from_tag, now, now + self.settings.early_timeout)

    def _insert(self, dialog: Dialog, now: float) -> None:
        self.dialogs[dialog.key] = dialog
        self.states[UNCONFIRMED] += 1
        # an answer, which most calls get before, needs no other place
        self.deadlines.file(dialog, min(dialog.expires_at, now + self.settings.ack_timeout), now)
        if self._followers:
            change = StateChange(dialog, None, UNCONFIRMED)
            self.bus.publish(Event.E_DLG_STATE_CHANGED, dialog.key, change)

    def _leave(self, dialog: Dialog, reason: EndReason, now: float, status: int = 0) -> None:
        self.ends[reason] += 1
        if self.accountant is not None:
            self.accountant(dialog, reason, status, now)
        if dialog.more is not None:
            self.profiles.discard(dialog.more.profiles)
        self._move(dialog, DELETED)

    def _move(self, dialog: Dialog, new: State) -> None:
        old = dialog.state
        if new not in LEGAL[old]:
            raise DialogError(f"dialog {dialog.did}: no way from {old.name} to {new.name}")
        dialog.state = new
        self.states[old] -= 1
        self.states[new] += 1
        if self._followers:
            self.bus.publish(Event.E_DLG_STATE_CHANGED, dialog.key, StateChange(dialog, old, new))
