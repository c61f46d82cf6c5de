"""Sans-IO: a node that tells and is told by OpenSIPS's BIN, and datagrams as OpenSIPS sends them."""

from sipcore.interop.bin.contact import BinContact, BinGone, ContactPacket, Packet, decode, encode
from sipcore.interop.bin.contacts import BinContacts
from sipcore.interop.bin.naming import Naming
from sipcore.interop.bin.wire import BinReader
from sipcore.location.binding import Binding
from sipcore.role import Role
from sipcore.transport.layer import Hop
from tests.kit.replication import Node

EPOCH = 1_700_000_000
AOR = b"sip:u@example.test"
URI = b"sip:u@192.0.2.7:5060"
NAMING = Naming(b"example.test", (b"udp:192.0.2.100:5060", b"tcp:192.0.2.100:5060"), lambda now: now + EPOCH)


class Side:
    """One node, with what it sends and takes by BIN."""

    def __init__(self, role: Role, naming: Naming = NAMING) -> None:
        self.node = Node(role.name)
        self.node.become(role, 1)
        self.table = self.node.table
        self.bin = BinContacts(self.table, naming, sends=True)

    def register(self, cseq: int, now: float, *, uri: bytes = URI, call_id: bytes = b"c", q: float = 1.0,
                 received: Hop | None = None) -> None:  # fmt: skip
        binding = Binding(uri, call_id=call_id, cseq=cseq, expires_at=now + 600, q=q, received=received)
        self.table.save(AOR, binding, now)

    def take_in(self, datagram: bytes, now: float) -> bytes | None:
        return self.bin.on_packet(BinReader(datagram), now)

    def live(self, now: float) -> list[Binding]:
        return self.table.lookup(AOR, now)


def packets(side: Side, now: float) -> list[Packet]:
    return [decode(BinReader(datagram)) for datagram in side.bin.take(now)]


def contact(cseq: int, at: float, *, call_id: bytes = b"c", **changed: bytes | int) -> bytes:
    packet = BinContact(
        ContactPacket.CONTACT_UPDATE, b"location", b"u", URI, call_id, b"", b"", b"", b"", b"",
        int(EPOCH + at + 600), -1, b"udp:203.0.113.1:5060", cseq, 0, 0, 0, int(EPOCH + at),
    )  # fmt: skip
    for name, value in changed.items():
        setattr(packet, name, value)
    return encode(packet)


def gone(cseq: int, call_id: bytes = b"c") -> bytes:
    return encode(BinGone(b"location", b"u", URI, call_id, cseq))
