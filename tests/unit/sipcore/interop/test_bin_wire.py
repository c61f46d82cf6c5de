"""Sans-IO: BIN datagrams byte for byte, as OpenSIPS 1.11 lays them out on x86."""

import pytest

from sipcore.errors import BinError
from sipcore.interop.bin.contact import BinAor, BinContact, BinGone, ContactPacket, decode, encode
from sipcore.interop.bin.wire import MAX_DATAGRAM, BinReader, BinWriter, checksum

CONTACT = BinContact(
    ContactPacket.CONTACT_INSERT,
    b"location",
    b"alice",
    contact=b"sip:alice@192.0.2.7:5060",
    call_id=b"c1@phone",
    user_agent=b"Phone 1",
    path=b"",
    attr=b"",
    received=b"sip:198.51.100.7:4000",
    instance=b"<urn:uuid:1>",
    expires=1_700_003_600,
    q=1000,
    socket=b"udp:192.0.2.100:5060",
    cseq=17,
    flags=0,
    cflags=0,
    methods=0xFFFFFFFF,
    last_modified=1_700_000_000,
)
BODY = (
    b"\x02\0\0\0ul" b"\x03\0\0\0"
    b"\x08\0\0\0location" b"\x05\0\0\0alice"
    b"\x18\0\0\0sip:alice@192.0.2.7:5060" b"\x08\0\0\0c1@phone" b"\x07\0\0\0Phone 1"
    b"\0\0\0\0" b"\0\0\0\0"
    b"\x15\0\0\0sip:198.51.100.7:4000" b"\x0c\0\0\0<urn:uuid:1>"
    b"\x08\0\0\0\x10\xff\x53\x65\0\0\0\0"
    b"\x04\0\0\0\xe8\x03\0\0"
    b"\x14\0\0\0udp:192.0.2.100:5060"
    b"\x11\0\0\0" b"\0\0\0\0" b"\0\0\0\0" b"\xff\xff\xff\xff"
    b"\x08\0\0\0\x00\xf1\x53\x65\0\0\0\0"
)  # fmt: skip


def bitwise(data: bytes) -> int:
    """The checksum by its definition: from all ones, polynomial 0xedb88320, no complement at the end."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)
    return value


def test_the_checksum_is_crc_32_without_the_complement() -> None:
    assert checksum(b"123456789") == bitwise(b"123456789") == 0x340BC6D9


def test_a_contact_stands_on_the_wire_byte_for_byte() -> None:
    assert encode(CONTACT) == b"P4CK" + bitwise(BODY).to_bytes(4, "little") + BODY


def test_an_update_differs_in_its_type_only() -> None:
    body = BODY.replace(b"ul\x03", b"ul\x04")
    update = decode(BinReader(b"P4CK" + bitwise(body).to_bytes(4, "little") + body))
    assert isinstance(update, BinContact)
    assert update.kind is ContactPacket.CONTACT_UPDATE
    update.kind = CONTACT.kind
    assert update == CONTACT


@pytest.mark.parametrize(
    ("packet", "body"),
    [
        (
            BinAor(ContactPacket.AOR_INSERT, b"location", b"alice"),
            b"\x02\0\0\0ul\x01\0\0\0\x08\0\0\0location\x05\0\0\0alice",
        ),
        (
            BinAor(ContactPacket.AOR_DELETE, b"location", b"alice"),
            b"\x02\0\0\0ul\x02\0\0\0\x08\0\0\0location\x05\0\0\0alice",
        ),
        (
            BinGone(b"location", b"alice", b"sip:a@h", b"c1", 4_000_000_000),
            b"\x02\0\0\0ul\x05\0\0\0\x08\0\0\0location\x05\0\0\0alice\x07\0\0\0sip:a@h\x02\0\0\0c1\x00\x28\x6b\xee",
        ),
    ],
)
def test_the_short_packets_stand_on_the_wire_byte_for_byte(packet: BinAor | BinGone, body: bytes) -> None:
    data = b"P4CK" + bitwise(body).to_bytes(4, "little") + body
    assert encode(packet) == data
    assert decode(BinReader(data)) == packet


def sealed(body: bytes) -> bytes:
    return b"P4CK" + checksum(body).to_bytes(4, "little") + body


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "P4CK"),
        (b"P4CK", "checksum"),
        (b"P4CK\0\0\0\0" + BODY, "checksum"),
        (b"P4CL" + encode(CONTACT)[4:], "P4CK"),
        (sealed(b"\x02\0\0\0ul\x06\0\0\0\0\0\0\0\0\0\0\0"), "6 is no packet type"),
        (sealed(b"\xff\xff\xff\x7ful\x01\0\0\0"), "a string of 2147483647 bytes where 6 are left"),
        (sealed(b"\xff\xff\xff\xfful\x01\0\0\0"), "a string of -1 bytes"),
        (sealed(BODY[:-1]), "a string of 8 bytes where 7 are left"),
        (sealed(BODY + b"\0"), "1 bytes after the last field"),
        (sealed(BODY.replace(b"\xe8\x03\0\0", b"\xe9\x03\0\0")), "q: 1001 is not in -1..1000"),
        (sealed(BODY.replace(b"\x04\0\0\0\xe8\x03\0\0", b"\x03\0\0\0\xe8\x03\0")), "3 bytes where 4"),
        (sealed(b"\x11\0\0\0" + b"m" * 17 + b"\x01\0\0\0"), "17 bytes is over 16"),
        (bytes(MAX_DATAGRAM + 1), "over 65515"),
    ],
)
def test_what_is_wrong_with_a_datagram_is_said(data: bytes, said: str) -> None:
    with pytest.raises(BinError, match=said):
        decode(BinReader(data))


def test_what_does_not_fit_into_a_datagram_is_not_written() -> None:
    with pytest.raises(BinError, match="over 65515"):
        BinWriter(b"ul", 1).string(bytes(MAX_DATAGRAM)).datagram()
