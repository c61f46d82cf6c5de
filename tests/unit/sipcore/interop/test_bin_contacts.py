"""Sans-IO: the location table by BIN: who tells what, and which of two versions of a contact stays."""

import pytest

from sipcore.errors import BinError
from sipcore.interop.bin.contact import BinAor, BinContact, BinGone, ContactPacket, encode
from sipcore.interop.bin.naming import Naming
from sipcore.role import Role
from sipcore.transport.layer import Hop
from tests.kit.opensips_bin import AOR, EPOCH, URI, Side, contact, gone, packets


def test_a_master_tells_of_insert_update_and_delete_in_the_order_of_opensips() -> None:
    side = Side(Role.MASTER)
    side.register(1, 10.0)
    side.register(2, 20.0)
    side.table.remove(AOR, URI, call_id=b"c", cseq=3)
    first, insert, update, delete, last = packets(side, 20.0)
    assert first == BinAor(ContactPacket.AOR_INSERT, b"location", b"u")
    assert last == BinAor(ContactPacket.AOR_DELETE, b"location", b"u")
    assert delete == BinGone(b"location", b"u", URI, b"c", 2)
    assert isinstance(insert, BinContact)
    assert isinstance(update, BinContact)
    assert (insert.kind, insert.expires, insert.last_modified) == (3, EPOCH + 610, EPOCH + 10)
    assert (update.kind, update.cseq, update.socket) == (4, 2, b"udp:192.0.2.100:5060")
    assert packets(side, 20.0) == []


def test_a_backup_tells_nothing() -> None:
    side = Side(Role.BACKUP)
    side.register(1, 10.0)
    assert packets(side, 10.0) == []


def test_what_ends_by_itself_is_not_told() -> None:
    side = Side(Role.MASTER)
    side.register(1, 10.0)
    side.bin.take(10.0)
    for second in range(11, 701):
        side.node.wheel.advance(float(second))
    assert side.table.expired == 1
    assert packets(side, 700.0) == []


@pytest.mark.parametrize("role", [Role.BACKUP, Role.MASTER])
def test_what_one_tells_the_other_has(role: Role) -> None:
    a, b = Side(Role.MASTER), Side(role)
    a.register(7, 10.0, q=0.5, received=Hop("198.51.100.7", 4000))
    for datagram in a.bin.take(10.0):
        b.take_in(datagram, 10.0)
    (there,) = b.live(11.0)
    assert (there.uri, there.call_id, there.cseq, there.q) == (URI, b"c", 7, 0.5)
    assert there.received == Hop("198.51.100.7", 4000)
    assert there.expires_at == 610.0
    assert packets(b, 11.0) == []  # it does not go round in circles
    a.table.remove(AOR, URI, call_id=b"c", cseq=8)
    for datagram in a.bin.take(12.0):
        b.take_in(datagram, 12.0)
    assert b.live(12.0) == []


def test_a_connection_does_not_come_with_its_contact() -> None:
    a, b = Side(Role.MASTER), Side(Role.BACKUP)
    a.register(1, 10.0, received=Hop("198.51.100.7", 4000, 1, "tcp", 5))
    for datagram in a.bin.take(10.0):
        b.take_in(datagram, 10.0)
    (there,) = b.live(11.0)
    assert not there.is_reachable(11.0)
    assert there.gone == Hop("198.51.100.7", 4000, 1, "tcp")


def test_the_newest_wins_in_whatever_order_it_comes() -> None:
    side = Side(Role.BACKUP)
    assert side.take_in(contact(5, 10.0), 10.0) == AOR
    assert side.take_in(contact(4, 9.0), 10.0) is None  # the same Call-ID, an older CSeq
    assert side.take_in(contact(1, 5.0, call_id=b"old"), 10.0) is None  # another Call-ID, made earlier
    assert side.take_in(contact(1, 10.0, call_id=b"new"), 10.0) == AOR
    assert [b.call_id for b in side.live(10.0)] == [b"new"]


def test_an_update_that_comes_after_its_delete_does_not_bring_the_contact_back() -> None:
    side = Side(Role.BACKUP)
    side.take_in(contact(5, 10.0), 10.0)
    assert side.take_in(gone(4), 10.0) is None
    assert side.take_in(gone(5), 10.0) == AOR
    assert side.take_in(contact(5, 10.0), 10.0) is None
    assert side.live(10.0) == []
    assert side.take_in(contact(6, 11.0), 11.0) == AOR
    assert len(side.live(11.0)) == 1


def test_the_end_of_an_aor_ends_all_its_contacts() -> None:
    side = Side(Role.BACKUP)
    side.take_in(contact(5, 10.0), 10.0)
    side.take_in(contact(5, 10.0, contact=b"sip:u@192.0.2.8"), 10.0)
    assert len(side.live(10.0)) == 2
    side.take_in(encode(BinAor(ContactPacket.AOR_DELETE, b"location", b"u")), 10.0)
    assert side.live(10.0) == []


def test_a_contact_that_is_over_is_not_taken_and_none_lives_longer_than_a_month() -> None:
    side = Side(Role.BACKUP)
    assert side.take_in(contact(1, 10.0, expires=EPOCH), 10.0) is None
    side.take_in(contact(1, 10.0, expires=2**62), 10.0)
    assert side.live(10.0)[0].expires_at == 10.0 + 30 * 86400


@pytest.mark.parametrize(
    "changed",
    [
        {"contact": b"not a URI"},
        {"contact": b"sip:u@h\r\nVia: x"},
        {"call_id": b"a b"},
        {"user_agent": b"x\r\ny"},
        {"path": b"<sip:p;lr>, nonsense<"},
        {"received": b"sip:name.example:5060"},
        {"received": b"sip:192.0.2.1:5060;transport=sctp"},
        {"aor": b""},
        {"aor": b"u\0"},
        {"aor": b"u" * 513},
        {"contact": b"sip:" + b"u" * 3000 + b"@h"},
    ],
)
def test_what_would_break_a_message_of_ours_is_refused(changed: dict[str, bytes]) -> None:
    side = Side(Role.BACKUP)
    with pytest.raises(BinError):
        side.take_in(contact(1, 10.0, **changed), 10.0)
    assert side.table.contacts == 0


def test_a_standby_forgets_what_has_ended_a_minute_ago() -> None:
    side = Side(Role.BACKUP)
    side.take_in(contact(1, 10.0), 10.0)
    side.bin.sweep(660.0, 256)
    assert side.table.record(AOR) is not None
    side.bin.sweep(680.0, 256)
    assert side.table.record(AOR) is None


def test_with_use_domain_an_aor_has_its_domain() -> None:
    side = Side(Role.MASTER, Naming(b"example.test", (b"udp:192.0.2.100:5060",), lambda now: now, True))
    side.register(1, 10.0)
    assert {packet.aor for packet in packets(side, 10.0)} == {b"u@example.test"}
