"""Sans-IO: the two sides of a call as a phone sees them, RFC 3261 sections 9, 13 and 15.

caller: INVITED --1xx--> RINGING --2xx--> UP --BYE--> OVER      callee: RINGING --200--> ANSWERED --ACK--> UP
"""

from enum import IntEnum

from sipcore.message import Request, Response, build_cancel, build_request, build_response, parse
from sipcore.phone.dialog import MAX_FORWARDS, Dialog
from sipcore.phone.line import Line, sdp
from sipcore.timers import Timer
from sipcore.transaction.layer import ServerTransaction
from sipcore.transport.layer import Hop

SHARED_ID = b"X-Call-Id"  # both legs of a call within one process go by one name
FORGET_AFTER_T1 = 128  # an ended leg still answers what was under way, this many T1 long
_SDP_TYPE = (b"Content-Type", b"application/sdp")


class State(IntEnum):
    """How far a leg has come; it only grows."""

    INVITED = 0
    RINGING = 1
    ANSWERED = 2
    UP = 3
    OVER = 4


class Leg:
    """What both sides have in common: a name, a dialog once there is one, and BYE."""

    side = ""

    def __init__(self, line: Line, name: str, user: bytes, call_id: bytes) -> None:
        self.name = name
        self.user = user
        self.tag = line.token()
        self.key = (call_id, self.tag)
        self.state = State.INVITED
        self.dialog: Dialog | None = None
        self._line = line

    def bye(self, now: float) -> bool:
        """End the call with BYE; False when it is not up."""
        if self.dialog is None or self.state not in (State.ANSWERED, State.UP):
            return False
        self._end(now)
        Bye(self._line, self.name, self.user, self.dialog).send(now)
        return True

    def on_bye(self, now: float) -> None:
        """The other side has ended the call."""
        if self.state is not State.OVER:
            self._end(now)
            self.emit("bye_received")

    def emit(self, event: str, **fields: object) -> None:
        """Say what happened to this leg."""
        self._line.emit(event, id=self.name, leg=self.side, **fields)

    def _end(self, now: float) -> None:
        self.state = State.OVER
        after = FORGET_AFTER_T1 * self._line.timers.t1
        self._line.schedule(now + after, lambda _now: self._line.forget(self.name, self.key))


class Bye:
    """A BYE under way; tried again with credentials when challenged."""

    def __init__(self, line: Line, name: str, user: bytes, dialog: Dialog, *, quiet: bool = False) -> None:
        self._line = line
        self._name = name
        self._user = user
        self._dialog = dialog
        self._quiet = quiet
        self._retries = 0

    def send(self, now: float) -> None:
        """Send it, with the next CSeq of the dialog."""
        dialog, line = self._dialog, self._line
        dialog.cseq += 1
        headers = line.credentials(self._user, b"BYE", dialog.target)
        data = dialog.request(b"BYE", line.via(), dialog.cseq, headers)
        line.request(data, dialog.next_hop(line.proxy), self, now)

    def on_response(self, response: Response, now: float) -> None:
        """Any final answer ends it, section 15.1.1."""
        if response.status in (401, 407) and self._line.challenged(self._user, response, self._retries):
            self._retries += 1
            self.send(now)
        elif response.status >= 200:
            self._end(response.status)

    def on_timeout(self, now: float) -> None:
        """No answer within Timer F."""
        del now
        self._end(408)

    def _end(self, status: int) -> None:
        if not self._quiet:
            self._line.emit("bye_answered", id=self._name, status=status)


