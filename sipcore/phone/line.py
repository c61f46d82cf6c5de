"""Sans-IO: what a registration or a call asks of the phone that it belongs to."""

from collections.abc import Callable
from typing import Protocol

from sipcore.message import Response
from sipcore.timers import Timer
from sipcore.transaction.timers import TimerValues
from sipcore.transport.layer import Hop

SDP = (
    b"v=0\r\no=- 1 1 IN IP4 %b\r\ns=-\r\nc=IN IP4 %b\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)


class Exchange(Protocol):
    """Who waits for the responses to a request."""

    def on_response(self, response: Response, now: float) -> None:
        """A provisional or final response came."""

    def on_timeout(self, now: float) -> None:
        """No final response came in time."""


class Line(Protocol):
    """The phone, as its registrations and calls see it."""

    timers: TimerValues
    proxy: Hop
    host: bytes  # our address as it stands in an SDP body

    def token(self) -> bytes:
        """A text that was never used before: for branches, tags and Call-IDs."""

    def via(self) -> bytes:
        """A Via value with a new branch."""

    def contact(self, user: bytes) -> bytes:
        """The Contact value of one user."""

    def credentials(self, user: bytes, method: bytes, uri: bytes) -> list[tuple[bytes, bytes]]:
        """The header that answers the last challenge to this user, if there was one."""

    def challenged(self, user: bytes, response: Response, retries: int) -> bool:
        """Remember the challenge of a 401 or 407; False when trying once more is of no use."""

    def request(self, data: bytes, hop: Hop, exchange: Exchange, now: float) -> None:
        """Send a request in a transaction of its own."""

    def send(self, data: bytes, hop: Hop) -> None:
        """Send an ACK for a 2xx, which has no transaction."""

    def schedule(self, at: float, callback: Callable[[float], None]) -> Timer:
        """Call back at this time."""

    def unschedule(self, timer: Timer) -> None:
        """Do not call back."""

    def forget(self, name: str, key: tuple[bytes, bytes]) -> None:
        """A leg is over, and nothing more comes for it."""

    def emit(self, event: str, **fields: object) -> None:
        """Tell the user of the phone what happened."""


def sdp(line: Line) -> bytes:
    """The least offer or answer: one audio stream."""
    return SDP % (line.host, line.host)
