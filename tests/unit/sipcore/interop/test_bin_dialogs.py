"""Sans-IO: calls by BIN: the datagrams byte for byte, who tells what, and what a late one may still do."""

import pytest

from sipcore.dialog.dialog import EndReason
from sipcore.errors import BinError
from sipcore.interop.bin.dialog import BinDialog, BinEnded, DialogPacket, decode, encode
from sipcore.interop.bin.wire import BinReader, checksum
from sipcore.replication.capability import Kind
from sipcore.role import Role
from tests.kit.opensips_bin import CALL_ID, EPOCH, KEY, CallSide

BODY = (
    b"\x06\0\0\0dialog" b"\x02\0\0\0"
    b"\x0a\0\0\0call@phone" b"\x05\0\0\0tag-a" b"\x05\0\0\0tag-b"
    b"\x16\0\0\0sip:alice@example.test" b"\x14\0\0\0sip:bob@example.test"
    b"\x2a\0\0\0" b"\0\xf1\x53\x65" b"\x04\0\0\0"
    b"\x14\0\0\0udp:192.0.2.100:5060" b"\x14\0\0\0udp:192.0.2.100:5060"
    b"\x02\0\0\x0012" b"\x01\0\0\x000"
    b"\0\0\0\0" b"\x12\0\0\0<sip:edge.test;lr>"
    b"\x13\0\0\0sip:alice@192.0.2.7" b"\x11\0\0\0sip:bob@192.0.2.8"
    b"\0\0\0\0" b"\0\0\0\0" b"\0\0\0\0" b"\0\0\0\0"
    b"\0\0\0\0" b"\0\0\0\0" b"\x10\xff\x53\x65" b"\0\0\0\0" b"\0\0\0\0"
)  # fmt: skip


def dialog(cseq: int = 12, /, **changed: bytes | int) -> BinDialog:
    packet = BinDialog(
        DialogPacket.UPDATED, CALL_ID, b"tag-a", b"tag-b", b"sip:alice@example.test", b"sip:bob@example.test",
        42, EPOCH, 4, b"udp:192.0.2.100:5060", b"udp:192.0.2.100:5060", b"%d" % cseq, b"0", b"",
        b"<sip:edge.test;lr>", b"sip:alice@192.0.2.7", b"sip:bob@192.0.2.8", b"", b"", b"", b"", 0, 0,
        EPOCH + 3600, 0, 0,
    )  # fmt: skip
    for name, value in changed.items():
        setattr(packet, name, value)
    return packet


ENDED = encode(BinEnded(CALL_ID, b"tag-a", b"tag-b"))


def test_a_dialog_stands_on_the_wire_byte_for_byte() -> None:
    data = b"P4CK" + checksum(BODY).to_bytes(4, "little") + BODY
    assert encode(dialog()) == data
    assert decode(BinReader(data)) == dialog()


def test_the_end_of_a_dialog_stands_on_the_wire_byte_for_byte() -> None:
    body = b"\x06\0\0\0dialog\x03\0\0\0\x0a\0\0\0call@phone\x05\0\0\0tag-a\x05\0\0\0tag-b"
    assert b"P4CK" + checksum(body).to_bytes(4, "little") + body == ENDED


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"\x06\0\0\0dialog\x04\0\0\0", "4 is no packet type of dialog"),
        (BODY[:-1], "1 bytes too early"),
        (BODY + b"\0", "after the last field"),
    ],
)
def test_what_is_wrong_with_a_dialog_is_said(body: bytes, said: str) -> None:
    with pytest.raises(BinError, match=said):
        decode(BinReader(b"P4CK" + checksum(body).to_bytes(4, "little") + body))


def test_a_master_tells_of_the_answer_the_ack_a_new_cseq_and_the_end() -> None:
    side = CallSide(Role.MASTER)
    call = side.call(10.0)
    told = side.bin.take(10.0)
    side.confirm(call)
    told += side.bin.take(10.1)
    call.cseq = 2
    side.table.touch(call)
    told += side.bin.take(20.0)
    side.table.remove(call, 30.0, EndReason.BYE)
    told += side.bin.take(30.0)
    created, confirmed, updated, ended = (decode(BinReader(datagram)) for datagram in told)
    assert isinstance(created, BinDialog)
    assert isinstance(confirmed, BinDialog)
    assert isinstance(updated, BinDialog)
    assert (created.kind, created.state, created.start_ts) == (DialogPacket.CREATED, 3, EPOCH + 10)
    assert (confirmed.kind, confirmed.state, confirmed.caller_cseq) == (DialogPacket.UPDATED, 4, b"1")
    assert (updated.caller_cseq, updated.callee_route_set) == (b"2", b"<sip:edge.test;lr>")
    assert (updated.caller_contact, updated.expires) == (b"sip:alice@192.0.2.7", EPOCH + 3610)
    assert ended == BinEnded(CALL_ID, b"tag-a", b"tag-b")


