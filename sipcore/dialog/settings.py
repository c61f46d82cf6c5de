"""Sans-IO: what the dialog tracker is told by the configuration."""

from dataclasses import dataclass
from enum import IntFlag


class Accounting(IntFlag):
    """Which records are kept of a call (do_accounting); the numbers stand on the replication wire."""

    ANSWERED = 1
    MISSED = 2


class Side(IntFlag):
    """Which end of a call is meant; the numbers stand on the replication wire."""

    CALLER = 1
    CALLEE = 2


@dataclass(frozen=True, slots=True)
class DialogSettings:
    """Limits and timers of dialogs; times in seconds.

    `track_all`: every INVITE makes a dialog, not only those for which the script asks. `bye_on_timeout`: the
    core sends BYE to both sides of a call that it ends by itself; `session_bye` says so for a session that
    nobody refreshed (RFC 4028 section 8.3 forbids it to proxies, so it is off).
    """

    track_all: bool = True
    max_dialogs: int = 200_000
    lifetime: float = 12 * 3600.0
    early_timeout: float = 3600.0
    ack_timeout: float = 64.0
    bye_on_timeout: bool = True
    ping_interval: float = 30.0
    pings: Side = Side(0)
    session_expires: int = 0  # to ask for when the caller asks for nothing; 0: observe only
    session_min: int = 0  # what is less is answered 422, or raised; 0: as the ends like it
    session_bye: bool = False
    profiles: tuple[str, ...] = ()
