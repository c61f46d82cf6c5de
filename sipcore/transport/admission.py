"""Sans-IO: who may talk to us at all: the ban list first, then pike; before anything is parsed."""

from contextlib import suppress
from enum import StrEnum

from sipcore.bus import Bus, Event
from sipcore.transport.bans import BanError, BanList
from sipcore.transport.layer import Hop
from sipcore.transport.pike import Pike, PikeSettings
from sipcore.transport.source import AllowList

Batch = list[tuple[bytes, Hop]]


class AutoBan(StrEnum):
    """Which sources pike may put on the ban list: a UDP source can be forged, that of a connection cannot."""

    NONE = "none"
    STREAM = "stream"
    ALL = "all"


class Admission:
    """Bans and rate limits of one node; the bus has E_PIKE_BLOCKED with the source and its messages."""

    def __init__(
        self,
        allow: AllowList,
        bans: BanList,
        pike: PikeSettings | None = None,
        *,
        auto_ban: AutoBan = AutoBan.NONE,
        ban_seconds: float = 3600.0,
    ) -> None:
        self.bans = bans
        self.bus: Bus[int] = Bus()
        self._auto_ban = auto_ban
        self._ban_seconds = ban_seconds
        self.allow = allow
        self.udp = Pike(pike, allow, self._blocked_udp) if pike else None
        self.stream = Pike(pike, allow, self._blocked_stream) if pike else None
        self.dropped = 0  # messages and connections, whether banned or blocked

    @property
    def is_active(self) -> bool:
        """Whether there is anything to check; if not, the fast path does not ask."""
        return self.udp is not None or len(self.bans) > 0

    def admit(self, batch: Batch, now: float) -> Batch:
        """The datagrams that may be parsed."""
        bans = self.bans.drops if len(self.bans) else None
        pike = self.udp.admits if self.udp is not None else None
        admitted = [
            item
            for item in batch
            if (bans is None or not bans(item[1].host, now)) and (pike is None or pike(item[1].host, now))
        ]
        self.dropped += len(batch) - len(admitted)
        return admitted

    def admits_stream(self, host: str, now: float) -> bool:
        """Whether a connection, or one more message over it, may come from there."""
        if len(self.bans) and self.bans.drops(host, now):
            self.dropped += 1
            return False
        if self.stream is not None and not self.stream.admits(host, now):
            self.dropped += 1
            return False
        return True

    def unblock(self, source: str) -> bool:
        """Lift the blocks of pike for a source."""
        lifted = [pike.unblock(source) for pike in (self.udp, self.stream) if pike is not None]
        return any(lifted)

    def _blocked_udp(self, source: str, count: int, now: float) -> None:
        self._blocked(source, count, now, ban=self._auto_ban is AutoBan.ALL)

    def _blocked_stream(self, source: str, count: int, now: float) -> None:
        self._blocked(source, count, now, ban=self._auto_ban is not AutoBan.NONE)

    def _blocked(self, source: str, count: int, now: float, *, ban: bool) -> None:
        if ban:
            with suppress(BanError):  # the list is full (counted); the block holds all the same
                self.bans.add(source, self._ban_seconds, f"pike: {count} messages in one unit", now)
        self.bus.publish(Event.E_PIKE_BLOCKED, source.encode(), count)
