"""Sans-IO: the dialogs of this node, as they follow what the proxy forwards, and what a script does to them.

Deviations: our Record-Route carries no `did` as OpenSIPS's does: Call-ID and tag find the dialog with one
lookup, on either node of a pair.
"""

from sipcore.dialog.dialog import (
    CONFIRMED,
    CONFIRMED_NA,
    DELETED,
    EARLY,
    Dialog,
    EndReason,
    Leg,
    State,
    address,
    dialog_key,
    uri_of,
)
from sipcore.dialog.session_timer import Headers, SessionTimer, Verdict
from sipcore.dialog.settings import DialogSettings, Side
from sipcore.dialog.store import DialogStore
from sipcore.errors import DialogError, ParseError
from sipcore.message import Request, Response
from sipcore.replication.journal import Journal
from sipcore.timers import TimerWheel
from sipcore.transport.layer import Hop

TARGET_REFRESH = frozenset({b"INVITE", b"UPDATE", b"SUBSCRIBE"})  # their Contact is the new remote target
MAX_FIELD = 1024  # bytes of a Call-ID with tag, a URI, a route set
MAX_VALUES = 64  # of one dialog
MAX_VALUE = 4096  # characters of one


class DialogTable(DialogStore):
    """Follows the dialogs that pass; it sends nothing by itself, that is what the Keeper does."""

    def __init__(self, wheel: TimerWheel, journal: Journal, settings: DialogSettings | None = None) -> None:
        super().__init__(wheel, journal, settings)
        self._session_timer = SessionTimer(self.settings)

    # Inputs: what the proxy forwards

    def on_invite(self, invite: Request, now: float, source: Hop | None = None) -> int:
        """An initial INVITE is forwarded (or was, by a node whose work goes on here).

        Returns 0, or the status to refuse it with.
        """
        dialog = self.dialogs.get(dialog_key(invite.call_id, invite.from_tag))
        if dialog is None:
            return self._begin(invite, source, now) if self.settings.track_all else 0
        if dialog.cseq < invite.cseq and dialog.state < CONFIRMED_NA:  # else it comes by again: a spiral
            self._read_invite(dialog, invite, source)
        return 0

    def on_response(
        self, response: Response, now: float, request: Request | None = None, hop: Hop | None = None
    ) -> Headers:
        """A response to INVITE or UPDATE is forwarded; a 2xx makes its dialog even when no INVITE was seen.

        `request` is the one that it answers, as it came; `hop` is where that was sent. Returns headers to put
        into the response.
        """
        status = response.status
        if status >= 300 or status == 100 or not response.to_tag:
            return ()
        dialog = self.find(response) or self._unseen(response, now)
        if dialog is None or dialog.state is DELETED:
            return ()
        from_caller = dialog.from_tag == response.from_tag
        leg = dialog.leg(response.to_tag) if from_caller else None
        reached = False
        if from_caller and response.method == b"INVITE":
            state = EARLY if status < 200 else CONFIRMED_NA
            if leg is None or leg.state < state:
                leg = self._reach(dialog, leg, state, response=response, now=now)
                reached = True
            elif status < 200:
                return ()
        elif status < 200:
            return ()
        side = leg if from_caller else dialog
        if side is None:
            return ()
        if _take_target(side, response, hop) or reached:
            self.touch(dialog)
        return self._on_success(dialog, response, request, now) if status >= 200 else ()

    def on_request(
        self, request: Request, now: float, source: Hop | None = None, dialog: Dialog | None = None
    ) -> None:
        """A request within a dialog: ACK confirms, BYE ends, others move the CSeq and the remote target."""
        dialog = dialog or self.find(request)
        if dialog is None or dialog.state is DELETED:
            return
        from_caller = request.from_tag == dialog.from_tag
        leg = dialog.leg(request.to_tag if from_caller else request.from_tag)
        if leg is None:
            return
        if request.method == b"ACK":
            if leg.state is CONFIRMED_NA:
                self._confirm(dialog, leg, now)
        elif request.method == b"BYE":
            self._on_bye(dialog, leg, now)
        else:
            side = dialog if from_caller else leg
            if request.cseq > side.cseq:
                side.cseq = request.cseq
                if request.method in TARGET_REFRESH:
                    _take_target(side, request, source)
                self.touch(dialog)

    def on_failure(self, invite: Request, now: float, status: int = 0) -> None:
        """An INVITE ended without a 2xx: its dialog is over, unless it was an INVITE within one."""
        if invite.to_tag:
            return
        dialog = self.dialogs.get(dialog_key(invite.call_id, invite.from_tag))
        if dialog is None or dialog.state >= CONFIRMED_NA:
            return
        if not dialog.branch or dialog.branch == invite.top_via.branch:  # else a later pass of a spiral
            reason = dialog.more.reason if dialog.more is not None else None
            self.remove(dialog, now, reason or EndReason.FAILED, status)

    def session_timer(self, request: Request, wanted: int = 0) -> Verdict:
        """What RFC 4028 section 8.1 says about an INVITE or UPDATE before it is forwarded.

        `wanted`: seconds that a script wants to be asked for in this dialog, instead of what the config says.
        """
        dialog = self.find(request)
        if dialog is not None and wanted:
            dialog.extra().session_wanted = wanted
        elif dialog is not None and dialog.more is not None:
            wanted = dialog.more.session_wanted
        return self._session_timer.on_request(request, wanted)

    # What a script may do

    def create(self, invite: Request, now: float, source: Hop | None = None) -> Dialog:
        """The dialog of an initial INVITE, made if need be (create_dialog); DialogError: no room for it."""
        key = dialog_key(invite.call_id, invite.from_tag)
        if key not in self.dialogs and (status := self._begin(invite, source, now)):
            raise DialogError(
                f"dialog: refused with {status}; there are {len(self)} of at most {self.settings.max_dialogs}"
            )
        return self.dialogs[key]

    def enter_profile(self, dialog: Dialog, profile: str, value: str = "", limit: int | None = None) -> bool:
        """Put it into a profile (set_dlg_profile); with a limit only while fewer dialogs have this value.

        Check and change are one step, so two calls of one batch cannot both take the last place.
        """
        present = dialog.more.profiles if dialog.more is not None else ()
        if (profile, value) in present:
            return True
        self.profiles.check(profile, value, len(present))
        if dialog.state is DELETED or (limit is not None and self.profiles.size(profile, value) >= limit):
            return False
        pair = (profile, value)
        self.profiles.add((pair,))
        dialog.extra().profiles = (*present, pair)
        self.touch(dialog)
        return True

    def leave_profile(self, dialog: Dialog, profile: str, value: str = "") -> bool:
        """Take it out of a profile (unset_dlg_profile); False when it was not in it."""
        pair = (profile, value)
        if not self.in_profile(dialog, profile, value):
            return False
        more = dialog.extra()
        more.profiles = tuple(present for present in more.profiles if present != pair)
        self.profiles.discard((pair,))
        self.touch(dialog)
        return True

    @staticmethod
    def in_profile(dialog: Dialog, profile: str, value: str | None = None) -> bool:
        """Whether it is in a profile, with this value or with any (is_in_profile)."""
        present = dialog.more.profiles if dialog.more is not None else ()
        return any(name == profile and value in (None, found) for name, found in present)

    def store_value(self, dialog: Dialog, name: str, text: str | None) -> None:
        """Keep a text with the dialog (store_dlg_value), None removes it; it survives a takeover."""
        values = dialog.extra().values
        if text is None:
            values.pop(name, None)
        elif max(len(name), len(text)) > MAX_VALUE:
            raise DialogError(f"dialog value {name[:32]!r}: {len(text)} characters, over {MAX_VALUE}")
        elif name not in values and len(values) >= MAX_VALUES:
            raise DialogError(f"dialog value {name[:32]!r}: the dialog has {MAX_VALUES} values already")
        else:
            values[name] = text
        self.touch(dialog)

    def set_lifetime(self, dialog: Dialog, seconds: float, now: float) -> None:
        """How long it may last from its answer on, or, when it is answered, from now on."""
        if not seconds > 0:
            raise DialogError(f"dialog lifetime: {seconds} is not more than 0")
        dialog.extra().lifetime = seconds
        if dialog.state in (CONFIRMED_NA, CONFIRMED):
            dialog.expires_at = now + seconds
            self.schedule(dialog, now)
        self.touch(dialog)

    def set_pings(self, dialog: Dialog, now: float, sides: Side) -> None:
        """Which ends are asked whether they still live, besides those of the config."""
        dialog.extra().pings = sides
        self.begin_pings(dialog, now)
        self.touch(dialog)

    # Steps

    def _begin(self, invite: Request, source: Hop | None, now: float) -> int:
        """A new dialog; 0, or the status to refuse it with."""
        if len(self.dialogs) >= self.settings.max_dialogs:
            self.refused += 1
            return 503
        dialog = self._make(invite.call_id, invite.from_tag, now)
        try:
            self._read_invite(dialog, invite, source)
        except ParseError as error:
            self.refused += 1
            return error.status
        if max(len(dialog.key), len(dialog.from_uri), len(dialog.to_uri)) > MAX_FIELD:
            self.refused += 1
            return 513
        self._insert(dialog, now)
        return 0

    @staticmethod
    def _read_invite(dialog: Dialog, invite: Request, source: Hop | None) -> None:
        """Take over the caller's side of an initial INVITE, section 12.1.1."""
        dialog.from_uri = address(invite, b"from")
        dialog.to_uri = address(invite, b"to")
        routes = invite.values(b"record-route")
        if routes:
            dialog.route_set = tuple(routes) if sum(map(len, routes)) <= MAX_FIELD else ()
        dialog.cseq = dialog.invite_cseq = invite.cseq
        dialog.branch = invite.top_via.branch
        _take_target(dialog, invite, source)

    def _unseen(self, response: Response, now: float) -> Dialog | None:
        """A 2xx to an INVITE that this node has not seen: the master has changed meanwhile."""
        key = dialog_key(response.call_id, response.from_tag)
        if response.status < 200 or response.method != b"INVITE" or not self.settings.track_all:
            return None
        if key in self.ended or len(self.dialogs) >= self.settings.max_dialogs:
            return None
        dialog = self._make(response.call_id, response.from_tag, now)
        dialog.from_uri = address(response, b"from")
        dialog.to_uri = address(response, b"to")
        dialog.cseq = dialog.invite_cseq = response.cseq
        if max(len(dialog.key), len(dialog.from_uri), len(dialog.to_uri)) > MAX_FIELD:
            return None
        self._insert(dialog, now)
        return dialog

    def _reach(
        self, dialog: Dialog, leg: Leg | None, state: State, *, response: Response, now: float
    ) -> Leg | None:
        """A leg rings or answers, section 12.1.2; None when it is over or the dialog has too many."""
        if leg is None:
            leg = Leg(response.to_tag, state)
            leg.route_set = self._towards(response)
            if not dialog.add_leg(leg):
                return None
        leg.state = state
        if state is CONFIRMED_NA and len(dialog.legs) > 1:  # those of the branches that have lost are over
            dialog.legs = tuple([known for known in dialog.legs if known.state >= CONFIRMED_NA])
        if dialog.state < state:
            self._move(dialog, state)
            if state is CONFIRMED_NA:
                self._answered(dialog, now)
        return leg

    def _answered(self, dialog: Dialog, now: float) -> None:
        lifetime, more = self.settings.lifetime, dialog.more
        if more is not None:
            more.told = False
            lifetime = more.lifetime or lifetime if more.reason is None else 1.0  # it crossed our CANCEL
        dialog.answered_at = now
        dialog.expires_at = now + lifetime
        dialog.branch = b""
        self.await_ack(dialog, now)

    def _confirm(self, dialog: Dialog, leg: Leg, now: float) -> None:
        leg.state = CONFIRMED
        if dialog.state is CONFIRMED_NA:
            self._move(dialog, CONFIRMED)
            self.begin_pings(dialog, now)
        self.touch(dialog)

    def _towards(self, response: Response) -> tuple[bytes, ...]:
        """The route set from here to the called party: what stands above our Record-Route, turned round."""
        first = response.first(b"record-route")
        if first is None or (b"," not in first and self.is_us(uri_of(first))):
            return ()  # as nearly always: nobody between us and the phone
        above: list[bytes] = []
        try:
            for value in response.values(b"record-route"):
                if self.is_us(uri_of(value)):
                    break
                above.append(value)
        except ParseError:
            return ()
        return tuple(reversed(above)) if sum(map(len, above)) <= MAX_FIELD else ()

    def _on_bye(self, dialog: Dialog, leg: Leg, now: float) -> None:
        """Its leg is over; when it was the last one that had answered, so is the dialog."""
        rest = [known for known in dialog.legs if known is not leg]
        if leg.state < CONFIRMED_NA or any(known.state >= CONFIRMED_NA for known in rest):
            dialog.end_leg(leg)
            self.touch(dialog)
        else:
            self.remove(dialog, now, EndReason.BYE)

    def _on_success(self, dialog: Dialog, response: Response, request: Request | None, now: float) -> Headers:
        headers, changed = self._session_timer.on_success(dialog, response, request, now)
        if changed:
            self.schedule(dialog, now)
            self.touch(dialog)
        return headers


def _take_target(side: Dialog | Leg, message: Request | Response, hop: Hop | None) -> bool:
    """The remote target is the Contact (section 12.2), and `hop` if that does not lead there; True: new."""
    contact = address(message, b"contact")
    if not contact or len(contact) > MAX_FIELD:
        return False
    # a connection cannot be made again from the Contact; behind a NAT it names another address
    if hop is not None and not hop.flow and hop.host.encode() in contact:
        hop = None
    if contact == side.contact and hop == side.hop:
        return False
    side.contact = contact
    side.hop = hop
    return True
