"""The sockets of the peer channel: nobody tears a proven connection by making another one."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from haagent.peer.link import Closed, Connected, Data, LinkInput, PeerLink

OWN, PEER = "127.0.0.1", "127.0.0.2"


@pytest.fixture(name="link")
def _link() -> PeerLink:
    return PeerLink(OWN, PEER, 0, connects=False)


def dial(link: PeerLink) -> socket.socket:
    return socket.create_connection(link.where, timeout=5, source_address=(PEER, 0))


def inputs(link: PeerLink, until: Callable[[list[LinkInput]], bool], seconds: float = 5.0) -> list[LinkInput]:
    """What the link says until the condition holds, or the time is up."""
    found: list[LinkInput] = []
    end = time.monotonic() + seconds
    while not until(found) and time.monotonic() < end:
        for ready in link.readers():
            with suppress(BlockingIOError):
                found += link.on_readable(ready)
        time.sleep(0.005)
    return found


def kinds(found: list[LinkInput]) -> list[type]:
    return [type(one) for one in found]


@pytest.fixture(name="proven")
def _proven(link: PeerLink) -> Iterator[socket.socket]:
    """A connection on which the peer has proved itself."""
    with dial(link) as stream:
        assert kinds(inputs(link, bool)) == [Connected]
        link.proven = True
        yield stream


def test_a_stranger_at_the_peers_address_does_not_end_a_proven_connection(
    link: PeerLink, proven: socket.socket
) -> None:
    for word in (b"", b"GET / HTTP/1.0\r\n\r\n", bytes(100)):
        with dial(link) as stranger:
            stranger.sendall(word)
    assert inputs(link, bool, 0.2) == []
    proven.sendall(b"still here")
    assert inputs(link, bool) == [Data(b"still here")]


def test_a_peer_that_connects_anew_is_heard_when_its_old_connection_ends(
    link: PeerLink, proven: socket.socket
) -> None:
    with dial(link) as again:
        again.sendall(b"HAP1")
        assert inputs(link, bool, 0.2) == []
        proven.close()
        found = inputs(link, lambda found: Data in kinds(found))
        assert kinds(found) == [Closed, Connected, Data]
        assert found[0] == Closed("the peer channel was closed", by_peer=True)


def test_a_connection_that_has_proved_nothing_is_replaced(link: PeerLink) -> None:
    with dial(link):
        assert kinds(inputs(link, bool)) == [Connected]
        with dial(link):
            assert kinds(inputs(link, bool)) == [Closed, Connected]


def test_of_many_that_wait_the_newest_comes_first(link: PeerLink, proven: socket.socket) -> None:
    guests = []
    for _ in range(8):
        guests.append(dial(link))
        assert inputs(link, bool, 0.05) == []
    guests[-1].sendall(b"newest")
    proven.close()
    assert inputs(link, lambda found: Data in kinds(found))[-1] == Data(b"newest")
    for guest in guests:
        guest.close()