class Caller(Leg):
    """The side that sent INVITE."""

    side = "caller"

    def __init__(self, line: Line, name: str, user: bytes, called: bytes, domain: bytes) -> None:
        super().__init__(line, name, user, line.token())
        self._local = b"<sip:" + user + b"@" + domain + b">;tag=" + self.tag
        self._uri = (
            called if b":" in called else b"sip:" + (called if b"@" in called else called + b"@" + domain)
        )
        self._cseq = 0
        self._retries = 0
        self._invite = b""
        self._cancel_wanted = False
        self._give_up: Timer | None = None
        self._acks: dict[bytes, tuple[bytes, Hop]] = {}  # by the tag of the side that answered

    def invite(self, now: float) -> None:
        """Send INVITE, again with credentials after a challenge."""
        self._cseq += 1
        line = self._line
        headers = [
            (b"Via", line.via()),
            (b"Max-Forwards", MAX_FORWARDS),
            (b"From", self._local),
            (b"To", b"<" + self._uri + b">"),
            (b"Call-ID", self.key[0]),
            (b"CSeq", b"%d INVITE" % self._cseq),
            (b"Contact", line.contact(self.user)),
            (SHARED_ID, self.name.encode()),
            _SDP_TYPE,
            *line.credentials(self.user, b"INVITE", self._uri),
        ]
        self._invite = build_request(b"INVITE", self._uri, headers=headers, body=sdp(line))
        line.request(self._invite, line.proxy, self, now)

    def cancel(self, now: float) -> bool:
        """Send CANCEL, but only once a provisional response has come (section 9.1)."""
        if self.state > State.RINGING:
            return False
        if not self._cancel_wanted:
            self._cancel_wanted = True
            if self.state is State.RINGING:
                self._send_cancel(now)
        return True

    def on_response(self, response: Response, now: float) -> None:
        """Section 13.2.2, by class of response."""
        if response.status < 200:
            self._on_provisional(response, now)
        elif response.status < 300:
            self._on_2xx(response, now)
        elif self.state <= State.RINGING:
            if response.status in (401, 407) and self._line.challenged(self.user, response, self._retries):
                self._retries += 1
                self.invite(now)
            else:
                self._fail(response.status, now)

    def on_timeout(self, now: float) -> None:
        """No answer within Timer B, or none after CANCEL (section 9.1: it is then considered cancelled)."""
        if self.state <= State.RINGING:
            self._fail(408, now)

    def _on_provisional(self, response: Response, now: float) -> None:
        if self.state > State.RINGING:
            return
        first, self.state = self.state is State.INVITED, State.RINGING
        if response.status > 100:
            self.emit("progress", status=response.status)
        if first and self._cancel_wanted:
            self._send_cancel(now)

    def _on_2xx(self, response: Response, now: float) -> None:
        known = self._acks.get(response.to_tag)
        if known is not None:  # a retransmission: our ACK was lost (section 13.2.2.4)
            self._line.send(*known)
            return
        dialog = Dialog.of_response(response)
        self._acknowledge(dialog, response.to_tag)
        if self.state > State.RINGING:
            Bye(self._line, self.name, self.user, dialog, quiet=True).send(now)  # another branch answered too
            return
        self.dialog, self.state = dialog, State.UP
        self._stop_waiting()
        self.emit("answered", status=response.status, call_id=self.key[0].decode())
        if self._cancel_wanted:  # the answer crossed our CANCEL
            self.bye(now)

    def _acknowledge(self, dialog: Dialog, tag: bytes) -> None:
        line = self._line
        headers = line.credentials(self.user, b"ACK", dialog.target)
        ack = dialog.request(b"ACK", line.via(), dialog.cseq, headers)
        self._acks[tag] = (ack, dialog.next_hop(line.proxy))
        line.send(*self._acks[tag])

    def _send_cancel(self, now: float) -> None:
        invite = parse(self._invite)
        assert isinstance(invite, Request)
        self._line.request(build_cancel(invite), self._line.proxy, _Cancel(self), now)
        self._give_up = self._line.schedule(now + 64 * self._line.timers.t1, self.on_timeout)

    def _fail(self, status: int, now: float) -> None:
        self._end(now)
        self._stop_waiting()
        self.emit("failed", status=status, call_id=self.key[0].decode())

    def _stop_waiting(self) -> None:
        if self._give_up is not None:
            self._line.unschedule(self._give_up)
            self._give_up = None


class _Cancel:
    """A CANCEL under way; what it does shows in the INVITE's own answer."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def on_response(self, response: Response, now: float) -> None:
        del now
        if response.status >= 200:
            self._caller.emit("cancel_answered", status=response.status)

    def on_timeout(self, now: float) -> None:
        del now
        self._caller.emit("cancel_answered", status=408)


class Callee(Leg):
    """The side that was called."""

    side = "callee"

    def __init__(self, line: Line, name: str, user: bytes, *, invite: Request, tx: ServerTransaction) -> None:
        super().__init__(line, name, user, invite.call_id)
        self.invite = invite
        self.merged = (invite.call_id, invite.from_tag, invite.cseq)  # section 8.2.2.2
        self._tx = tx
        self._answer = b""
        self._resend: Timer | None = None
        self._interval = 0.0
        self._give_up_at = 0.0

    def ring(self, now: float) -> None:
        """Send 180."""
        self.state = State.RINGING
        self._respond(180, now)
        self.emit("ringing")

    def answer(self, now: float) -> bool:
        """Send 200 and repeat it until ACK comes (section 13.3.1.4); False when it is too late."""
        if self.state > State.RINGING:
            return False
        self.state = State.ANSWERED
        self.dialog = Dialog.of_request(self.invite, self.tag)
        self._answer = self._respond(200, now)
        self._interval = self._line.timers.t1
        self._give_up_at = now + 64 * self._line.timers.t1
        self._resend = self._line.schedule(now + self._interval, self._on_resend)
        return True

    def reject(self, status: int, now: float) -> bool:
        """Send a final failure; False when it is too late."""
        if self.state > State.RINGING:
            return False
        self._end(now)
        self._respond(status, now)
        return True

    def on_cancel(self, now: float) -> None:
        """The caller has given up: 487 (section 9.2); after our final answer it has no effect."""
        if self.reject(487, now):
            self.emit("cancelled")

    def on_ack(self, now: float) -> None:
        """The ACK for our 200."""
        del now
        self._stop_resending()
        if self.state is State.ANSWERED:
            self.state = State.UP
            self.emit("established")

    def on_bye(self, now: float) -> None:
        """A BYE also says that our 200 has arrived."""
        self._stop_resending()
        super().on_bye(now)

    def _respond(self, status: int, now: float) -> bytes:
        headers = [(b"Record-Route", value) for value in self.invite.lines(b"record-route")]
        headers.append((b"Contact", self._line.contact(self.user)))
        body = sdp(self._line) if status == 200 else b""
        if body:
            headers.append(_SDP_TYPE)
        data = build_response(self.invite, status, to_tag=self.tag, headers=headers, body=body)
        self._tx.respond(data, status, now)
        return data

    def _on_resend(self, now: float) -> None:
        self._resend = None
        if now >= self._give_up_at:  # no ACK: the session is not to be kept
            self.emit("failed", status=408)
            self.bye(now)
            return
        self._tx.respond(self._answer, 200, now)
        self._interval = min(2 * self._interval, self._line.timers.t2)
        self._resend = self._line.schedule(min(now + self._interval, self._give_up_at), self._on_resend)

    def _stop_resending(self) -> None:
        if self._resend is not None:
            self._line.unschedule(self._resend)
            self._resend = None
