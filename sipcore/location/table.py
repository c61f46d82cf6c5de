"""Sans-IO: the location table, AOR to bindings: insert, refresh, remove, expire; raises the E_UL events."""

from collections.abc import Iterable, Iterator
from math import ceil, inf
from zlib import crc32

from sipcore.bus import Bus, Event
from sipcore.location.aor import AorRules
from sipcore.location.binding import REMOVED, AorRecord, Binding, is_same_phone
from sipcore.location.gruu import Gruus, digest_of
from sipcore.location.moved import MovedFlows
from sipcore.message import Uri
from sipcore.replication.capability import Kind
from sipcore.replication.journal import Journal
from sipcore.role import Role, RoleGate
from sipcore.timers import Timer, TimerWheel
from sipcore.transport.layer import Hop

SHARDS = 256
MAX_TOMBSTONES = 32  # of one AOR; the one that would end first goes
SLACK = 1.0  # seconds by which two nodes may differ about when a binding ends
REARM_STEP = 0.01  # seconds between two shards after a takeover: what is overdue ends spread over 2.56 s


class LocationTable:
    """256 shards of AOR records. Only a MASTER lets bindings expire; a lookup never shows what is over.

    The AOR is `aor(uri)`: canonical bytes, and the key on the replication channel. Events of the bus, each
    once per change and on a MASTER only: E_UL_AOR_INSERT and E_UL_AOR_DELETE (first contact, last contact; no
    subject), E_UL_CONTACT_INSERT, E_UL_CONTACT_UPDATE (the new binding), E_UL_CONTACT_DELETE (the old one).
    """

    def __init__(
        self,
        gate: RoleGate,
        wheel: TimerWheel,
        journal: Journal,
        bus: Bus[Binding] | None = None,
        *,
        rules: AorRules | None = None,
        gruus: Gruus | None = None,
    ) -> None:
        self.gate = gate
        self.journal = journal
        self.bus: Bus[Binding] = bus or Bus()
        self.rules = rules or AorRules()
        self.gruus = gruus
        self.moved = MovedFlows()
        self.contacts = 0  # bindings that are not tombstones
        self.expired = 0
        self._wheel = wheel
        self._shards: list[dict[bytes, AorRecord]] = [{} for _ in range(SHARDS)]
        self._flows: dict[int, set[tuple[bytes, bytes]]] = {}  # connection -> AOR and key of its bindings
        self._due: dict[int, list[bytes]] = {}  # second -> AORs of which something may end then
        self._swept = 0  # up to and with this second
        self._timer: Timer | None = None
        self.reunion_until = -inf  # after a takeover: phones whose connection was lost are about to be back

    # Questions

    def aor(self, uri: Uri) -> bytes:
        """The address-of-record that a URI stands for."""
        return self.rules.aor(uri)

    def find(self, uri: Uri, now: float) -> list[Binding]:
        """Where a request for this URI may go now, highest q first; the URI may be a GRUU (RFC 5627)."""
        aor = self.rules.aor(uri)
        if b"gr" in uri.params and self.gruus is not None:
            return self._find_instance(self.gruus, uri, aor, now)
        record = self._shards[crc32(aor) & 255].get(aor)
        return record.targets(now, gone_too=now < self.reunion_until) if record is not None else []

    def _find_instance(self, gruus: Gruus, uri: Uri, aor: bytes, now: float) -> list[Binding]:
        meaning = gruus.read(uri, aor)
        record = self.record(meaning.aor) if meaning is not None else None
        if meaning is None or record is None:
            return []
        if meaning.instance:
            return [b for b in record.targets(now) if b.instance == meaning.instance]
        return [b for b in record.targets(now) if digest_of(b.instance, b.call_id) == meaning.digest]

    def lookup(self, aor: bytes, now: float) -> list[Binding]:
        """Contacts that are registered now, highest q first, also those that wait for a new connection."""
        record = self._shards[crc32(aor) & 255].get(aor)
        return record.live(now) if record is not None else []

    def record(self, aor: bytes) -> AorRecord | None:
        """All that is kept of this AOR, also tombstones."""
        return self._shards[crc32(aor) & 255].get(aor)

    def aors(self) -> Iterator[bytes]:
        """All AORs, also those of which only tombstones are left."""
        for shard in self._shards:
            yield from shard

    def shard(self, number: int) -> list[tuple[bytes, AorRecord]]:
        """The AORs of one shard, for who goes through the whole table in small steps."""
        return list(self._shards[number].items())

    def gone(self) -> Iterator[Hop]:
        """The connections that contacts had on another node, or here; read in small steps."""
        for number in range(len(self._shards)):
            for _, record in self.shard(number):
                for binding in record.bindings.values():
                    if binding.gone is not None and not binding.removed:
                        yield binding.gone

    # Changes made here (MASTER)

    def save(self, aor: bytes, binding: Binding, now: float) -> None:
        """Insert a binding, or refresh the one with the same key."""
        record, key = self._record(aor), binding.key
        old = record.bindings.get(key)
        binding.epoch = self.gate.epoch
        binding.version = old.version + 1 if old is not None else 1
        binding.updated_at = now
        self._put(aor, record, key, binding)
        if old is not None:
            self.moved.move(old.gone or old.received, binding.received)
        elif binding.received is not None and binding.received.flow:
            self._rehome(aor, record, binding)
        self.journal.touch(Kind.CONTACT, aor)

    def _rehome(self, aor: bytes, record: AorRecord, binding: Binding) -> None:
        """A phone that writes the port of its connection into its Contact is known again by other marks."""
        left = [b for b in record.bindings.values() if b is not binding and is_same_phone(b, binding)]
        if len(left) == 1:
            old = left[0]
            self.moved.move(old.gone, binding.received)
            self.remove(aor, old.key, call_id=binding.call_id, cseq=binding.cseq)

    def remove(self, aor: bytes, key: bytes, *, call_id: bytes, cseq: int) -> None:
        """Remove a binding; it leaves a tombstone for the time that it would have lived."""
        record = self.record(aor)
        old = record.bindings.get(key) if record is not None else None
        if record is None or old is None or old.removed:
            return
        tombstone = Binding(
            old.uri,
            call_id=call_id,
            cseq=cseq,
            expires_at=old.expires_at,
            instance=old.instance,
            reg_id=old.reg_id,
            flags=REMOVED,
            epoch=self.gate.epoch,
            version=old.version + 1,
            updated_at=old.updated_at,
        )
        self._put(aor, record, key, tombstone)
        self._bound_tombstones(record)
        self.journal.touch(Kind.CONTACT, aor)

    def on_flow_closed(self, flow: int, now: float) -> None:
        """A connection of this node is gone: what was registered over it is not reached over it any more."""
        for aor, key in self._flows.pop(flow, ()):
            record = self.record(aor)
            binding = record.bindings.get(key) if record is not None else None
            if binding is not None and binding.received is not None and binding.received.flow == flow:
                binding.lose_flow()

    # Changes made by a peer

    def merge(self, aor: bytes, bindings: Iterable[Binding], now: float) -> bool:
        """Take the versions that outrank what is here, drop what is over for both; True if any changed."""
        shard = self._shards[crc32(aor) & 255]
        record = shard.get(aor)
        if record is None:
            if not self.gate.is_master:  # as in a full sync
                return self._take(shard, aor, bindings)
            record = shard[aor] = AorRecord()
        given = set()
        changed = False
        for binding in bindings:
            key = binding.key
            given.add(key)
            mine = record.bindings.get(key)
            if mine is None and self.gate.is_master and binding.expires_at <= now:
                continue  # it has ended here already
            if mine is None or binding.rank > mine.rank:
                self._put(aor, record, key, binding)
                changed = True
        over = [k for k, b in record.bindings.items() if k not in given and b.expires_at <= now + SLACK]
        for key in over:
            self._drop(aor, record, key)
        self._forget_if_empty(aor, record)
        return changed or bool(over)

    def _take(self, shard: dict[bytes, AorRecord], aor: bytes, bindings: Iterable[Binding]) -> bool:
        """An AOR that this standby has not known."""
        record = AorRecord()
        for binding in bindings:
            record.bindings[binding.key] = binding
            self.contacts += not binding.flags & REMOVED
        if not record.bindings:
            return False
        shard[aor] = record
        return True

    # Expiry

    def on_role(self, role: Role, now: float) -> None:
        """A MASTER arms the expiry of all bindings, shard by shard; a BACKUP lets nothing expire.

        A BACKUP has lost its connections: they are those of an address that is elsewhere now.
        """
        if self._timer is not None:
            self._wheel.cancel(self._timer)
            self._timer = None
        self._due.clear()
        if role is Role.BACKUP:
            for flow in list(self._flows):
                self.on_flow_closed(flow, now)
        else:
            self._swept = int(now)
            self._rearm(0, now, now)

    def _rearm(self, shard: int, at: float, now: float) -> None:
        for aor, record in list(self._shards[shard].items()):
            record.due = 0
            self._expire(aor, now)
        if shard + 1 < SHARDS:
            at += REARM_STEP
            self._timer = self._wheel.schedule(at, lambda now: self._rearm(shard + 1, at, now))
        else:
            self._sweep(now)

    def _arm(self, aor: bytes, record: AorRecord, expires_at: float) -> None:
        """Look at this AOR when this has ended; an earlier look, which arms the next one, does as well."""
        second = max(ceil(expires_at), self._swept + 1)
        if not record.due or second < record.due:
            record.due = second
            self._due.setdefault(second, []).append(aor)

    def _sweep(self, now: float) -> None:
        for second in range(self._swept + 1, int(now) + 1):
            for aor in self._due.pop(second, ()):
                record = self.record(aor)
                if record is not None and record.due == second:
                    record.due = 0
                    self._expire(aor, now)
        self._swept = max(self._swept, int(now))
        self._timer = self._wheel.schedule(self._swept + 1.0, self._sweep)

    def _expire(self, aor: bytes, now: float) -> None:
        """Drop what has ended, and come back when the next one does."""
        record = self.record(aor)
        if record is None:
            return
        over = [key for key, binding in record.bindings.items() if binding.expires_at <= now]
        for key in over:
            self.expired += not record.bindings[key].removed
            self._drop(aor, record, key)
        if over:
            self.journal.touch(Kind.CONTACT, aor)
        if record.bindings:
            self._arm(aor, record, record.next_expiry)
        self._forget_if_empty(aor, record)

    # Steps

    def _record(self, aor: bytes) -> AorRecord:
        shard = self._shards[crc32(aor) & 255]
        record = shard.get(aor)
        if record is None:
            record = shard[aor] = AorRecord()
        return record

    def _put(self, aor: bytes, record: AorRecord, key: bytes, binding: Binding) -> None:
        old = record.bindings.get(key)
        was, is_ = old is not None and not old.removed, not binding.removed
        is_master = self.gate.is_master
        alone = is_master and is_ is not was and not _others(record, key)
        record.bindings[key] = binding
        self.contacts += is_ - was
        if not is_master:
            return
        self._arm(aor, record, binding.expires_at)
        self._follow(aor, key, old, binding)
        if was and not is_:
            self.bus.publish(Event.E_UL_CONTACT_DELETE, aor, old)
        if alone:
            self.bus.publish(Event.E_UL_AOR_INSERT if is_ else Event.E_UL_AOR_DELETE, aor)
        if is_:
            self.bus.publish(Event.E_UL_CONTACT_UPDATE if was else Event.E_UL_CONTACT_INSERT, aor, binding)

    def _follow(self, aor: bytes, key: bytes, old: Binding | None, new: Binding | None) -> None:
        """Keep in mind which bindings end with which connection."""
        before = old.received.flow if old is not None and old.received is not None else 0
        after = new.received.flow if new is not None and new.received is not None else 0
        if before == after:
            return
        bindings = self._flows.get(before)
        if bindings is not None:
            bindings.discard((aor, key))
            if not bindings:
                del self._flows[before]
        if after:
            self._flows.setdefault(after, set()).add((aor, key))

    def _drop(self, aor: bytes, record: AorRecord, key: bytes) -> None:
        binding = record.bindings.pop(key)
        self._follow(aor, key, binding, None)
        if binding.removed:
            return
        self.contacts -= 1
        if self.gate.is_master:
            self.bus.publish(Event.E_UL_CONTACT_DELETE, aor, binding)
            if not _others(record, key):
                self.bus.publish(Event.E_UL_AOR_DELETE, aor)

    def _forget_if_empty(self, aor: bytes, record: AorRecord) -> None:
        if not record.bindings:
            del self._shards[crc32(aor) & 255][aor]

    def _bound_tombstones(self, record: AorRecord) -> None:
        tombstones = [b for b in record.bindings.values() if b.removed]
        if len(tombstones) > MAX_TOMBSTONES:
            del record.bindings[min(tombstones, key=lambda b: b.expires_at).key]


def _others(record: AorRecord, key: bytes) -> bool:
    return any(not other.removed and found != key for found, other in record.bindings.items())
