"""Sans-IO: the five packets of OpenSIPS's module usrloc ("ul"): an AOR or a contact comes, changes, goes."""

from dataclasses import dataclass
from enum import IntEnum

from sipcore.errors import BinError
from sipcore.interop.bin.wire import BinReader, BinWriter

MODULE = b"ul"
ALL_METHODS = 0xFFFFFFFF
Q_UNSPECIFIED = -1
MAX_Q = 1000


class ContactPacket(IntEnum):
    """Packet types of the module."""

    AOR_INSERT = 1
    AOR_DELETE = 2
    CONTACT_INSERT = 3
    CONTACT_UPDATE = 4
    CONTACT_DELETE = 5


@dataclass(slots=True)
class BinAor:
    """AOR INSERT or AOR DELETE: which address-of-record, in which table."""

    kind: ContactPacket
    domain: bytes  # the name of the table, "location"
    aor: bytes  # "alice" or "alice@example.test", without scheme


@dataclass(slots=True)
class BinGone:
    """CONTACT DELETE."""

    domain: bytes
    aor: bytes
    contact: bytes
    call_id: bytes
    cseq: int


@dataclass(slots=True)
class BinContact:
    """CONTACT INSERT or CONTACT UPDATE; times are seconds since 1970."""

    kind: ContactPacket
    domain: bytes
    aor: bytes
    contact: bytes
    call_id: bytes
    user_agent: bytes
    path: bytes
    attr: bytes
    received: bytes  # a SIP URI
    instance: bytes
    expires: int  # 0: for ever
    q: int  # thousandths, or Q_UNSPECIFIED
    socket: bytes  # "udp:192.0.2.100:5060"
    cseq: int
    flags: int
    cflags: int
    methods: int
    last_modified: int


Packet = BinAor | BinGone | BinContact


def encode(packet: Packet) -> bytes:
    """The datagram of a packet."""
    if isinstance(packet, BinContact):
        return _encode_contact(packet)
    if isinstance(packet, BinGone):
        writer = BinWriter(MODULE, ContactPacket.CONTACT_DELETE)
        writer.string(packet.domain).string(packet.aor).string(packet.contact).string(packet.call_id)
        return writer.unsigned(packet.cseq).datagram()
    return BinWriter(MODULE, packet.kind).string(packet.domain).string(packet.aor).datagram()


def decode(reader: BinReader) -> Packet:
    """The packet of a datagram of this module; raises BinError for all that is not one."""
    try:
        kind = ContactPacket(reader.kind)
    except ValueError as error:
        raise BinError(f"{reader.kind} is no packet type of usrloc, which are 1..5") from error
    domain, aor = reader.string(), reader.string()
    packet: Packet
    if kind <= ContactPacket.AOR_DELETE:
        packet = BinAor(kind, domain, aor)
    elif kind is ContactPacket.CONTACT_DELETE:
        packet = BinGone(domain, aor, reader.string(), reader.string(), reader.unsigned())
    else:
        packet = _decode_contact(reader, kind, domain, aor)
    reader.end()
    return packet


def _encode_contact(packet: BinContact) -> bytes:
    writer = BinWriter(MODULE, packet.kind)
    for text in (
        packet.domain,
        packet.aor,
        packet.contact,
        packet.call_id,
        packet.user_agent,
        packet.path,
        packet.attr,
        packet.received,
        packet.instance,
    ):
        writer.string(text)
    writer.time(packet.expires).number(packet.q).string(packet.socket)
    writer.unsigned(packet.cseq).unsigned(packet.flags).unsigned(packet.cflags).unsigned(packet.methods)
    return writer.time(packet.last_modified).datagram()


def _decode_contact(reader: BinReader, kind: ContactPacket, domain: bytes, aor: bytes) -> BinContact:
    packet = BinContact(
        kind,
        domain,
        aor,
        contact=reader.string(),
        call_id=reader.string(),
        user_agent=reader.string(),
        path=reader.string(),
        attr=reader.string(),
        received=reader.string(),
        instance=reader.string(),
        expires=reader.time(),
        q=reader.number(),
        socket=reader.string(),
        cseq=reader.unsigned(),
        flags=reader.unsigned(),
        cflags=reader.unsigned(),
        methods=reader.unsigned(),
        last_modified=reader.time(),
    )
    if not Q_UNSPECIFIED <= packet.q <= MAX_Q:
        raise BinError(f"q: {packet.q} is not in {Q_UNSPECIFIED}..{MAX_Q}")
    return packet
