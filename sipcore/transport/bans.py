"""Sans-IO: the ban list: sources dropped before anything of them is parsed, until their time ends."""

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sipcore.errors import SipcoreError
from sipcore.replication.versions import NEVER, Version, Versions
from sipcore.transport.source import AllowList, source_of

MAX_SECONDS = 10 * 365 * 86400.0
MAX_REASON = 200
SAME = 1.0  # seconds by which the ends of one ban on two nodes may differ: the way takes time


class BanError(SipcoreError):
    """This cannot be banned; the text says which value and why."""


@dataclass(slots=True)
class Ban:
    """One source: until when (monotonic seconds), why, and what it has cost since on this node.

    `version` says when it was made or lifted last: the greater one is the newer one, on all nodes.
    """

    source: str
    until: float
    reason: str
    dropped: int = 0
    version: Version = NEVER


class BanList:
    """Bans by source; `changed` counts up whenever an exported copy would be old.

    A ban that was lifted is remembered for as long as it would have lasted: another node that has not heard
    of it yet does not bring it back (`merge`).
    """

    def __init__(self, allow: AllowList, max_bans: int = 10_000) -> None:
        self._allow = allow
        self._max_bans = max_bans
        self._bans: dict[str, Ban] = {}
        self._lifted: dict[str, Ban] = {}
        self.versions = Versions()
        self.followers: list[Callable[[Ban], None]] = []  # told of what is banned or lifted here
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
        if self._is_full_for(source, now):
            raise BanError(f"address: {source}: there are {self._max_bans} bans, which is the limit")
        ban = Ban(source, now + seconds, reason[:MAX_REASON], version=self.versions.next())
        self._put(ban)
        self._tell(ban)
        return ban

    def remove(self, address: str) -> bool:
        """Lift a ban; False when there was none."""
        ban = self._bans.get(parse_source(address))
        if ban is None:
            return False
        ban.version = self.versions.next()
        self._bury(ban)
        self._tell(ban)
        return True

    def merge(self, ban: Ban, now: float, *, lifted: bool) -> bool:
        """What another node has banned or lifted; False when what is here is newer, or it may not be here."""
        source = ban.source
        self.versions.saw(ban.version)
        if (known := self.known(source)) is not None:
            here, there = (known.version, self.is_lifted(source)), (ban.version, lifted)
            if there < here or (there == here and ban.until < known.until + SAME):
                return False
        if lifted:
            self._bury(ban)
            return True
        if self._allow.overlaps(source):
            self.refused += 1
            return False
        if self._is_full_for(source, now):
            return False
        self._put(ban)
        return True

    def known(self, source: str) -> Ban | None:
        """The ban of a source, also one that was lifted."""
        return self._bans.get(source) or self._lifted.get(source)

    def is_lifted(self, source: str) -> bool:
        """Whether it was lifted before its time ended."""
        return source in self._lifted

    def sources(self) -> list[str]:
        """All of which something is known, those that were let in again too."""
        return [*self._bans, *self._lifted]

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
        over = [ban.source for ban in self._lifted.values() if ban.until <= now]
        for source in over:
            del self._lifted[source]

    def _is_full_for(self, source: str, now: float) -> bool:
        if source in self._bans or len(self._bans) < self._max_bans:
            return False
        self.expire(now)
        if len(self._bans) < self._max_bans:
            return False
        self.refused += 1
        return True

    def _put(self, ban: Ban) -> None:
        old = self._bans.get(ban.source)
        ban.dropped = old.dropped if old is not None else 0
        self._lifted.pop(ban.source, None)
        self._bans[ban.source] = ban
        self.changed += 1

    def _bury(self, ban: Ban) -> None:
        if self._bans.pop(ban.source, None) is not None:
            self.changed += 1
        self._lifted.pop(ban.source, None)
        if len(self._lifted) >= self._max_bans:
            del self._lifted[next(iter(self._lifted))]  # the one that was lifted first
        self._lifted[ban.source] = ban

    def _tell(self, ban: Ban) -> None:
        for follower in self.followers:
            follower(ban)


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
