"""Sans-IO: both ends of whole calls: INVITE, 180, 200, ACK, BYE, 200; each step is checked.

The caller hangs up when the callee has got the ACK, so that a lost message shows as a failed call.
"""

from collections import Counter
from enum import IntEnum

from bench.sip.load import Port
from bench.sip.servers import DOMAIN, HOST, user

SDP = (
    b"v=0\r\no=- 3906 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=sendrecv\r\n"
)
_ALLOW = b"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE\r\nSupported: replaces, timer\r\n"


class Step(IntEnum):
    """How far a call is."""

    CALLING = 0
    RINGING = 1
    ANSWERED = 2
    ACKNOWLEDGED = 3
    HUNG_UP = 4
    OVER = 5


class Calls:
    """A caller and a callee on two ports; call `n` goes to subscriber `n % users`."""

    def __init__(self, caller: Port, callee: Port, users: int, run: str) -> None:
        self.done = 0
        self.wrong: Counter[str] = Counter()
        self.caller, self.callee = caller, callee
        self.ports = [caller, callee]
        self._users = users
        self._steps = bytearray()
        self.contact_port = callee.number
        via = b"Via: SIP/2.0/UDP %b:%d;branch=z9hG4bK%%08d%b%%b;rport\r\n" % (
            _HOST,
            caller.number,
            run.encode(),
        )
        self._start = b" SIP/2.0\r\n" + via
        self._parties = b"From: <sip:caller@%b>;tag=f%%08d\r\nTo: <sip:%%b@%b>" % (_DOMAIN, _DOMAIN)
        self._call_id = b"\r\nCall-ID: %%08d-%b@bench\r\nCSeq: %%b\r\nMax-Forwards: 70\r\n" % run.encode()
        sdp = b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%b" % (len(SDP), SDP)
        agent = b"User-Agent: bench/1.0\r\n"
        self._invite_end = b"Contact: <sip:caller@%b:%d>\r\n%b%b%b" % (
            _HOST,
            caller.number,
            agent,
            _ALLOW,
            sdp,
        )
        contact = b"\r\nContact: <sip:callee@%b:%d>\r\n" % (_HOST, callee.number)
        self._180_end = contact + agent + b"Content-Length: 0\r\n\r\n"
        self._200_end = contact + agent + _ALLOW + sdp
        self._target = b"sip:callee@%b:%d" % (_HOST, callee.number)
        self._routes: dict[int, bytes] = {}

    def launch(self) -> None:
        """Send the INVITE of the next call."""
        n = len(self._steps)
        self._steps.append(Step.CALLING)
        name = user(n % self._users).encode()
        self.caller.send(
            b"INVITE sip:%b@%b" % (name, _DOMAIN) + self._start % (n, b"i")
            + self._parties % (n, name) + self._call_id % (n, b"1 INVITE") + self._invite_end
        )  # fmt: skip

    def on_data(self, port: Port, data: bytes) -> None:
        """A message for one of the two."""
        at = data.find(b"\r\nCall-ID: ") + 11
        n = int(data[at : at + 8])
        if port is self.callee:
            self._on_callee(n, data)
        else:
            self._on_caller(n, data)

    def _on_caller(self, n: int, data: bytes) -> None:
        status = data[8:11]
        if status == b"100":
            return
        if status == b"180":
            self._move(n, Step.CALLING, Step.RINGING)
        elif status != b"200":
            self.wrong["answer " + status.decode("ascii", "replace")] += 1
        elif b"\r\nCSeq: 1 INVITE\r\n" in data:
            if self._move(n, Step.RINGING, Step.ANSWERED):
                self._routes[n] = _routes(data)
                self._request(n, b"ACK", b"1 ACK", b"a")
        elif self._move(n, Step.HUNG_UP, Step.OVER):
            del self._routes[n]
            self.done += 1

    def _on_callee(self, n: int, data: bytes) -> None:
        if data.startswith(b"INVITE"):
            if self._steps[n] != Step.CALLING:
                self.wrong["INVITE again"] += 1
            head = _head(data).replace(b">\r\nCall-ID", b">;tag=t%08d\r\nCall-ID" % n)
            self.callee.send(b"SIP/2.0 180 Ringing" + head + self._180_end)
            self.callee.send(b"SIP/2.0 200 OK" + head + self._200_end)
        elif data.startswith(b"ACK"):
            if self._move(n, Step.ANSWERED, Step.ACKNOWLEDGED):
                self._request(n, b"BYE", b"2 BYE", b"b")
        elif data.startswith(b"BYE"):
            self._move(n, Step.ACKNOWLEDGED, Step.HUNG_UP)
            self.callee.send(b"SIP/2.0 200 OK" + _head(data) + b"\r\nContent-Length: 0\r\n\r\n")
        else:
            self.wrong["strange request"] += 1

    def _request(self, n: int, method: bytes, cseq: bytes, branch: bytes) -> None:
        to_tag = b";tag=t%08d" % n
        self.caller.send(
            method + b" " + self._target + self._start % (n, branch) + self._routes[n]
            + self._parties % (n, user(n % self._users).encode()) + to_tag
            + self._call_id % (n, cseq) + b"Content-Length: 0\r\n\r\n"
        )  # fmt: skip

    def _move(self, n: int, before: Step, after: Step) -> bool:
        if self._steps[n] != before:
            self.wrong[f"{after.name} after {Step(self._steps[n]).name}"] += 1
            return False
        self._steps[n] = after
        return True


_HOST, _DOMAIN = HOST.encode(), DOMAIN.encode()


def _head(request: bytes) -> bytes:
    """What an answer repeats: it stands before Max-Forwards, as the caller writes it."""
    return request[request.index(b"\r\n") : request.index(b"\r\nMax-Forwards")]


def _routes(answer: bytes) -> bytes:
    """The Route line of a caller whose INVITE went through one Record-Route; none without it."""
    at = answer.find(b"\r\nRecord-Route: ")
    if at < 0:
        return b""
    return b"Route: " + answer[at + 16 : answer.index(b"\r\n", at + 16)] + b"\r\n"
