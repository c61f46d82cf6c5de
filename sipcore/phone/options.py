"""Sans-IO: an OPTIONS request as a probe, RFC 3261 section 11: who answers lives."""

from sipcore.message import Response, build_request
from sipcore.phone.dialog import MAX_FORWARDS
from sipcore.phone.line import Line


class Options:
    """One OPTIONS request and how long its answer took."""

    def __init__(self, line: Line, name: str, user: bytes, domain: bytes) -> None:
        self._line = line
        self._name = name
        self._from = b"<sip:" + user + b"@" + domain + b">;tag=" + line.token()
        self._sent_at = 0.0

    def send(self, uri: bytes, now: float) -> None:
        """Send it to the proxy, asking for `uri`."""
        self._sent_at = now
        line = self._line
        headers = [
            (b"Via", line.via()),
            (b"Max-Forwards", MAX_FORWARDS),
            (b"From", self._from),
            (b"To", b"<" + uri + b">"),
            (b"Call-ID", line.token()),
            (b"CSeq", b"1 OPTIONS"),
        ]
        line.request(build_request(b"OPTIONS", uri, headers=headers), line.proxy, self, now)

    def on_response(self, response: Response, now: float) -> None:
        """Any final answer will do."""
        if response.status >= 200:
            self._end(response.status, now)

    def on_timeout(self, now: float) -> None:
        """No answer within Timer F."""
        self._end(408, now)

    def _end(self, status: int, now: float) -> None:
        ms = round((now - self._sent_at) * 1000, 3)
        self._line.emit("options_answered", id=self._name, status=status, ms=ms)
