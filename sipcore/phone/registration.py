"""Sans-IO: a phone's registration of one user, RFC 3261 section 10.2, with digest and 423 (section 10.3)."""

from sipcore.message import Response, build_request
from sipcore.phone.dialog import MAX_FORWARDS
from sipcore.phone.line import Line


class Registration:
    """Registers one user; the Call-ID stays for the life of the phone, the CSeq grows (section 10.2.4)."""

    def __init__(self, line: Line, user: bytes, domain: bytes) -> None:
        self._line = line
        self._user = user
        self._uri = b"sip:" + domain
        self._aor = b"<sip:" + user + b"@" + domain + b">"
        self._call_id = line.token()
        self._tag = line.token()
        self._cseq = 0
        self._expires = 0
        self._retries = 0
        self._sent_at = 0.0

    def register(self, expires: int, now: float) -> None:
        """Send REGISTER; `expires` seconds, 0 takes the binding away."""
        self._expires = expires
        self._sent_at = now
        self._retries = 0
        self._send(now)

    def on_response(self, response: Response, now: float) -> None:
        """200 is done; 401, 407 and 423 are tried again as they say; the rest is a failure."""
        if response.status < 200:
            return
        if response.status in (401, 407) and self._line.challenged(self._user, response, self._retries):
            self._retries += 1
            self._send(now)
            return
        if response.status == 423 and (least := _seconds(response.first(b"min-expires"))) > self._expires > 0:
            self._expires = least
            self._send(now)
            return
        self._end("registered" if response.status < 300 else "register_failed", response.status, now)

    def on_timeout(self, now: float) -> None:
        """No answer within Timer F."""
        self._end("register_failed", 408, now)

    def _send(self, now: float) -> None:
        self._cseq += 1
        line = self._line
        headers = [
            (b"Via", line.via()),
            (b"Max-Forwards", MAX_FORWARDS),
            (b"From", self._aor + b";tag=" + self._tag),
            (b"To", self._aor),
            (b"Call-ID", self._call_id),
            (b"CSeq", b"%d REGISTER" % self._cseq),
            (b"Contact", line.contact(self._user)),
            (b"Expires", b"%d" % self._expires),
            *line.credentials(self._user, b"REGISTER", self._uri),
        ]
        line.request(build_request(b"REGISTER", self._uri, headers=headers), line.proxy, self, now)

    def _end(self, event: str, status: int, now: float) -> None:
        ms = round((now - self._sent_at) * 1000, 3)
        seen = {"user": self._user.decode(), "status": status, "expires": self._expires, "cseq": self._cseq}
        self._line.emit(event, **seen, ms=ms)


def _seconds(value: bytes | None) -> int:
    return int(value) if value is not None and value.isdigit() and len(value) < 10 else 0
