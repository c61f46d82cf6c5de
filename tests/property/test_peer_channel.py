"""The peer channel takes any bytes without an exception; only what was sealed with the key comes in."""

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from haagent.effects import NodeRole
from haagent.errors import PeerProtocolError
from haagent.peer.channel import PeerChannel
from haagent.peer.messages import Health, Message, Take, decode
from tests.kit.node_pair import running

KEY = b"k" * 32


@settings(max_examples=300, deadline=None)
@given(chunks=st.lists(st.binary(max_size=200), max_size=6), greeted=st.booleans())
def test_random_bytes_never_raise_and_never_become_a_message(chunks: list[bytes], greeted: bool) -> None:
    channel = PeerChannel(KEY, b"a" * 32)
    if greeted:
        channel.receive(PeerChannel(KEY, b"b" * 32).greeting())
    for chunk in chunks:
        assert channel.receive(chunk) == []
        assert not channel.is_hello(chunk)
    assert not channel.authenticated


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=100))
def test_a_body_is_a_message_or_the_one_named_error(body: bytes) -> None:
    with suppress(PeerProtocolError):
        decode(body)


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, 400), octet=st.integers(1, 255))
def test_one_changed_octet_anywhere_lets_only_what_came_before_through(at: int, octet: int) -> None:
    a, b = PeerChannel(KEY, b"a" * 32), PeerChannel(KEY, b"b" * 32)
    a.receive(b.greeting())
    sent: list[Message] = [Take(1), Health(NodeRole.MASTER, 2, 3, True, True), Take(2), Take(3)]
    stream = bytearray(a.greeting() + b"".join(a.seal(message) for message in sent))
    stream[at % len(stream)] ^= octet
    heard = b.receive(bytes(stream))
    assert heard == sent[: len(heard)]
    assert len(heard) < len(sent)


@settings(max_examples=50, deadline=None)
@given(data=st.binary(min_size=1, max_size=300))
def test_garbage_on_the_channel_moves_no_vip(data: bytes) -> None:
    lan = running(interval=0.1)
    for host in lan.hosts:
        lan.command(host, host.node.on_peer_bytes(data, lan.now))
    lan.run(2)
    assert lan.masters() == ["a"]
    assert lan.a.node.epoch == 1
