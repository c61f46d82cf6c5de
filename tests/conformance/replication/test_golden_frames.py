"""IO shell: the bytes on the wire of version 3; whoever changes them must raise the version."""

from pathlib import Path

from sipcore.replication.capability import Kind, Record
from sipcore.replication.frame import FrameType, FrameWriter
from sipcore.replication.handshake import Handshake
from sipcore.replication.packing import Unpacker
from sipcore.replication.wire import (
    Ack,
    Ask,
    Compared,
    Digest,
    Exchange,
    Heartbeat,
    Intro,
    Keys,
    Refuse,
    Resume,
    Start,
    batch_head,
    decode_batch,
    encode,
)
from sipcore.role import Role
from tests.kit.replication import KEY, Node

GOLDEN = Path(__file__).with_name("frames-3.txt")


def frames() -> dict[str, bytes]:
    """Each message once, all from fixed keys, nonces and values."""
    a = Handshake(KEY, b"A" * 32, dialer=True)
    b = Handshake(KEY, b"B" * 32, dialer=False)
    found = {"hello of the dialer": a.take(), "hello of the listener": b.take()}
    a.feed(found["hello of the listener"])
    found["proof of the dialer"] = a.take()
    b.feed(found["hello of the dialer"])
    keys = b.feed(found["proof of the dialer"])
    found["proof of the listener"] = b.take()
    assert keys is not None
    writer = FrameWriter(keys.send)
    node = Node("a")
    node.become(Role.MASTER, 3)
    node.register(b"sip:u@x", b"sip:u@192.0.2.1:5060", 0.0, cseq=7, expires=600)
    node.flush(0.0)
    entry = node.journal.entry(1)
    assert entry is not None
    bodies: list[tuple[FrameType, bytes]] = [
        (FrameType.INTRO, encode(Intro("a", 99, Role.MASTER, 3, 1, {1: 1}, True))),
        (FrameType.RESUME, encode(Resume(None))),
        (FrameType.START, encode(Start(True, 2, 1, 1, 1))),
        (FrameType.RECORDS, batch_head(entry.first, entry.epoch, 0.25) + entry.payload),
        (FrameType.CHUNK, batch_head(0, 3, 0.0) + entry.payload),
        (FrameType.SNAPSHOT_END, b""),
        (FrameType.ACK, encode(Ack(1, 2, 1))),
        (FrameType.HEARTBEAT, encode(Heartbeat(Role.BACKUP, 3, 1, True))),
        (FrameType.REFUSE, encode(Refuse("both nodes are called a"))),
        (FrameType.DIGEST, encode(Digest({1: 2**64 - 1}))),
        (FrameType.ASK, encode(Ask(1, [0, 4095]))),
        (FrameType.KEYS, encode(Keys(1, [7], {b"sip:u@x": 5}))),
        (FrameType.EXCHANGE, encode(Exchange(3, [Record(1, b"sip:u@x", None, 2)]))),
        (FrameType.REPAIR, batch_head(0, 3, 0.0) + entry.payload),
        (FrameType.COMPARED, encode(Compared({1: 9}))),
    ]
    return found | {kind.name: writer.frame(kind, body) for kind, body in bodies}


def test_each_frame_is_byte_for_byte_that_of_version_3() -> None:
    lines = GOLDEN.read_text().splitlines()
    golden = dict(line.split(": ") for line in lines if line and not line.startswith("#"))
    assert {name: data.hex() for name, data in frames().items()} == golden


def test_what_version_3_packed_is_unpacked() -> None:
    """What a library packs may differ from one to the next; so the bytes are only read."""
    unpacker, body = Unpacker(1000), b"\x04" + b"a contact, a call, " * 8
    packed = "0000009962495448cecf2b494c2ed1510032137372c0f4c00b0100", "000000996219ac0e0300"
    assert [unpacker.unpack(bytes.fromhex(text)) for text in packed] == [body, body]


def test_a_field_appended_by_a_newer_node_is_skipped() -> None:
    newer = batch_head(5, 3, 0.0) + b"\x91\x95\x01\xc4\x01k\xc4\x01v\xff\xa3new"
    assert decode_batch(newer).records == [Record(1, b"k", b"v")]


def test_a_contact_from_a_node_without_the_newer_fields_is_taken() -> None:
    """The record that the first version wrote: twelve fields."""
    wire = (
        b"\x9c\xc4\x06sip:u@\xc4\x01c\x07\xcb@\x82\xc0\x00\x00\x00\x00\x00\xcb?\xf0\x00\x00\x00\x00\x00\x00"
    )
    wire += b"\x90\x94\xa9192.0.2.1\xcd\x13\xc4\x00\xa3udp\xc4\x00\x01\xc4\x00\x03\x01"
    node = Node("a")
    replica = node.journal.capabilities[Kind.CONTACT]
    assert replica.apply(b"sip:u@x", b"\x91" + wire, 3, 0.0) is True
    (binding,) = node.table.lookup(b"sip:u@x", 1.0)
    assert (binding.received, binding.reg_id, binding.params) == (
        ("192.0.2.1", 5060, 0, "udp", 0, ""),
        0,
        b"",
    )
