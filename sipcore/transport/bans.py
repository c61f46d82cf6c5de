"""Sans-IO: the ban list: sources dropped before anything of them is parsed, until their time ends."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from sipcore.errors import SipcoreError
from sipcore.transport.source import AllowList, source_of

MAX_SECONDS = 10 * 365 * 86400.0
MAX_REASON = 200


class BanError(SipcoreError):
    """This cannot be banned; the text says which value and why."""


@dataclass(slots=True)
class Ban:
    """One source: until when (monotonic seconds), why, and what it has cost since."""

    source: str
    until: float
    reason: str
    dropped: int = 0


class BanList:
    """Bans by source; `changed` counts up whenever an exported copy would be old."""

    def __init__(self, allow: AllowList, max_bans: int = 10_000) -> None:
        self._allow = allow
        self._max_bans = max_bans
        self._bans: dict[str, Ban] = {}
        self.changed = 0
        self.refused = 0  # bans that the allow-list or the limit did not let in

    def __len__(self) -> int:
        return len(self._bans)

    def __iter__(self) -> Iterator[Ban]:
        return iter(self._bans.values())

    def add(self, address: str, seconds: float, reason: str, now: float) -> Ban:
        """Ban an IPv4 address, or the /64 of an IPv6 address; one that is banned gets the new time."""
        source = parse_source(address)
        if not 0 < seconds <= MAX_SECONDS:
            raise BanError(f"seconds: {seconds:g} is not in 1..{MAX_SECONDS:g}")
        if self._allow.overlaps(source):
            self.refused += 1
            raise BanError(f"address: {source} is on the allow-list")
        old = self._bans.get(source)
        if old is None and len(self._bans) >= self._max_bans:
            self.expire(now)
            if len(self._bans) >= self._max_bans:
                self.refused += 1
                raise BanError(f"address: {source}: there are {self._max_bans} bans, which is the limit")
        ban = self._bans[source] = Ban(source, now + seconds, reason[:MAX_REASON], old.dropped if old else 0)
        self.changed += 1
        return ban

    def remove(self, address: str) -> bool:
        """Lift a ban; False when there was none."""
        if self._bans.pop(parse_source(address), None) is None:
            return False
        self.changed += 1
        return True

    def drops(self, host: str, now: float) -> bool:
        """Whether what comes from there is dropped; it is counted."""
        source = host if ":" not in host else source_of(host)
        ban = self._bans.get(source)
        if ban is None:
            return False
        if ban.until <= now:
            del self._bans[source]
            self.changed += 1
            return False
        ban.dropped += 1
        return True

    def expire(self, now: float) -> None:
        """Forget what has ended."""
        ended = [ban.source for ban in self._bans.values() if ban.until <= now]
        for source in ended:
            del self._bans[source]
        self.changed += bool(ended)


def parse_source(address: str) -> str:
    """ "192.0.2.1", "2001:db8::1" (its /64) or "2001:db8::/64"; BanError for all else."""
    host = address.removesuffix("/64") if ":" in address else address.removesuffix("/32")
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError as error:
        raise BanError(
            f"address: {address!r} is neither an IPv4 address nor an IPv6 address or /64"
        ) from error
    return source_of(str(parsed))
