"""Sans-IO: the location table by BIN: what is told of its changes, and what is taken in.

The newest wins. An insert or update is older than what is here if it has the same Call-ID and a lower CSeq,
or another Call-ID and an earlier `last_modified`. A delete names no time: only the same Call-ID with a lower
CSeq makes it old. What a delete has removed comes back with a higher CSeq only.

Deviations: OpenSIPS takes any contact with another Call-ID, and an update that comes after its delete.
"""

from collections import Counter
from collections.abc import Iterator
from functools import partial

from sipcore.bus import Event
from sipcore.errors import BinError
from sipcore.interop.bin.contact import (
    ALL_METHODS,
    BinAor,
    BinContact,
    BinGone,
    ContactPacket,
    Packet,
    decode,
    encode,
)
from sipcore.interop.bin.naming import Naming, check_uri, received_out, route_set, text_of
from sipcore.interop.bin.wire import BinReader
from sipcore.location.binding import NAT, Binding
from sipcore.location.table import SHARDS, LocationTable

TABLE = b"location"
MAX_EXPIRES = 30 * 86400  # seconds that a contact may live
MAX_TEXT = 2048  # bytes of each string of a contact
GRACE = 60.0  # seconds after its end for which a standby keeps what nobody has removed
MAX_WAITING = 100_000  # changes between two `take`
_PACKETS = {
    Event.E_UL_AOR_INSERT: ContactPacket.AOR_INSERT,
    Event.E_UL_AOR_DELETE: ContactPacket.AOR_DELETE,
    Event.E_UL_CONTACT_INSERT: ContactPacket.CONTACT_INSERT,
    Event.E_UL_CONTACT_UPDATE: ContactPacket.CONTACT_UPDATE,
    Event.E_UL_CONTACT_DELETE: ContactPacket.CONTACT_DELETE,
}


