"""Sans-IO: a switchover at a time: which times can be planned, and when one is due or missed."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

MAX_AHEAD = 30 * 86400.0  # seconds
MISSED_AFTER = 60.0  # seconds: the agent did not run then; nobody expects it any more
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


@dataclass(slots=True, frozen=True)
class Planned:
    """What is planned: when (seconds UTC), and by whom."""

    at: float
    by: str


class Due(IntEnum):
    """What there is to do about it."""

    WAIT = 0
    NOW = 1
    MISSED = 2


def refuse(at: float, now: float) -> str | None:
    """Why it cannot be planned."""
    if at <= now:
        return f"at: {now - at:.0f} s ago"
    if at > now + MAX_AHEAD:
        return f"at: in {(at - now) / 86400:.1f} days, at most {MAX_AHEAD / 86400:g}"
    return None


def due(planned: Planned, now: float) -> Due:
    """Whether its time has come; the wall clock may have been set since."""
    if now < planned.at:
        return Due.WAIT
    return Due.NOW if now < planned.at + MISSED_AFTER else Due.MISSED


def parse_when(text: str, now: datetime) -> datetime:
    """`03:00` is the next such time of the day; else as ISO 8601 has it, local time unless it says otherwise.

    Raises ValueError. `now` has a time zone.
    """
    clock = _CLOCK.fullmatch(text)
    if clock is not None:
        hour, minute, second = (int(part or 0) for part in clock.groups())
        at = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
        return at if at > now else at + timedelta(days=1)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither HH:MM nor a time such as 2026-11-28T03:00") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=now.tzinfo)
