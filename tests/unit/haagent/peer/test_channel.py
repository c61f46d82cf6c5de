"""PeerChannel: two ends of a wire that a test may cut into pieces, change, record and play again."""

import msgspec
import pytest

from haagent.effects import NodeRole
from haagent.errors import PeerProtocolError
from haagent.peer.channel import GREETING_SIZE, MAC_SIZE, PeerChannel
from haagent.peer.messages import MAX_MESSAGE, Bye, Health, Lost, Message, Take, Taken, Yield, decode, encode

KEY = b"k" * 32
HEALTH = Health(NodeRole.MASTER, 7, 254, True, True)


def ends(key_b: bytes = KEY) -> tuple[PeerChannel, PeerChannel]:
    a, b = PeerChannel(KEY, b"a" * 32), PeerChannel(key_b, b"b" * 32)
    a.receive(b.greeting())
    b.receive(a.greeting())
    return a, b


@pytest.mark.parametrize("message", [HEALTH, Take(1), Taken(2), Yield(3), Lost(4, "link"), Bye("stop")])
def test_what_one_side_says_the_other_hears(message: Message) -> None:
    a, b = ends()
    assert b.receive(a.seal(message)) == [message]
    assert (a.authenticated, b.authenticated) == (False, True)


def test_bytes_may_be_cut_anywhere() -> None:
    a, b = PeerChannel(KEY, b"a" * 32), PeerChannel(KEY, b"b" * 32)
    a.receive(b.greeting())
    stream = a.greeting() + a.seal(HEALTH) + a.seal(Take(1))
    heard = [message for at in range(len(stream)) for message in b.receive(stream[at : at + 1])]
    assert heard == [HEALTH, Take(1)]


def test_nothing_is_said_before_the_peers_greeting() -> None:
    a = PeerChannel(KEY, b"a" * 32)
    assert (a.seal(HEALTH), a.hello()) == (b"", b"")


def test_another_key_ends_the_session_before_anything_is_parsed() -> None:
    a, b = ends(key_b=b"x" * 32)
    assert b.receive(a.seal(HEALTH)) == []
    assert b.closed is not None
    assert "MAC is wrong" in b.closed
    assert not b.authenticated


@pytest.mark.parametrize("at", [0, 1, 2, 5, -1])
def test_a_changed_octet_ends_the_session(at: int) -> None:
    a, b = ends()
    frame = bytearray(a.seal(HEALTH))
    frame[at] ^= 1
    assert b.receive(bytes(frame) + b"\0" * 300) == []
    assert b.closed is not None


def test_a_frame_played_again_ends_the_session() -> None:
    a, b = ends()
    frame = a.seal(Take(1))
    assert b.receive(frame) == [Take(1)]
    assert b.receive(frame) == []
    assert b.closed is not None


def test_a_recorded_session_is_worth_nothing_in_the_next_one() -> None:
    a, _ = ends()
    frame = a.seal(Take(1))
    later = PeerChannel(KEY, b"c" * 32)
    later.receive(a.greeting())
    assert later.receive(frame) == []
    assert later.closed is not None


def test_our_own_greeting_and_frames_cannot_be_reflected() -> None:
    a = PeerChannel(KEY, b"a" * 32)
    a.receive(a.greeting())
    assert a.closed == "our own nonce came back"


def test_a_greeting_of_something_else_ends_the_session_at_its_first_octet() -> None:
    a = PeerChannel(KEY, b"a" * 32)
    a.receive(b"G")
    assert a.closed is not None
    assert a.receive(b"anything") == []


def test_an_oversized_frame_is_refused_before_it_is_buffered() -> None:
    _, b = ends()
    b.receive((MAX_MESSAGE + 1).to_bytes(2, "big"))
    assert b.closed == f"frame of {MAX_MESSAGE + 1} bytes, more than {MAX_MESSAGE}"


def test_what_an_authenticated_peer_of_another_version_says_is_skipped() -> None:
    a, b = ends()
    sealed = PeerChannel.seal(a, msgspec.convert(["TAKE", 1], Take))
    assert b.receive(sealed) == [Take(1)]
    for body in (b"", b"\xc1", msgspec.msgpack.encode(["NEW", 1]), msgspec.msgpack.encode(["TAKE"])):
        with pytest.raises(PeerProtocolError):
            decode(body)
    assert decode(msgspec.msgpack.encode(["TAKE", 5, "why", "a field of a later version"])) == Take(5, "why")
    assert decode(encode(HEALTH)) == HEALTH


def test_a_nonce_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="nonce of 5 bytes"):
        PeerChannel(KEY, b"short")
    assert len(PeerChannel(KEY, b"n" * 32).greeting()) == GREETING_SIZE


def test_a_hello_counts_once_and_only_within_its_session() -> None:
    a, b = ends()
    early = a.hello()
    assert not b.is_hello(early)  # the peer has not proved the key yet
    b.receive(a.seal(HEALTH))
    first, second = a.hello(), a.hello()
    assert b.is_hello(second)
    assert not b.is_hello(second)
    assert not b.is_hello(first)  # overtaken
    assert not b.is_hello(a.hello()[:-1])
    assert not b.is_hello(b"HAH1" + (99).to_bytes(8, "big") + bytes(MAC_SIZE))
    other, _ = ends()
    assert not b.is_hello(b.hello())
    assert other is not a
