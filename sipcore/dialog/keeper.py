"""Sans-IO: what a MASTER does to calls by itself: lifetime, missing ACK, session expiry, pings, BYE."""

from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from typing import Protocol

from sipcore.dialog.dialog import CONFIRMED, CONFIRMED_NA, DELETED, Dialog, EndReason
from sipcore.dialog.requests import Outgoing, bye, ping
from sipcore.dialog.settings import Side
from sipcore.dialog.store import BYE_GUARD
from sipcore.dialog.table import DialogTable
from sipcore.errors import ParseError
from sipcore.message import Response
from sipcore.role import RoleGate
from sipcore.transport.layer import Hop

GONE = frozenset({408, 481})  # RFC 3261 section 12.2.1.2: the dialog is no more at the other end
AT_ONCE = 200  # calls that are ended in one go
MAX_MISSES = 2  # pings in a row that could not be sent; a phone may be about to connect again
Done = Callable[[int, Response | None, float], None]
CancelInvite = Callable[[bytes, bytes, float], bool]  # Call-ID, From tag, now


class Originator(Protocol):
    """Who sends requests of our own; the proxy does."""

    def originate(
        self,
        request: bytes,
        next_uri: bytes,
        now: float,
        done: Done | None = None,
        hop: Hop | None = None,
    ) -> None:
        """Send it in a transaction; `done(status, response, now)` hears the end (408, 503: nobody)."""


class Keeper:
    """Looks at each dialog of the table when one of its times comes, and ends dialogs for whoever asks.

    A BACKUP's table is empty, so nothing comes due there; what is asked of it all the same is refused.
    `cancel_invite` ends an unanswered INVITE as if its caller had cancelled it; False: there is none.
    """

    def __init__(
        self, table: DialogTable, gate: RoleGate, originator: Originator, cancel_invite: CancelInvite
    ) -> None:
        self.table = table
        self.byes = 0  # sent
        self.pings = 0  # sent
        self._gate = gate
        self._originator = originator
        self._cancel_invite = cancel_invite
        self._settings = table.settings
        table.deadlines.look = self.look

    def end(self, dialog: Dialog, reason: EndReason, now: float, *, quiet: bool = False) -> bool:
        """End a call: BYE to both sides, or CANCEL while it rings; `quiet`: forget it without a word.

        False: it has ended already, or we are BACKUP.
        """
        if dialog.state is DELETED or not self._gate.is_master:
            return False
        if dialog.state < CONFIRMED_NA:
            self._end_early(dialog, reason, now, quiet=quiet)
        elif quiet or not dialog.legs:
            self.table.remove(dialog, now, reason)
        else:
            self.table.close(dialog, now, reason)
            self._say_bye(dialog, now)
        return True

    def end_all(self, dialogs: Sequence[Dialog], reason: EndReason, now: float) -> None:
        """End many calls: AT_ONCE of them now, as many in each second after."""
        for number, dialog in enumerate(dialogs):
            if number < AT_ONCE:
                self.end(dialog, reason, now)
            else:
                dialog.extra().reason = reason
                dialog.expires_at = now + number // AT_ONCE
                self.table.schedule(dialog, now)
                self.table.touch(dialog)

    def look(self, dialog: Dialog, now: float) -> None:
        """One of its times may have come."""
        more = dialog.more
        settings = self._settings
        if dialog.state is DELETED:
            self._on_farewell(dialog, now)
        elif dialog.expires_at <= now and more is not None and more.reason is not None:
            self.end(dialog, more.reason, now)  # an operator has said so
        elif dialog.expires_at <= now:
            answered = dialog.state >= CONFIRMED_NA
            reason = EndReason.LIFETIME if answered else EndReason.EARLY_TIMEOUT
            self.end(dialog, reason, now, quiet=not (answered and settings.bye_on_timeout))
        elif dialog.state is CONFIRMED_NA and dialog.answered_at + settings.ack_timeout <= now:
            self.end(dialog, EndReason.NO_ACK, now, quiet=not settings.bye_on_timeout)
        elif more is not None and more.session_at <= now:
            self.end(dialog, EndReason.SESSION_EXPIRED, now, quiet=not settings.session_bye)
        else:
            if more is not None and more.ping_at <= now:
                self._ping(dialog, now)
            if dialog.state is not DELETED:
                self.table.schedule(dialog, now)

    # CANCEL and BYE

    def _end_early(self, dialog: Dialog, reason: EndReason, now: float, *, quiet: bool) -> None:
        """The 487 of the INVITE ends it, or its 200 does that crossed the CANCEL, or time."""
        more = dialog.extra()
        more.reason = reason
        told, more.told = more.told, True
        if quiet or told or not self._cancel_invite(dialog.call_id, dialog.from_tag, now):
            self.table.remove(dialog, now, reason)
            return
        dialog.expires_at = now + BYE_GUARD
        self.table.schedule(dialog, now)
        self.table.touch(dialog)

    def _on_farewell(self, dialog: Dialog, now: float) -> None:
        """It is over but still here: the old master may have died before its BYEs were answered."""
        more = dialog.extra()
        if more.told:
            self.table.remove(dialog, now)
        else:
            dialog.expires_at = now + BYE_GUARD
            self.table.schedule(dialog, now)
            self._say_bye(dialog, now)

    def _say_bye(self, dialog: Dialog, now: float) -> None:
        more = dialog.extra()
        more.told = True
        reason = more.reason or EndReason.OPERATOR
        ends = [(leg, side) for leg in dialog.legs if leg.state >= CONFIRMED_NA for side in Side]
        waiting = len(ends)

        def answered(_status: int, _response: Response | None, now: float) -> None:
            nonlocal waiting
            waiting -= 1
            if not waiting:
                self.table.remove(dialog, now)

        for leg, side in ends:
            self.byes += 1
            self._send(partial(bye, dialog, leg, side, reason), now, answered)

    # Pings

    def _ping(self, dialog: Dialog, now: float) -> None:
        more = dialog.extra()
        more.ping_at = now + self._settings.ping_interval
        sides = self.table.pings_of(dialog)
        leg = next((leg for leg in dialog.legs if leg.state is CONFIRMED), None)
        if leg is None or not sides:
            more.ping_at = inf
            return
        for side in Side:
            if side in sides and side not in more.pinged:
                more.pinged |= side
                self.pings += 1
                self._send(partial(ping, dialog, leg, side, now), now, partial(self._on_pong, dialog, side))

    def _on_pong(
        self, dialog: Dialog, side: Side, status: int, response: Response | None, now: float
    ) -> None:
        """Any answer but 408 and 481 shows that the end lives."""
        more = dialog.extra()
        more.pinged &= ~side
        if dialog.state is DELETED or not self._gate.is_master:
            return
        unsent = response is None and status not in GONE
        more.misses = more.misses + 1 if unsent else 0
        if status in GONE or more.misses >= MAX_MISSES:
            self.end(dialog, EndReason.PING_FAILED, now, quiet=not self._settings.bye_on_timeout)

    def _send(self, build: Callable[[], Outgoing], now: float, done: Done) -> None:
        try:
            data, next_uri, hop = build()
            self._originator.originate(data, next_uri, now, done, hop and self.table.heir(hop))
        except ParseError:  # a route set, or a Contact as Request-URI, that cannot be used
            done(503, None, now)
