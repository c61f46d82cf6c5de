"""Sans-IO: BIN of OpenSIPS: what is written is read again, and no byte of anybody breaks the reader."""

import tracemalloc
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.errors import BinError
from sipcore.interop.bin.contact import BinAor, BinContact, BinGone, ContactPacket
from sipcore.interop.bin.contact import Packet as Contact
from sipcore.interop.bin.contact import decode as decode_contact
from sipcore.interop.bin.contact import encode as encode_contact
from sipcore.interop.bin.dialog import BinDialog, BinEnded, DialogPacket
from sipcore.interop.bin.dialog import Packet as Dialog
from sipcore.interop.bin.dialog import decode as decode_dialog
from sipcore.interop.bin.dialog import encode as encode_dialog
from sipcore.interop.bin.wire import BinReader, checksum
from sipcore.role import Role
from tests.kit.opensips_bin import CallSide, Side

text = st.binary(max_size=60)
unsigned = st.integers(0, 2**32 - 1)
time = st.integers(-(2**63), 2**63 - 1)
contacts = st.builds(
    BinContact,
    st.sampled_from([ContactPacket.CONTACT_INSERT, ContactPacket.CONTACT_UPDATE]),
    *[text] * 9,
    time,
    st.integers(-1, 1000),
    text,
    *[unsigned] * 4,
    time,
)
aors = st.builds(BinAor, st.sampled_from([ContactPacket.AOR_INSERT, ContactPacket.AOR_DELETE]), text, text)
contact_packets = st.one_of(contacts, aors, st.builds(BinGone, text, text, text, text, unsigned))

dialogs = st.builds(
    BinDialog,
    st.sampled_from([DialogPacket.CREATED, DialogPacket.UPDATED]),
    *[text] * 5,
    *[unsigned] * 3,
    *[text] * 12,
    *[unsigned] * 5,
)
dialog_packets = st.one_of(dialogs, st.builds(BinEnded, text, text, text))
packets = st.one_of(contact_packets, dialog_packets)


def write(packet: Contact | Dialog) -> bytes:
    return encode_dialog(packet) if isinstance(packet, BinDialog | BinEnded) else encode_contact(packet)


def read(data: bytes) -> Contact | Dialog:
    reader = BinReader(data)
    return decode_dialog(reader) if reader.module == b"dialog" else decode_contact(reader)


def take(role: Role, data: bytes) -> None:
    """A node of this role takes the datagram in, whatever module it is of."""
    for side in (Side(role), CallSide(role)):
        with suppress(BinError):
            side.take_in(data, 10.0)


def sealed(body: bytes) -> bytes:
    return b"P4CK" + checksum(body).to_bytes(4, "little") + body


@given(packets)
def test_what_is_written_is_read_again(packet: Contact | Dialog) -> None:
    assert read(write(packet)) == packet


@given(packets, st.data())
def test_a_datagram_that_is_cut_is_refused(packet: Contact | Dialog, data: st.DataObject) -> None:
    whole = write(packet)
    size = data.draw(st.integers(0, len(whole) - 1))
    for cut in (whole[:size], sealed(whole[8:size])):
        try:
            read(cut)
        except BinError:
            continue
        raise AssertionError(f"{cut!r} was read")


@given(packets, st.data())
def test_a_turned_bit_is_found_by_the_checksum(packet: Contact | Dialog, data: st.DataObject) -> None:
    whole = bytearray(write(packet))
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[bit // 8] ^= 1 << bit % 8
    with suppress(BinError):
        read(bytes(whole))
        raise AssertionError("it was read")


@given(packets, st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 7)), min_size=1, max_size=9))
def test_hostile_bytes_with_a_right_checksum_raise_nothing_but_the_codecs_error(
    packet: Contact | Dialog, bits: list[tuple[int, int]]
) -> None:
    body = bytearray(write(packet)[8:])
    for at, bit in bits:
        body[at % len(body)] ^= 1 << bit
    for role in Role:
        take(role, sealed(bytes(body)))


@given(st.binary(max_size=300))
def test_any_body_raises_nothing_but_the_codecs_error(body: bytes) -> None:
    for prefix in (b"", b"\x02\0\0\0ul\x03\0\0\0", b"\x02\0\0\0ul\x05\0\0\0", b"\x06\0\0\0dialog\x01\0\0\0"):
        take(Role.BACKUP, sealed(prefix + body))


@settings(max_examples=50)
@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 65000))
def test_the_reader_takes_no_more_memory_than_the_datagram_has(size: int, rest: int) -> None:
    data = sealed(b"\x02\0\0\0ul\x01\0\0\0" + (size & 0xFFFFFFFF).to_bytes(4, "little") + bytes(rest))
    tracemalloc.start()
    try:
        with suppress(BinError):
            read(data)
        assert tracemalloc.get_traced_memory()[1] < 3 * len(data) + 20_000
    finally:
        tracemalloc.stop()
