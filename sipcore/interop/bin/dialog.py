"""Sans-IO: the three packets of OpenSIPS's module dialog: an answered call is there, has changed, is over."""

from dataclasses import dataclass
from enum import IntEnum

from sipcore.errors import BinError
from sipcore.interop.bin.wire import BinReader, BinWriter

MODULE = b"dialog"


class DialogPacket(IntEnum):
    """Packet types of the module."""

    CREATED = 1
    UPDATED = 2
    DELETED = 3


@dataclass(slots=True)
class BinEnded:
    """DELETED."""

    call_id: bytes
    from_tag: bytes
    to_tag: bytes


@dataclass(slots=True)
class BinDialog:
    """CREATED or UPDATED; times are seconds since 1970."""

    kind: DialogPacket
    call_id: bytes
    from_tag: bytes
    to_tag: bytes
    from_uri: bytes
    to_uri: bytes
    h_id: int  # with the hash of the Call-ID it names the dialog in OpenSIPS's table
    start_ts: int
    state: int
    caller_socket: bytes
    callee_socket: bytes
    caller_cseq: bytes
    callee_cseq: bytes
    caller_route_set: bytes
    callee_route_set: bytes
    caller_contact: bytes
    callee_contact: bytes
    callee_from_uri: bytes  # where they were changed on the way
    callee_to_uri: bytes
    values: bytes
    profiles: bytes
    user_flags: int
    flags: int
    expires: int
    caller_last_cseq: int  # of requests that OpenSIPS made itself
    callee_last_cseq: int


Packet = BinDialog | BinEnded


def encode(packet: Packet) -> bytes:
    """The datagram of a packet."""
    if isinstance(packet, BinEnded):
        writer = BinWriter(MODULE, DialogPacket.DELETED)
        return writer.string(packet.call_id).string(packet.from_tag).string(packet.to_tag).datagram()
    p = packet
    writer = BinWriter(MODULE, p.kind)
    for text in (p.call_id, p.from_tag, p.to_tag, p.from_uri, p.to_uri):
        writer.string(text)
    writer.unsigned(p.h_id).unsigned(p.start_ts).unsigned(p.state)
    for text in (p.caller_socket, p.callee_socket, p.caller_cseq, p.callee_cseq):
        writer.string(text)
    for text in (p.caller_route_set, p.callee_route_set, p.caller_contact, p.callee_contact):
        writer.string(text)
    for text in (p.callee_from_uri, p.callee_to_uri, p.values, p.profiles):
        writer.string(text)
    for number in (p.user_flags, p.flags, p.expires, p.caller_last_cseq, p.callee_last_cseq):
        writer.unsigned(number)
    return writer.datagram()


def decode(reader: BinReader) -> Packet:
    """The packet of a datagram of this module; raises BinError for all that is not one."""
    try:
        kind = DialogPacket(reader.kind)
    except ValueError as error:
        raise BinError(f"{reader.kind} is no packet type of dialog, which are 1..3") from error
    packet: Packet
    if kind is DialogPacket.DELETED:
        packet = BinEnded(reader.string(), reader.string(), reader.string())
    else:
        packet = _decode_dialog(reader, kind)
    reader.end()
    return packet


def _decode_dialog(reader: BinReader, kind: DialogPacket) -> BinDialog:
    return BinDialog(
        kind,
        call_id=reader.string(),
        from_tag=reader.string(),
        to_tag=reader.string(),
        from_uri=reader.string(),
        to_uri=reader.string(),
        h_id=reader.unsigned(),
        start_ts=reader.unsigned(),
        state=reader.unsigned(),
        caller_socket=reader.string(),
        callee_socket=reader.string(),
        caller_cseq=reader.string(),
        callee_cseq=reader.string(),
        caller_route_set=reader.string(),
        callee_route_set=reader.string(),
        caller_contact=reader.string(),
        callee_contact=reader.string(),
        callee_from_uri=reader.string(),
        callee_to_uri=reader.string(),
        values=reader.string(),
        profiles=reader.string(),
        user_flags=reader.unsigned(),
        flags=reader.unsigned(),
        expires=reader.unsigned(),
        caller_last_cseq=reader.unsigned(),
        callee_last_cseq=reader.unsigned(),
    )
