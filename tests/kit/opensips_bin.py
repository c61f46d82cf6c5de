"""Sans-IO: a node that tells and is told by OpenSIPS's BIN, and datagrams as OpenSIPS sends them."""

from sipcore.dialog.dialog import Dialog, Leg, State
from sipcore.interop.bin.contact import BinContact, BinGone, ContactPacket, Packet, decode, encode
from sipcore.interop.bin.contacts import BinContacts
from sipcore.interop.bin.dialogs import BinDialogs
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


CALL_ID, KEY = b"call@phone", b"call@phone tag-a"


class CallSide:
    """One node and the calls that it tells of and is told by BIN."""

    def __init__(self, role: Role) -> None:
        self.node = Node(role.name)
        self.node.become(role, 1)
        self.table = self.node.dialogs
        self.bin = BinDialogs(self.node.gate, self.table, self.node.held, NAMING, sends=True)

    def call(self, now: float) -> Dialog:
        """A call that has just been answered."""
        dialog = Dialog(KEY, b"tag-a", now, now + 3600)
        dialog.from_uri, dialog.to_uri = b"sip:alice@example.test", b"sip:bob@example.test"
        dialog.contact, dialog.cseq, dialog.invite_cseq = b"sip:alice@192.0.2.7", 1, 1
        leg = Leg(b"tag-b", State.CONFIRMED_NA)
        leg.contact, leg.route_set = b"sip:bob@192.0.2.8", (b"<sip:edge.test;lr>",)
        dialog.legs, dialog.answered_at = (leg,), now
        self.table.adopt(dialog, now)
        self.table._move(dialog, State.CONFIRMED_NA)  # as the table does when the 2xx passes
        return dialog

    def confirm(self, dialog: Dialog) -> None:
        """The ACK passes."""
        dialog.legs[0].state = State.CONFIRMED
        self.table._move(dialog, State.CONFIRMED)
        self.table.touch(dialog)

    def take_in(self, datagram: bytes, now: float) -> bytes | None:
        """A datagram comes."""
        return self.bin.on_packet(BinReader(datagram), now)

    def tell(self, other: "CallSide", now: float) -> None:
        """All that is to be sent reaches the other one."""
        for datagram in self.bin.take(now):
            other.take_in(datagram, now)

    def states(self, now: float) -> list[object]:
        """The calls that it leads or holds."""
        return [row["state"] for row in self.node.held.rows(now)]
