"""Sans-IO: pike, the rate limit per source of OpenSIPS' module of that name, with its parameters.

A source is hot when its messages in one sampling unit reach `reqs_density_per_unit`; it is then blocked until
`remove_latency` after the last unit in which it was hot.

A UDP source can be forged: whoever floods in the name of a phone has that phone blocked. So there is one Pike
for UDP and one for connections, and what is forged over UDP never blocks TCP, TLS or WebSocket of the same
address; peers belong on the allow-list; a block is short and is no ban unless the configuration says so.

Deviations: OpenSIPS counts in a tree of address bytes, averages two units and blocks whole networks too;
here a unit counts by itself, a source is an IPv4 address or an IPv6 /64. Memory is bounded by
`max_sources`: in a unit with more of them the later ones are not counted (a flood comes early in a unit more
often than a phone does).
"""

from collections.abc import Callable
from dataclasses import dataclass

from sipcore.transport.source import AllowList, source_of


@dataclass(frozen=True, slots=True)
class PikeSettings:
    """The names and the defaults of OpenSIPS."""

    sampling_time_unit: float = 2.0
    reqs_density_per_unit: int = 30
    remove_latency: float = 120.0
    max_sources: int = 65536


class Pike:
    """Counts messages by source; `on_blocked(source, count, now)` is told once per block."""

    def __init__(
        self, settings: PikeSettings, allow: AllowList, on_blocked: Callable[[str, int, float], None]
    ) -> None:
        self._settings = settings
        self._allow = allow
        self._on_blocked = on_blocked
        self._hits: dict[str, int] = {}
        self._blocked: dict[str, float] = {}  # until when
        self._unit_ends = 0.0
        self.followers: list[
            Callable[[str], None]
        ] = []  # told of blocks that are made, renewed or lifted here
        self.blocks = 0  # how often a source was blocked
        self.untracked = 0  # messages that were not counted: too many sources in one unit

    def __len__(self) -> int:
        return len(self._blocked)

    def admits(self, host: str, now: float) -> bool:
        """Count one message; False when its source is blocked (the message is counted all the same)."""
        if now >= self._unit_ends:
            self._next_unit(now)
        source = host if ":" not in host else source_of(host)
        hits = self._hits
        count = hits.get(source, 0) + 1
        if count > 1 or len(hits) < self._settings.max_sources:
            hits[source] = count
        else:
            self.untracked += 1
        if count >= self._settings.reqs_density_per_unit:
            self._block(source, host, count, now)
        return source not in self._blocked or host in self._allow

    def blocked(self, now: float) -> list[tuple[str, float]]:
        """The blocked sources and for how many seconds they are."""
        return [(source, until - now) for source, until in self._blocked.items() if until > now]

    def unblock(self, source: str) -> bool:
        """Let it in again; False when it was not blocked."""
        self._hits.pop(source, None)
        if self._blocked.pop(source, None) is None:
            return False
        self._tell(source)
        return True

    def sources(self) -> list[str]:
        """All that are blocked, or were until a moment ago."""
        return list(self._blocked)

    def until(self, source: str) -> float | None:
        """How long it is blocked; None: it is not."""
        return self._blocked.get(source)

    def merge(self, source: str, until: float) -> bool:
        """Another node blocks it; False when it is blocked as long here, or must not be."""
        known = self._blocked.get(source)
        if self._allow.overlaps(source) or (known or 0.0) >= until:
            return False
        if known is None and len(self._blocked) >= self._settings.max_sources:
            return False
        self._blocked[source] = until
        return True

    def forget(self, source: str) -> bool:
        """Another node has let it in again."""
        return self._blocked.pop(source, None) is not None

    def _block(self, source: str, host: str, count: int, now: float) -> None:
        known = source in self._blocked
        if host in self._allow:
            return
        if not known and len(self._blocked) >= self._settings.max_sources:
            return
        self._blocked[source] = now + self._settings.remove_latency
        if not known:
            self.blocks += 1
            self._on_blocked(source, count, now)
        if not known or count == self._settings.reqs_density_per_unit:  # once in a unit
            self._tell(source)

    def _tell(self, source: str) -> None:
        for follower in self.followers:
            follower(source)

    def _next_unit(self, now: float) -> None:
        """What was hot in the unit before is blocked already, so its counts are not needed any more."""
        self._hits = {}
        self._unit_ends = now + self._settings.sampling_time_unit
        ended = [source for source, until in self._blocked.items() if until <= now]
        for source in ended:
            del self._blocked[source]
