"""IO shell: one-shot probes for operators: one request or call, an answer in words, exit code 0 or 1."""

import time

from sipcore.phone.agent import Event
from sipcore.phone.wire import Wire

PROBE_ID = "probe"
HANG_UP_SECONDS = 4.0  # for CANCEL or BYE to be answered at the end of a probe


def options(wire: Wire, *, user: str, target: str | None, timeout: float) -> tuple[bool, str]:
    """OPTIONS: any answer shows that the other side lives."""
    uri = target.encode() if target else b""
    wire.phone.options(PROBE_ID, user.encode(), time.monotonic(), uri)
    event = _until(wire, timeout, "options_answered")
    if event is None or event["status"] == 408:
        return False, f"no answer within {timeout:g} s"
    return True, f"answered {event['status']} in {event['ms']} ms"


def register(wire: Wire, *, user: str, expires: int, timeout: float) -> tuple[bool, str]:
    """REGISTER with digest: 200 is good."""
    wire.phone.register(user.encode(), expires, time.monotonic())
    event = _until(wire, timeout, "registered", "register_failed")
    if event is None:
        return False, f"no answer within {timeout:g} s"
    if event["event"] == "register_failed":
        return False, f"{user}: refused with {event['status']}"
    return True, f"{user}: registered for {event['expires']} s in {event['ms']} ms"


def call(wire: Wire, *, user: str, target: str, hold: float, timeout: float) -> tuple[bool, str]:
    """INVITE, and BYE after `hold` seconds; nobody answering within the timeout ends in CANCEL."""
    phone, began = wire.phone, time.monotonic()
    phone.call(PROBE_ID, user.encode(), target.encode(), began)
    event = _until(wire, timeout, "answered", "failed")
    took = f"{(time.monotonic() - began) * 1000:.1f} ms"
    if event is None:
        phone.cancel(PROBE_ID, time.monotonic())
        _until(wire, HANG_UP_SECONDS, "failed", "answered")
        return False, f"{target}: no answer within {timeout:g} s"
    if event["event"] == "failed":
        return False, f"{target}: failed with {event['status']} after {took}"
    _until(wire, hold, "bye_received")
    if phone.bye(PROBE_ID, "caller", time.monotonic()):
        ended = _until(wire, HANG_UP_SECONDS, "bye_answered")
        if ended is None or ended["status"] != 200:
            return False, f"{target}: answered after {took}, but BYE was not answered with 200"
    return True, f"{target}: answered after {took}, ended"


def _until(wire: Wire, seconds: float, *names: str) -> Event | None:
    """Run the phone until one of these events; None when the time is over."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        wire.wait(left)
        events = wire.phone.events[:]
        wire.phone.events.clear()
        for event in events:
            if event["event"] in names:
                return event
    return None
