"""Sans-IO: the dialogs of this node, found by Call-ID and tags; they follow what the proxy forwards."""

from sipcore.dialog.dialog import CONFIRMED, CONFIRMED_NA, DELETED, EARLY, Dialog, address, dialog_key
from sipcore.message import Request, Response
from sipcore.replication.capability import Kind
from sipcore.replication.journal import Journal
from sipcore.replication.tombstones import Tombstones
from sipcore.timers import TimerWheel

TARGET_REFRESH = frozenset({b"INVITE", b"UPDATE", b"SUBSCRIBE"})  # their Contact is the new remote target


class DialogTable:
    """Dialogs by Call-ID and the caller's tag. `lifetime` in seconds; only a MASTER lets a dialog expire.

    Replicated from the early state on; before that the INVITE transaction says it all.
    """

    def __init__(self, wheel: TimerWheel, journal: Journal, lifetime: float = 12 * 3600.0) -> None:
        self.lifetime = lifetime
        self.dialogs: dict[bytes, Dialog] = {}
        self.expired = 0
        self.ended = Tombstones()
        self._wheel = wheel
        self._journal = journal

    def __len__(self) -> int:
        return len(self.dialogs)

    # Inputs

    def on_invite(self, invite: Request, now: float) -> None:
        """An initial INVITE is forwarded (or was, by a node whose work goes on here)."""
        key = dialog_key(invite.call_id, invite.from_tag)
        dialog = self.dialogs.get(key)
        if dialog is None:
            dialog = self._new(invite.call_id, invite.from_tag, now)
        dialog.read_invite(invite)

    def on_response(self, response: Response, now: float) -> None:
        """A response to INVITE is forwarded; a 2xx makes its dialog even when the INVITE was never seen."""
        if response.status >= 300 or not response.to_tag or response.status == 100:
            return
        dialog = self.find(response)
        if dialog is None:
            if response.status < 200 or dialog_key(response.call_id, response.from_tag) in self.ended:
                return
            dialog = self._new(response.call_id, response.from_tag, now)
            dialog.from_uri = address(response.first(b"from"))
            dialog.to_uri = address(response.first(b"to"))
            dialog.cseq = response.cseq
        if dialog.from_tag == response.from_tag and dialog.read_response(response):
            self._touch(dialog)

    def on_request(self, request: Request, now: float) -> None:
        """A request within a dialog: ACK confirms, BYE ends, others move the CSeq and the remote target."""
        dialog = self.find(request)
        if dialog is None:
            return
        from_caller = request.from_tag == dialog.from_tag
        tag = request.to_tag if from_caller else request.from_tag
        leg = dialog.legs.get(tag)
        if request.method == b"BYE":
            dialog.end_leg(tag)
            if dialog.state is DELETED:
                self.remove(dialog, now)
            else:
                self._touch(dialog)
        elif request.method == b"ACK":
            if leg is not None and leg.state is CONFIRMED_NA:
                leg.state = dialog.state = CONFIRMED
                self._touch(dialog)
        else:
            side = dialog if from_caller else leg
            if side is not None and request.cseq > side.cseq:
                side.cseq = request.cseq
                if request.method in TARGET_REFRESH:
                    side.contact = address(request.first(b"contact")) or side.contact
                self._touch(dialog)

    def on_failure(self, invite: Request, now: float) -> None:
        """An INVITE ended without a 2xx: its dialog is over, unless it was an INVITE within one."""
        dialog = self.dialogs.get(dialog_key(invite.call_id, invite.from_tag))
        if dialog is not None and not invite.to_tag and dialog.state < CONFIRMED_NA:
            self.remove(dialog, now)

    # Steps

    def find(self, message: Request | Response) -> Dialog | None:
        """The dialog of a message that goes in either direction."""
        found = self.dialogs.get(dialog_key(message.call_id, message.from_tag))
        if found is None and message.to_tag:
            found = self.dialogs.get(dialog_key(message.call_id, message.to_tag))
        return found

    def adopt(self, dialog: Dialog) -> None:
        """Take in a dialog that another node has led so far."""
        old = self.dialogs.get(dialog.key)
        if old is not None:
            self._disarm(old)
        self.dialogs[dialog.key] = dialog
        self._arm(dialog)

    def remove(self, dialog: Dialog, now: float) -> None:
        """The dialog is over here, and so on the standby."""
        if dialog.state >= EARLY:
            self.ended.add(dialog.key, self._journal.gate.epoch, now)
            self._touch(dialog)
        self.forget(dialog)

    def forget(self, dialog: Dialog) -> None:
        """Drop it from the table without telling anybody."""
        self._disarm(dialog)
        dialog.state = DELETED
        self.dialogs.pop(dialog.key, None)

    def _new(self, call_id: bytes, from_tag: bytes, now: float) -> Dialog:
        dialog = Dialog(call_id, from_tag, now, now + self.lifetime)
        self.dialogs[dialog.key] = dialog
        self._arm(dialog)
        return dialog

    def _touch(self, dialog: Dialog) -> None:
        self._journal.touch(Kind.DIALOG, dialog.key)

    def _arm(self, dialog: Dialog) -> None:
        def expire(now: float) -> None:
            dialog.timer = None
            self.expired += 1
            self.remove(dialog, now)

        dialog.timer = self._wheel.schedule(dialog.expires_at, expire)

    def _disarm(self, dialog: Dialog) -> None:
        if dialog.timer is not None:
            self._wheel.cancel(dialog.timer)
            dialog.timer = None
