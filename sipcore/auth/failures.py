"""Sans-IO: how often a user or a source gave a wrong password lately; bounded."""

from dataclasses import dataclass
from typing import TypeVar

from sipcore.bus import Bus, Event
from sipcore.transport.layer import Hop

K = TypeVar("K", bytes, str)
MAX_NAME = 64  # bytes of a user name that are looked at: longer ones that begin alike count as one
MAX_COUNTED = 16384  # users, and as many sources; beyond it those that were counted first are forgotten


@dataclass(slots=True, frozen=True)
class AuthFailure:
    """The subject of E_AUTH_FAILURE: a wrong answer to a challenge of ours."""

    user: bytes  # the name that was tried, whether there is such a user or not
    source: Hop | None
    user_failures: int  # of this name within the window, this one among them
    source_failures: int  # of this address, whatever the name; 0 when the source is not known


class Failures:
    """Counts wrong answers to genuine nonces, so that nobody is counted for what another made up for him."""

    def __init__(self, window: float = 60.0, max_counted: int = MAX_COUNTED) -> None:
        self.window = window
        self.bus: Bus[AuthFailure] = Bus()
        self.total = 0
        self._max = max_counted
        self._users: dict[bytes, tuple[float, int]] = {}
        self._sources: dict[str, tuple[float, int]] = {}

    def on_failure(self, user: bytes, source: Hop | None, now: float) -> None:
        """Count it and raise E_AUTH_FAILURE."""
        self.total += 1
        by_user = self._count(self._users, user[:MAX_NAME], now)
        by_source = self._count(self._sources, source.host, now) if source is not None else 0
        self.bus.publish(Event.E_AUTH_FAILURE, user, AuthFailure(user, source, by_user, by_source))

    def _count(self, counted: dict[K, tuple[float, int]], key: K, now: float) -> int:
        began, count = counted.pop(key, (now, 0))
        if now - began > self.window:
            began, count = now, 0
        elif not count and len(counted) >= self._max:
            del counted[next(iter(counted))]
        counted[key] = began, count + 1
        return count + 1
