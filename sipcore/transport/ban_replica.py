"""Sans-IO: bans and blocks on the replication channel: who was shut out stays shut out after a takeover.

What is counted does not travel, neither pike's hits nor the dropped messages of a ban: that would be a record
per packet of a flood, and whoever floods on is over the limit of the new master within one sampling unit.
"""

from functools import partial
from typing import Annotated

import msgspec

from sipcore.errors import ReplicationError
from sipcore.replication.capability import Kind
from sipcore.replication.journal import Journal
from sipcore.transport.admission import Admission
from sipcore.transport.bans import MAX_REASON, MAX_SECONDS, Ban, parse_source
from sipcore.transport.pike import Pike

BAN = "ban"  # the other places are the names of the pikes
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class WireBan(msgspec.Struct, array_like=True, gc=False):
    """A ban, a lifted ban, or (only `remaining`) a block; new fields go to the end, with a default."""

    remaining: Annotated[float, msgspec.Meta(ge=-MAX_SECONDS, le=MAX_SECONDS)]
    reason: Annotated[str, msgspec.Meta(max_length=MAX_REASON)] = ""
    epoch: Count = 0
    change: Count = 0
    lifted: bool = False


class BanReplica:
    """One record per source and place: "ban:192.0.2.1", "udp:192.0.2.1", "stream:2001:db8::/64".

    Merge rule of bans: the later version, then lifted (BanList.merge); a lifted ban is a record too. Blocks
    are short: the longer one holds, and a delete is an operator's word. This node's allow-list and limits
    hold for what comes from a peer.
    """

    kind = Kind.BAN
    version = 1

    def __init__(self, admission: Admission, journal: Journal) -> None:
        self._bans = admission.bans
        self._journal = journal
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(WireBan).decode
        self._bans.followers.append(self._on_ban)
        self._bans.versions.gate = journal.gate
        self._pikes = {"udp": admission.udp, "stream": admission.stream}
        for place, pike in self._pikes.items():
            if pike is not None:
                pike.followers.append(partial(self._touch, place))

    def pack(self, key: bytes, now: float) -> bytes | None:
        """The ban or the block with the time it has left; None when it is over."""
        place, pike, source = self._split(key)
        if place == BAN:
            ban = self._bans.known(source)
            if ban is None or ban.until <= now:
                return None
            lifted = self._bans.is_lifted(source)
            return self._encode(WireBan(ban.until - now, ban.reason, *ban.version, lifted))
        until = pike.until(source) if pike is not None else None
        return self._encode(WireBan(until - now)) if until is not None and until > now else None

    def apply(self, key: bytes, payload: bytes, epoch: int, now: float) -> bool:
        """The peer has banned, lifted or blocked."""
        place, pike, source = self._split(key)
        wire = self._decode(payload)
        until = now + wire.remaining
        if place == BAN:
            ban = Ban(source, until, wire.reason, version=(wire.epoch, wire.change))
            return self._bans.merge(ban, now, lifted=wire.lifted)
        return pike is not None and pike.merge(source, until)

    def delete(self, key: bytes, epoch: int, now: float) -> bool:
        """A block was lifted; a ban ends on each node by its own clock."""
        _, pike, source = self._split(key)
        return pike is not None and pike.forget(source)

    def keys(self) -> list[bytes]:
        """All bans, those that were lifted, and all blocks."""
        keys = [_key(BAN, source) for source in self._bans.sources()]
        for place, pike in self._pikes.items():
            if pike is not None:
                keys += [_key(place, source) for source in pike.sources()]
        return keys

    def _on_ban(self, ban: Ban) -> None:
        self._touch(BAN, ban.source)

    def _touch(self, place: str, source: str) -> None:
        self._journal.touch(Kind.BAN, _key(place, source))

    def _split(self, key: bytes) -> tuple[str, Pike | None, str]:
        place, _, source = key.decode().partition(":")
        if (place != BAN and place not in self._pikes) or parse_source(source) != source:
            raise ReplicationError(f"{key!r} names no ban and no block of a source")
        return place, self._pikes.get(place), source


def _key(place: str, source: str) -> bytes:
    return f"{place}:{source}".encode()
