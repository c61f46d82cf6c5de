"""Sans-IO: the location table, AOR to bindings: insert, refresh, remove, expire; raises the E_UL events."""

from collections.abc import Iterable, Iterator
from math import ceil
from zlib import crc32

from sipcore.bus import Bus, Event
from sipcore.location.binding import AorRecord, Binding, Flag
from sipcore.replication.capability import Kind
from sipcore.replication.journal import Journal
from sipcore.role import Role, RoleGate
from sipcore.timers import Timer, TimerWheel

SHARDS = 256
MAX_TOMBSTONES = 32  # of one AOR; the one that would end first goes
SLACK = 1.0  # seconds by which two nodes may differ about when a binding ends
REARM_STEP = 0.01  # seconds between two shards after a takeover: what is overdue ends spread over 2.56 s


class LocationTable:
    """256 shards of AOR records. Only a MASTER lets bindings expire; a lookup never shows what is over.

    The AOR is Uri.aor(): canonical bytes, and the key on the replication channel.
    """

    def __init__(
        self, gate: RoleGate, wheel: TimerWheel, journal: Journal, bus: Bus[Binding] | None = None
    ) -> None:
        self.gate = gate
        self.journal = journal
        self.bus: Bus[Binding] = bus or Bus()
        self.contacts = 0  # bindings that are not tombstones
        self.expired = 0
        self._wheel = wheel
        self._shards: list[dict[bytes, AorRecord]] = [{} for _ in range(SHARDS)]
        self._due: dict[int, list[bytes]] = {}  # second -> AORs of which something ends then
        self._swept = 0  # up to and with this second
        self._timer: Timer | None = None

    # Questions

    def lookup(self, aor: bytes, now: float) -> list[Binding]:
        """Contacts that may be reached now, highest q first."""
        record = self._shards[crc32(aor) & 255].get(aor)
        return record.live(now) if record is not None else []

    def record(self, aor: bytes) -> AorRecord | None:
        """All that is kept of this AOR, also tombstones."""
        return self._shards[crc32(aor) & 255].get(aor)

    def aors(self) -> Iterator[bytes]:
        """All AORs, also those of which only tombstones are left."""
        for shard in self._shards:
            yield from shard

    # Changes made here (MASTER)

    def save(self, aor: bytes, binding: Binding, now: float) -> None:
        """Insert a binding, or refresh the one with the same contact URI."""
        old = self._record(aor).bindings.get(binding.uri)
        binding.epoch = self.gate.epoch
        binding.version = old.version + 1 if old is not None else 1
        self._put(aor, binding)
        self.journal.touch(Kind.CONTACT, aor)

    def remove(self, aor: bytes, uri: bytes, *, call_id: bytes, cseq: int) -> None:
        """Remove a binding; it leaves a tombstone for the time that it would have lived."""
        record = self.record(aor)
        old = record.bindings.get(uri) if record is not None else None
        if record is None or old is None or old.removed:
            return
        tombstone = Binding(
            uri,
            call_id=call_id,
            cseq=cseq,
            expires_at=old.expires_at,
            flags=Flag.REMOVED,
            epoch=self.gate.epoch,
            version=old.version + 1,
        )
        self._put(aor, tombstone)
        self._bound_tombstones(record)
        self.journal.touch(Kind.CONTACT, aor)

    # Changes made by a peer

    def merge(self, aor: bytes, bindings: Iterable[Binding], now: float) -> bool:
        """Take the versions that outrank what is here, drop what is over for both; True if any changed."""
        record = self._record(aor)
        given = set()
        changed = False
        for binding in bindings:
            given.add(binding.uri)
            mine = record.bindings.get(binding.uri)
            if mine is None or binding.rank > mine.rank:
                self._put(aor, binding)
                changed = True
        over = [b for b in record.bindings.values() if b.uri not in given and b.expires_at <= now + SLACK]
        for binding in over:
            self._drop(aor, record, binding)
        self._forget_if_empty(aor, record)
        return changed or bool(over)

    # Expiry

    def on_role(self, role: Role, now: float) -> None:
        """A MASTER arms the expiry of all bindings, shard by shard; a BACKUP lets nothing expire."""
        if self._timer is not None:
            self._wheel.cancel(self._timer)
            self._timer = None
        self._due.clear()
        if role is Role.MASTER:
            self._swept = int(now)
            self._rearm(0, now, now)

    def _rearm(self, shard: int, at: float, now: float) -> None:
        for aor, record in list(self._shards[shard].items()):
            for binding in record.bindings.values():
                self._arm(aor, binding)
            self._expire(aor, now)
        if shard + 1 < SHARDS:
            at += REARM_STEP
            self._timer = self._wheel.schedule(at, lambda now: self._rearm(shard + 1, at, now))
        else:
            self._sweep(now)

    def _arm(self, aor: bytes, binding: Binding) -> None:
        second = max(ceil(binding.expires_at), self._swept + 1)
        self._due.setdefault(second, []).append(aor)

    def _sweep(self, now: float) -> None:
        for second in range(self._swept + 1, int(now) + 1):
            for aor in self._due.pop(second, ()):
                self._expire(aor, now)
        self._swept = max(self._swept, int(now))
        self._timer = self._wheel.schedule(self._swept + 1.0, self._sweep)

    def _expire(self, aor: bytes, now: float) -> None:
        record = self.record(aor)
        over = [b for b in record.bindings.values() if b.expires_at <= now] if record is not None else []
        if record is None or not over:
            return
        for binding in over:
            self.expired += not binding.removed
            self._drop(aor, record, binding)
        self.journal.touch(Kind.CONTACT, aor)
        self._forget_if_empty(aor, record)

    # Steps

    def _record(self, aor: bytes) -> AorRecord:
        shard = self._shards[crc32(aor) & 255]
        record = shard.get(aor)
        if record is None:
            record = shard[aor] = AorRecord()
        return record

    def _put(self, aor: bytes, binding: Binding) -> None:
        record = self._record(aor)
        old = record.bindings.get(binding.uri)
        was, is_ = old is not None and not old.removed, not binding.removed
        alone = self.gate.is_master and is_ is not was and not self._others(record, binding)
        record.bindings[binding.uri] = binding
        self.contacts += is_ - was
        if not self.gate.is_master:
            return
        self._arm(aor, binding)
        if was and not is_:
            self.bus.publish(Event.E_UL_CONTACT_DELETE, aor, old)
        if alone:
            self.bus.publish(Event.E_UL_AOR_INSERT if is_ else Event.E_UL_AOR_DELETE, aor)
        if is_:
            self.bus.publish(Event.E_UL_CONTACT_UPDATE if was else Event.E_UL_CONTACT_INSERT, aor, binding)

    def _drop(self, aor: bytes, record: AorRecord, binding: Binding) -> None:
        del record.bindings[binding.uri]
        if binding.removed:
            return
        self.contacts -= 1
        if self.gate.is_master:
            self.bus.publish(Event.E_UL_CONTACT_DELETE, aor, binding)
            if not self._others(record, binding):
                self.bus.publish(Event.E_UL_AOR_DELETE, aor)

    @staticmethod
    def _others(record: AorRecord, binding: Binding) -> bool:
        return any(not other.removed and other.uri != binding.uri for other in record.bindings.values())

    def _forget_if_empty(self, aor: bytes, record: AorRecord) -> None:
        if not record.bindings:
            del self._shards[crc32(aor) & 255][aor]

    def _bound_tombstones(self, record: AorRecord) -> None:
        tombstones = [b for b in record.bindings.values() if b.removed]
        if len(tombstones) > MAX_TOMBSTONES:
            del record.bindings[min(tombstones, key=lambda b: b.expires_at).uri]
