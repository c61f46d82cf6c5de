"""Sans-IO: this version beside the one before and the one after: what is not known is skipped."""

from pathlib import Path

import msgspec
import pytest

from sipcore.errors import ReplicationError
from sipcore.location.replica import LocationReplica
from sipcore.replication.frame import FrameReader, FrameType, FrameWriter
from sipcore.replication.handshake import VERSION, Handshake
from sipcore.replication.session import ReplicationSession
from sipcore.replication.wire import Intro, batch_head, encode
from sipcore.role import Role
from tests.kit.replication import KEY, Node, Wire

NEWER, OLDER = (1, VERSION + 1), (1, VERSION - 1)


def recorded(version: int) -> dict[str, bytes]:
    """The frames of a version as it wrote them, without length and MAC."""
    lines = Path(__file__).with_name(f"frames-{version}.txt").read_text().splitlines()
    golden = dict(line.split(": ") for line in lines if line and not line.startswith("#"))
    return {name: bytes.fromhex(golden[name])[5:-16] for name in golden if name in FrameType.__members__}


class Script:
    """A peer of another version: it speaks frames that were recorded, or made up."""

    def __init__(self, node: Node, versions: tuple[int, int], *, compress: bool = False) -> None:
        self.session = ReplicationSession(node.local, b"S" * 32, 0.0, dialer=False)
        self.session.compress = compress
        hand = Handshake(KEY, b"P" * 32, dialer=True, versions=versions)
        self.session.feed(hand.take(), 0.0)
        hand.feed(self.session.output(0.0))
        self.session.feed(hand.take(), 0.0)
        keys = hand.feed(self.session.output(0.0))
        assert keys is not None
        self.writer, self.reader, self.rest = FrameWriter(keys.send), FrameReader(keys.receive), keys.rest

    def say(self, kind: int, body: bytes) -> None:
        self.session.feed(self.writer.frame(kind, body), 0.0)  # type: ignore[arg-type] # or not yet known

    def hear(self) -> list[int]:
        data, self.rest = self.rest + self.session.output(100.0), b""
        return [kind for kind, _ in self.reader.feed(data)]


def test_the_frames_that_the_version_before_wrote_fill_the_table() -> None:
    node = Node("b")
    peer = Script(node, OLDER)
    frames = recorded(VERSION - 1)
    for name in ("INTRO", "RESUME", "START", "CHUNK", "SNAPSHOT_END", "HEARTBEAT"):
        peer.say(FrameType[name], frames[name])
    assert node.table.contacts == 1
    assert node.local.counters.unknown_frames == 0
    assert peer.session.version == VERSION - 1
    assert set(peer.hear()) <= {FrameType[name] for name in frames}, "nothing that it would not know"


def test_version_2_gets_nothing_compressed_even_if_it_seems_to_ask_for_it() -> None:
    node = Node("b")
    peer = Script(node, (1, 2), compress=True)
    peer.say(FrameType.INTRO, encode(Intro("a", 1, Role.MASTER, 1, 0, {1: 1}, True)))
    peer.say(FrameType.RESUME, recorded(2)["RESUME"])
    node.become(Role.MASTER, 2)
    node.register(b"sip:u@x", b"sip:u@h", 0.0)
    node.flush(0.0)
    heard = peer.hear()
    assert FrameType.CHUNK in heard
    assert FrameType.PACKED not in heard
    assert peer.session.ratios is None


@pytest.mark.parametrize("versions", [OLDER, NEWER])
def test_two_nodes_of_different_versions_end_equal(versions: tuple[int, int]) -> None:
    a, b = Node("a"), Node("b", skew=50.0)
    b.local.versions = versions
    a.become(Role.MASTER, 1)
    for number in range(20):
        a.register(b"sip:u%d@x" % number, b"sip:u@10.0.0.%d" % number, 0.0)
    a.flush(0.0)
    wire = Wire(a, b, 0.0)
    wire.settle()
    a.table.remove(b"sip:u1@x", b"sip:u@10.0.0.1", call_id=b"c", cseq=2)
    a.flush(0.0)
    wire.settle()
    assert not wire.errors
    assert a.contents() == b.contents()
    assert len(b.contents()) == 20
    assert {session.version for session in wire.sessions} == {min(versions[1], VERSION)}


def test_fields_kinds_and_frames_of_the_version_after_are_skipped_and_counted() -> None:
    node = Node("b")
    peer = Script(node, NEWER)
    frames = recorded(VERSION)
    intro = msgspec.msgpack.decode(frames["INTRO"])
    peer.say(FrameType.INTRO, msgspec.msgpack.encode([*intro[:5], {1: 1, 99: 7}, False, {"a": "field"}, 3]))
    assert peer.session.peer is not None
    for name in ("RESUME", "START"):
        peer.say(FrameType[name], frames[name])
    peer.say(200, b"a frame that no one here knows")
    (contact,) = msgspec.msgpack.decode(frames["CHUNK"][20:])
    (binding,) = msgspec.msgpack.decode(contact[2])
    contact = [*contact[:2], msgspec.msgpack.encode([[*binding, "news", 1]]), -1, "more"]
    news = [99, b"key", b"of a kind that is not known"]
    peer.say(FrameType.CHUNK, batch_head(0, 3, 0.0) + msgspec.msgpack.encode([news, contact]))
    assert node.table.contacts == 1
    assert (node.local.counters.unknown, node.local.counters.unknown_frames) == (1, 1)


def test_a_peer_without_a_common_version_is_refused_and_told_why() -> None:
    a, b = Node("a"), Node("b")
    b.local.versions = (VERSION + 1, VERSION + 2)
    wire = Wire(a, b, 0.0)
    wire.settle()
    assert wire.errors[0] == f"peer speaks version {VERSION + 1}..{VERSION + 2}, this node 1..{VERSION}"
    hand, other = (Handshake(KEY, name * 32, dialer=name == b"P") for name in (b"P", b"Q"))
    with pytest.raises(ReplicationError, match="peer refused: it speaks no common version"):
        hand.feed(other.take() + b"\x02" + bytes(32))


def test_records_of_a_kind_in_another_version_are_refused_by_the_name_of_the_kind() -> None:
    node = Node("b")
    peer = Script(node, (1, VERSION))
    with pytest.raises(
        ReplicationError, match=f"CONTACT records: a has version {LocationReplica.version + 1}"
    ):
        peer.say(FrameType.INTRO, encode(Intro("a", 1, Role.MASTER, 1, 0, {1: LocationReplica.version + 1})))
    assert FrameType.REFUSE in peer.hear()
