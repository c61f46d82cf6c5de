"""Sans-IO: a dialog table with its keeper, fed message by message; what the keeper sends goes into a bag."""

from dataclasses import dataclass

from sipcore.dialog.dialog import Dialog
from sipcore.dialog.keeper import Done, Keeper
from sipcore.dialog.settings import DialogSettings
from sipcore.dialog.table import DialogTable
from sipcore.message import Request, build_response
from sipcore.replication.journal import Journal
from sipcore.role import Role, RoleGate
from sipcore.timers import TimerWheel
from sipcore.transport.layer import Hop
from tests.kit.sip_messages import parsed_request, parsed_response, request

ALICE = b"<sip:alice@example.test>;tag=alice-1"
BOB = b"<sip:bob@example.test>"
CALL = b"call-1@127.0.0.1"
OUR_ROUTE = b"<sip:192.0.2.100;lr>"
Headers = tuple[tuple[bytes, bytes], ...]


@dataclass
class Sent:
    """A request of the keeper's own; `done` answers it."""

    request: Request
    next_uri: bytes
    done: Done | None
    hop: Hop | None

    def answer(self, status: int, now: float, tag: bytes = b"") -> None:
        """The end answers; 0: nobody did (408 after timer F)."""
        assert self.done is not None
        if not status:
            self.done(408, None, now)
            return
        data = build_response(self.request, status, to_tag=tag)
        self.done(status, parsed_response(data), now)


class Mailbag:
    """An originator that sends nothing."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.cancelled: list[bytes] = []
        self.can_cancel = True

    def originate(
        self, request: bytes, next_uri: bytes, now: float, done: Done | None = None, hop: Hop | None = None
    ) -> None:
        del now
        # the proxy puts its Via on top
        line, _, rest = request.partition(b"\r\n")
        via = b"\r\nVia: SIP/2.0/UDP 192.0.2.100;branch=z9hG4bK-%d\r\n" % len(self.sent)
        self.sent.append(Sent(parsed_request(line + via + rest), next_uri, done, hop))

    def cancel_invite(self, call_id: bytes, from_tag: bytes, now: float) -> bool:
        del from_tag, now
        self.cancelled.append(call_id)
        return self.can_cancel

    def take(self) -> list[Sent]:
        """What was sent since the last time."""
        sent, self.sent = self.sent, []
        return sent


class Desk:
    """A master's dialogs; alice calls bob, each method is one message that the proxy forwards."""

    def __init__(self, settings: DialogSettings | None = None, now: float = 0.0) -> None:
        self.now = now
        self.gate = RoleGate("a")
        self.gate.change(Role.MASTER, 1)
        self.wheel = TimerWheel(now=now)
        self.journal = Journal(self.gate)
        self.table = DialogTable(self.wheel, self.journal, settings)
        self.table.is_us = lambda uri: b"<%b>" % uri == OUR_ROUTE
        self.mail = Mailbag()
        self.keeper = Keeper(self.table, self.gate, self.mail, self.mail.cancel_invite)

    @property
    def only(self) -> Dialog:
        """The dialog, if there is exactly one."""
        (dialog,) = self.table.dialogs.values()
        return dialog

    def invite(
        self,
        *,
        call_id: bytes = CALL,
        cseq: int = 1,
        headers: Headers = (),
        source: Hop | None = None,
        branch: bytes = b"z9hG4bK-1",
    ) -> int:
        """An initial INVITE."""
        message = self._invite(call_id, cseq, headers, branch)
        return self.table.on_invite(message, self.now, source)

    def respond(
        self,
        status: int,
        tag: bytes = b"bob-1",
        *,
        call_id: bytes = CALL,
        headers: Headers = (),
        routes: tuple[bytes, ...] = (OUR_ROUTE,),
        asked: Headers = (),
        hop: Hop | None = None,
    ) -> Headers:
        """A response to it; `asked` are headers of the INVITE."""
        invite = self._invite(call_id, 1, asked, b"z9hG4bK-1")
        lines = ((b"Contact", b"<sip:bob@192.0.2.2>"), *((b"Record-Route", route) for route in routes))
        response = parsed_response(build_response(invite, status, to_tag=tag, headers=(*lines, *headers)))
        return self.table.on_response(response, self.now, invite, hop)

    def fail(self, status: int = 486, *, call_id: bytes = CALL, branch: bytes = b"z9hG4bK-1") -> None:
        """The INVITE ends without a 2xx."""
        self.table.on_failure(self._invite(call_id, 1, (), branch), self.now, status)

    def say(
        self,
        method: bytes,
        *,
        tag: bytes = b"bob-1",
        cseq: int = 1,
        back: bool = False,
        call_id: bytes = CALL,
        headers: Headers = ((b"Contact", b"<sip:moved@192.0.2.7>"),),
        source: Hop | None = None,
    ) -> Request:
        """A request within the dialog, from alice, or `back` from bob."""
        bob = BOB + b";tag=" + tag
        sender, to = (bob, ALICE) if back else (ALICE, bob)
        data = request(method, sender=sender, to=to, cseq=cseq, headers=headers, call_id=call_id)
        message = parsed_request(data)
        self.table.on_request(message, self.now, source)
        return message

    def agree(self, to: Request, headers: Headers = (), status: int = 200) -> Headers:
        """A 2xx to a request within the dialog."""
        response = parsed_response(build_response(to, status, headers=headers))
        return self.table.on_response(response, self.now, to)

    def call(self, *, asked: Headers = (), answer: Headers = (), source: Hop | None = None) -> Dialog:
        """A whole call: INVITE, 180, 200, ACK; `asked` and `answer` are headers of INVITE and 200."""
        self.invite(headers=asked, source=source)
        self.respond(180)
        self.respond(200, headers=answer, asked=asked)
        self.say(b"ACK")
        return self.only

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while (at := self.wheel.deadline) is not None and at <= end:
            self.now = max(self.now, at)
            self.wheel.advance(self.now)
        self.now = end

    @staticmethod
    def _invite(call_id: bytes, cseq: int, headers: Headers, branch: bytes) -> Request:
        lines = ((b"Contact", b"<sip:alice@192.0.2.1>"), (b"Record-Route", b"<sip:192.0.2.9;lr>"), *headers)
        via = b"SIP/2.0/UDP 192.0.2.1;branch=" + branch
        return parsed_request(request(b"INVITE", via=via, call_id=call_id, cseq=cseq, headers=lines))


def brief(sent: list[Sent]) -> list[tuple[str, str, int]]:
    """Method, who is meant, CSeq."""
    requests = [item.request for item in sent]
    who = ["alice" if request.to_tag == b"alice-1" else "bob" for request in requests]
    return [(r.method.decode(), name, r.cseq) for r, name in zip(requests, who, strict=True)]