def test_a_standby_that_is_told_can_take_the_call_over() -> None:
    a, b = CallSide(Role.MASTER), CallSide(Role.BACKUP)
    call = a.call(10.0)
    a.tell(b, 10.0)
    assert b.states(10.0) == ["CONFIRMED_NA"]
    a.confirm(call)
    a.tell(b, 10.1)
    assert b.states(10.1) == ["CONFIRMED"]
    assert b.bin.take(10.1) == []
    b.node.become(Role.MASTER, 2, 20.0)
    there = b.table.dialogs[KEY]
    assert (there.call_id, there.from_tag, there.contact) == (CALL_ID, b"tag-a", b"sip:alice@192.0.2.7")
    assert (there.legs[0].tag, there.legs[0].route_set) == (b"tag-b", (b"<sip:edge.test;lr>",))
    assert there.expires_at == pytest.approx(3610.0, abs=1.0)


@pytest.mark.parametrize("role", [Role.BACKUP, Role.MASTER])
def test_the_version_with_the_higher_cseq_stays_in_whatever_order_they_come(role: Role) -> None:
    side = CallSide(role)
    side.take_in(encode(dialog(13, caller_contact=b"sip:new@192.0.2.9")), 10.0)
    assert side.take_in(encode(dialog(12)), 10.0) is None
    assert side.take_in(encode(dialog(99, state=3)), 10.0) is None
    side.node.become(Role.MASTER, 2, 11.0)
    assert side.table.dialogs[KEY].contact == b"sip:new@192.0.2.9"


@pytest.mark.parametrize("role", [Role.BACKUP, Role.MASTER])
def test_a_call_that_is_over_is_not_brought_back_even_if_its_end_came_first(role: Role) -> None:
    side = CallSide(role)
    side.take_in(encode(dialog()), 10.0)
    assert side.take_in(ENDED, 11.0) == KEY
    assert side.states(11.0) == []
    side.take_in(encode(dialog(99)), 12.0)
    assert side.states(12.0) == []
    other = CallSide(role)
    other.take_in(ENDED, 10.0)
    other.take_in(encode(dialog()), 10.0)
    assert other.states(10.0) == []


def test_a_call_that_this_node_leads_is_left_alone() -> None:
    side = CallSide(Role.MASTER)
    call = side.call(10.0)
    assert side.take_in(encode(dialog(99)), 11.0) is None
    assert side.take_in(ENDED, 11.0) is None
    assert side.table.dialogs[KEY] is call


def test_a_standby_forgets_a_call_of_whose_end_nobody_has_told_it() -> None:
    side = CallSide(Role.BACKUP)
    side.take_in(encode(dialog()), 10.0)
    side.bin.sweep(3600.0)
    assert side.states(3600.0) == ["CONFIRMED"]
    side.bin.sweep(3670.0)
    assert side.states(3670.0) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"call_id": b"a b"},
        {"from_tag": b""},
        {"state": 2},
        {"caller_cseq": b"x"},
        {"callee_cseq": b"4294967296"},
        {"caller_contact": b"sip:a@h\r\nX: y"},
        {"callee_route_set": b"nonsense<"},
        {"to_uri": b"no uri"},
        {"from_uri": b"sip:" + b"a" * 2000 + b"@h"},
    ],
)
def test_what_would_break_a_request_of_ours_is_refused(changed: dict[str, bytes | int]) -> None:
    side = CallSide(Role.BACKUP)
    with pytest.raises(BinError):
        side.take_in(encode(dialog(12, **changed)), 10.0)
    assert side.states(10.0) == []


def test_a_master_that_is_told_tells_its_own_standby_and_takes_the_next_version_too() -> None:
    side = CallSide(Role.MASTER)
    for cseq in (12, 13, 14):
        key = side.take_in(encode(dialog(cseq)), 10.0 + cseq)
        assert key == KEY
        side.node.journal.touch(Kind.DIALOG, key)  # as the shell does
        before = side.node.journal.sequence
        side.node.flush(10.0 + cseq)
        assert side.node.journal.sequence == before + 1
    assert side.take_in(encode(dialog(14)), 30.0) is None
    assert side.table.dialogs[KEY].cseq == 14
