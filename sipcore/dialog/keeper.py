"""Sans-IO: what a MASTER does to calls by itself: lifetime, missing ACK, session expiry, pings, BYE."""

from collections.abc import Callable
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
MAX_MISSES = 2  # pings in a row that could not be sent; a phone may be about to connect again
Done = Callable[[int, Response | None, float], None]


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

    def cancel_invite(self, call_id: bytes, from_tag: bytes, now: float) -> bool:
        """Treat an unanswered INVITE as if its caller had cancelled it; False: there is none."""


class Keeper:
    """Looks at each dialog of the table when one of its times comes, and ends dialogs for whoever asks.

    A BACKUP's table is empty, so nothing comes due there; what is asked of it all the same is refused.
    """

    def __init__(self, table: DialogTable, gate: RoleGate, originator: Originator) -> None:
        self.table = table
        self.byes = 0  # sent
        self.pings = 0  # sent
        self._gate = gate
        self._originator = originator
        self._settings = table.settings
        table.deadlines.look = self.look

    def end(self, dialog: Dialog, reason: EndReason, now: float, *, quiet: bool = False) -> bool:
        """End a call: BYE to both sides, or CANCEL while it rings; `quiet`: forget it without a word.

        False: it has ended already, or we are BACKUP.
        """
        if dialog.state is DELETED or not self._gate.is_master:
            return False
        if dialog.state < CONFIRMED_NA:
            dialog.extra().reason = reason
            if not quiet and self._originator.cancel_invite(dialog.call_id, dialog.from_tag, now):
                return True  # the 487 of the INVITE ends it
            self.table.remove(dialog, now, reason)
        elif quiet or not dialog.legs:
            self.table.remove(dialog, now, reason)
        else:
            self.table.close(dialog, now, reason)
            self._say_bye(dialog, now)
        return True

    def look(self, dialog: Dialog, now: float) -> None:
        """One of its times may have come."""
        more = dialog.more
        settings = self._settings
        if dialog.state is DELETED:
            self._on_farewell(dialog, now)
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

    # BYE

    def _on_farewell(self, dialog: Dialog, now: float) -> None:
        """It is over but still here: the old master may have died before its BYEs were answered."""
        more = dialog.extra()
        if more.bye_sent:
            self.table.remove(dialog, now)
        else:
            dialog.expires_at = now + BYE_GUARD
            self.table.schedule(dialog, now)
            self._say_bye(dialog, now)

    def _say_bye(self, dialog: Dialog, now: float) -> None:
        more = dialog.extra()
        more.bye_sent = True
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
                self._send(partial(ping, dialog, leg, side), now, partial(self._on_pong, dialog, side))

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
        except ParseError:  # a route set that cannot be used
            done(503, None, now)
            return
        self._originator.originate(data, next_uri, now, done, hop)
