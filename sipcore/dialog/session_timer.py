"""Sans-IO: session timers as a proxy handles them, RFC 4028 section 8: who asks for what, when it expires.

Deviations: with `session_bye` both sides get a BYE when nobody has refreshed the session; section 8.3 leaves
that to the ends, so it is off unless the configuration turns it on.
"""

from math import inf
from typing import NamedTuple

from sipcore.dialog.dialog import Dialog
from sipcore.dialog.settings import DialogSettings, Side
from sipcore.errors import ParseError
from sipcore.message import Message, Request, Response
from sipcore.message.typed import SessionExpires

Headers = tuple[tuple[bytes, bytes], ...]
LEAST = 90  # seconds, section 5: no Min-SE may be less
MAX_INTERVAL = 2**31


class Verdict(NamedTuple):
    """What to do with a request: 0 and headers for the copy that leaves, or 422 and headers for that."""

    status: int = 0
    headers: Headers = ()


AS_IT_IS = Verdict()


class SessionTimer:
    """`session_expires`, `session_min` of the settings; without state of its own."""

    def __init__(self, settings: DialogSettings) -> None:
        self._wanted = settings.session_expires
        self._least = settings.session_min
        self.takes_part = bool(self._wanted or self._least)

    def on_request(self, request: Request, wanted: int = 0) -> Verdict:
        """Section 8.1, for an INVITE or UPDATE; `wanted` seconds instead of what the config says."""
        wanted = wanted or self._wanted
        if not wanted and b"session-expires" not in request.first_lines:
            return AS_IT_IS
        value = request.first(b"session-expires")
        floor = max(delta_seconds(request.first(b"min-se")), LEAST)
        if value is None:
            return Verdict(0, ((b"Session-Expires", b"%d" % max(wanted, floor)),))  # without a refresher
        interval = delta_seconds(value)
        if interval and interval < self._least:
            return self._too_small(request, value)
        if wanted and interval > max(wanted, floor):
            return Verdict(0, ((b"Session-Expires", b"%d" % max(wanted, floor) + _params(value)),))
        return AS_IT_IS  # also when it cannot be read: the ends shall judge

    def _too_small(self, request: Request, value: bytes) -> Verdict:
        least = b"%d" % self._least
        if supports_timer(request):
            return Verdict(422, ((b"Min-SE", least),))
        # a caller who would not understand 422 gets what is possible
        return Verdict(0, ((b"Session-Expires", least + _params(value)), (b"Min-SE", least)))

    def on_success(
        self, dialog: Dialog, response: Response, request: Request | None, now: float
    ) -> tuple[Headers, bool]:
        """Section 8.2, for a 2xx: headers to put into it, and whether the dialog's timer has changed."""
        if not self.takes_part and dialog.more is None and b"session-expires" not in response.first_lines:
            return (), False
        value = response.first(b"session-expires")
        headers: Headers = ()
        if value is None and request is not None and (self.takes_part or dialog.more is not None):
            asked = self._asked(dialog, request)
            if asked and supports_timer(request):  # the called side knows no timer: the caller shall refresh
                value = b"%d;refresher=uac" % asked
                require = [*response.lines(b"require"), b"timer"]
                headers = ((b"Session-Expires", value), (b"Require", b", ".join(require)))
        if value is None:
            if dialog.more is None or not dialog.more.session_expires:
                return headers, False
            dialog.more.session_expires = 0  # the timer is off from now on
            dialog.more.session_at = inf
            return headers, True
        try:
            timer = SessionExpires.parse(value)
        except ParseError:
            return headers, False
        interval = min(timer.seconds, MAX_INTERVAL)
        if not interval:
            return headers, False
        more = dialog.extra()
        more.session_expires = interval
        more.session_at = now + interval
        from_caller = response.from_tag == dialog.from_tag
        by_sender = timer.refresher == b"uac"
        more.refresher = Side.CALLER if by_sender is from_caller else Side.CALLEE
        return headers, True

    def _asked(self, dialog: Dialog, request: Request) -> int:
        """The Session-Expires of the request as it left here; 0: none, or none that we care for."""
        wanted = dialog.more.session_wanted if dialog.more is not None else 0
        if not (wanted or self.takes_part):
            return 0
        for name, value in self.on_request(request, wanted).headers:
            if name == b"Session-Expires":
                return delta_seconds(value)
        return delta_seconds(request.first(b"session-expires"))


def delta_seconds(value: bytes | None) -> int:
    """The number at the beginning of Session-Expires or Min-SE; 0 when there is none."""
    digits = value.partition(b";")[0].strip() if value else b""
    return min(int(digits), MAX_INTERVAL) if digits.isdigit() and len(digits) <= 10 else 0


def supports_timer(message: Message) -> bool:
    """Whether Supported names the extension, section 7.1."""
    tags = b",".join(message.lines(b"supported")).split(b",")
    return any(tag.strip().lower() == b"timer" for tag in tags)


def _params(value: bytes) -> bytes:
    _, semicolon, rest = value.partition(b";")
    return semicolon + rest
