"""Sans-IO: AOR records on the replication channel: packed, applied, and which version of a contact wins."""

from collections.abc import Iterator
from typing import Annotated

import msgspec

from sipcore.location.binding import REMOVED, Binding
from sipcore.location.table import SHARDS, LocationTable
from sipcore.replication.capability import Kind
from sipcore.replication.digest import Stamps, stamp_of
from sipcore.transport.layer import Hop

_MASK = 2**64 - 1
Seconds = Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)]


class WireBinding(msgspec.Struct, array_like=True, gc=False):
    """A binding or tombstone; new fields go to the end, with a default."""

    uri: bytes
    call_id: bytes
    cseq: int
    remaining: Seconds
    q: Annotated[float, msgspec.Meta(ge=0, le=1)]
    path: tuple[bytes, ...]
    received: Hop | None
    instance: bytes
    flags: int
    user_agent: bytes
    epoch: int
    version: int
    reg_id: Annotated[int, msgspec.Meta(ge=0)] = 0
    params: bytes = b""
    age: Seconds = 0.0


class LocationReplica:
    """The contacts of one AOR are one record, tombstones among them, so an update and a delete are the same
    thing.

    Merge rule per contact: Binding.rank. `delete` comes when the peer's last binding or tombstone has ended:
    it takes away what has ended here too, and nothing else. A connection does not move with its binding: what
    came over one is not reached from here before the phone has connected again (Binding.lose_flow).
    """

    kind = Kind.CONTACT
    version = 1

    def __init__(self, table: LocationTable) -> None:
        self._table = table
        self.stamps = Stamps()
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(list[WireBinding]).decode

    def pack(self, key: bytes, now: float) -> bytes | None:
        """All bindings of the AOR, None when it has none."""
        record = self._table.record(key)
        if record is None or not record.bindings:
            return None
        return self._encode([_to_wire(binding, now) for binding in record.bindings.values()])

    def changed(self, key: bytes, epoch: int) -> None:
        """The bindings have their versions: only the stamp is to be made anew."""
        self.restamp(key)

    def restamp(self, key: bytes) -> None:
        """The sum over the versions of the AOR's bindings."""
        record = self._table.record(key)
        if record is None or not record.bindings:
            self.stamps.drop(key)
            return
        stamp = 0
        for binding in record.bindings.values():
            stamp += _stamp(key, binding)
        self.stamps.put(key, stamp & _MASK)

    def ended(self, key: bytes) -> int:
        """Not known: the tombstones are in the record."""
        return -1

    def apply(self, key: bytes, payload: bytes, epoch: int, now: float) -> bool:
        """Merge a peer's bindings of this AOR."""
        if not self._table.merge(key, [_from_wire(wire, now) for wire in self._decode(payload)], now):
            return False
        self.restamp(key)
        return True

    def delete(self, key: bytes, epoch: int, now: float) -> bool:
        """Drop what has ended."""
        if self._table.record(key) is None or not self._table.merge(key, (), now):
            return False
        self.restamp(key)
        return True

    def __len__(self) -> int:
        return len(self.stamps)

    def parts(self) -> Iterator[list[bytes]]:
        """All AORs, shard by shard."""
        for number in range(SHARDS):
            yield [aor for aor, _ in self._table.shard(number)]

    def keys(self) -> list[bytes]:
        """All AORs."""
        return list(self._table.aors())


def _stamp(aor: bytes, b: Binding) -> int:
    removed = b.flags & REMOVED
    return stamp_of(b"%b %b %d %d %d %d %b" % (aor, b.key, b.epoch, b.version, b.cseq, removed, b.call_id))


def _to_wire(b: Binding, now: float) -> WireBinding:
    return WireBinding(
        b.uri,
        b.call_id,
        b.cseq,
        b.expires_at - now,
        b.q,
        b.path,
        b.received,
        b.instance,
        b.flags,
        b.user_agent,
        b.epoch,
        b.version,
        b.reg_id,
        b.params,
        min(now - b.updated_at, 1e6),
    )


def _from_wire(w: WireBinding, now: float) -> Binding:
    binding = Binding.__new__(Binding)  # a full sync makes a million of them: half the time of the keywords
    binding.uri = w.uri
    binding.call_id = w.call_id
    binding.cseq = w.cseq
    binding.expires_at = now + w.remaining
    binding.q = w.q
    binding.path = w.path
    binding.received = w.received
    binding.gone = None
    binding.instance = w.instance
    binding.reg_id = w.reg_id
    binding.params = w.params
    binding.flags = w.flags
    binding.user_agent = w.user_agent
    binding.epoch = w.epoch
    binding.version = w.version
    binding.updated_at = now - w.age
    if w.received is not None and w.received.transport != "udp":
        binding.lose_flow()
    return binding