class BinContacts:
    """Follows the events of the location bus, which a BACKUP raises none of; merges what a peer tells.

    What came by BIN is not sent by BIN again. `take` gives the datagrams that are to be sent, in order.
    """

    def __init__(self, table: LocationTable, naming: Naming, *, sends: bool) -> None:
        self._table = table
        self._naming = naming
        self._waiting: list[tuple[ContactPacket, bytes, Binding | None]] = []
        self._merging = False
        self._swept = 0
        self.counts: Counter[str] = Counter()
        if sends:
            for event, kind in _PACKETS.items():
                table.bus.subscribe(event, partial(self.on_change, kind))

    # Out

    def on_change(self, kind: ContactPacket, aor: bytes, binding: Binding | None) -> None:
        """The location table has raised an event."""
        if self._merging:
            return
        if len(self._waiting) >= MAX_WAITING:
            self.counts["bin_dropped"] += 1
            return
        self._waiting.append((kind, aor, binding))

    def take(self, now: float) -> list[bytes]:
        """The datagrams of the changes since the last time."""
        if not self._waiting:
            return []
        waiting, self._waiting = self._waiting, []
        datagrams = []
        for packet in self._packets(waiting, now):
            try:
                datagrams.append(encode(packet))
            except BinError:
                self.counts["bin_dropped"] += 1
        self.counts["bin_contacts_sent"] += len(datagrams)
        return datagrams

    def _packets(
        self, waiting: list[tuple[ContactPacket, bytes, Binding | None]], now: float
    ) -> Iterator[Packet]:
        """What has ended by itself is not told: each node sees that for itself."""
        ended = b""
        for kind, aor, binding in waiting:
            name = self._naming.aor_out(aor)
            if kind is ContactPacket.CONTACT_DELETE and binding is not None:
                if binding.expires_at <= now:
                    ended = aor
                    continue
                yield BinGone(TABLE, name, binding.uri, binding.call_id, binding.cseq & 0xFFFFFFFF)
            elif binding is not None:
                yield self._contact(kind, name, binding)
            elif kind is not ContactPacket.AOR_DELETE or aor != ended:
                yield BinAor(kind, TABLE, name)

    def _contact(self, kind: ContactPacket, name: bytes, binding: Binding) -> BinContact:
        wall = self._naming.wall
        return BinContact(
            kind,
            TABLE,
            name,
            contact=binding.uri,
            call_id=binding.call_id,
            user_agent=binding.user_agent,
            path=b",".join(binding.path),
            attr=b"",
            received=received_out(binding.received),
            instance=binding.instance,
            expires=round(wall(binding.expires_at)),
            q=round(binding.q * 1000),
            socket=self._naming.socket(binding.received),
            cseq=binding.cseq & 0xFFFFFFFF,
            flags=0,
            cflags=0,
            methods=ALL_METHODS,
            last_modified=int(wall(binding.updated_at)),
        )

    # In

    def on_packet(self, reader: BinReader, now: float) -> bytes | None:
        """A datagram of the module "ul": the AOR that has changed; a BinError says what is wrong with it."""
        packet = decode(reader)
        aor = self._naming.aor_in(packet.aor)
        self._merging = True
        try:
            if isinstance(packet, BinContact):
                changed = self._merge(aor, packet, now)
            elif isinstance(packet, BinGone):
                changed = self._remove(aor, packet)
            else:
                changed = packet.kind is ContactPacket.AOR_DELETE and self._remove_all(aor)
        finally:
            self._merging = False
        self.counts["bin_contacts_taken" if changed else "bin_contacts_old"] += 1
        return aor if changed else None

    def _merge(self, aor: bytes, packet: BinContact, now: float) -> bool:
        binding = self._binding(packet, now)
        old = self._known(aor, packet.contact)
        if old is not None:
            if self._is_old(packet, old):
                return False
            binding.epoch, binding.version = max(old.epoch, binding.epoch), old.version + 1
            binding.reg_id, binding.params = old.reg_id, old.params
            binding.instance = binding.instance or old.instance
        return binding.expires_at > now and self._table.merge(aor, [binding], now)

    def _is_old(self, packet: BinContact, old: Binding) -> bool:
        if packet.call_id == old.call_id:
            return packet.cseq < old.cseq + old.removed
        return packet.last_modified < int(self._naming.wall(old.updated_at))

    def _remove(self, aor: bytes, packet: BinGone) -> bool:
        old = self._known(aor, packet.contact)
        if old is None or old.removed or (packet.call_id == old.call_id and packet.cseq < old.cseq):
            return False
        self._table.remove(aor, old.key, call_id=packet.call_id, cseq=packet.cseq)
        return True

    def _remove_all(self, aor: bytes) -> bool:
        record = self._table.record(aor)
        live = [] if record is None else [b for b in record.bindings.values() if not b.removed]
        for binding in live:
            self._table.remove(aor, binding.key, call_id=binding.call_id, cseq=binding.cseq)
        return bool(live)

    def _known(self, aor: bytes, contact: bytes) -> Binding | None:
        record = self._table.record(aor)
        if record is None:
            return None
        return next((b for b in record.bindings.values() if b.uri == contact), None)

    def _binding(self, packet: BinContact, now: float) -> Binding:
        naming, wall = self._naming, self._naming.wall(now)
        _check_texts(packet)
        received = naming.received_in(packet.received, packet.socket)
        binding = Binding(
            packet.contact,
            call_id=packet.call_id,
            cseq=packet.cseq,
            expires_at=now + max(min(packet.expires - wall, MAX_EXPIRES), -1.0),
            q=packet.q / 1000 if packet.q >= 0 else 1.0,
            path=route_set(packet.path, MAX_TEXT),
            received=received,
            instance=packet.instance,
            flags=NAT if received is not None else 0,
            user_agent=packet.user_agent,
            epoch=self._table.gate.epoch,
            updated_at=now + max(min(packet.last_modified - wall, 0.0), -float(MAX_EXPIRES)),
        )
        if received is not None and received.transport != "udp":
            binding.lose_flow()  # its connection ends at the other server
        return binding

    def sweep(self, now: float, shards: int) -> None:
        """A standby goes through so many of the 256 shards and forgets what has ended: nobody tells it."""
        for _ in range(0 if self._table.gate.is_master else shards):
            for aor, record in self._table.shard(self._swept):
                if record.next_expiry < now - GRACE:
                    self._table.merge(aor, (), now)
            self._swept = (self._swept + 1) % SHARDS


def _check_texts(packet: BinContact) -> None:
    for text in (packet.call_id, packet.user_agent, packet.instance):
        text_of(text, MAX_TEXT)
    check_uri(packet.contact, MAX_TEXT)
    if not packet.contact or len(packet.call_id.split()) != 1:
        raise BinError("contact or callid: empty, or with blanks in it")
