"""Locating SIP servers by RFC 3263, without a DNS: the test answers the questions."""

import pytest

from sipcore.message import Uri
from sipcore.resolver.locate import Candidate, Resolver, ResolverSettings
from sipcore.timers import TimerWheel

BOTH = {"udp": (4, 6), "tcp": (4, 6), "tls": (4, 6), "ws": (4,), "wss": (4,)}


def never(found: list[Candidate], now: float) -> None:
    raise AssertionError(f"called with {found}")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sip:bob@192.0.2.7", Candidate("192.0.2.7", 5060, "udp")),
        ("sip:bob@192.0.2.7:5080", Candidate("192.0.2.7", 5080, "udp")),
        ("sip:bob@[2001:db8::7]", Candidate("2001:db8::7", 5060, "udp")),
        ("sip:bob@192.0.2.7;transport=TCP", Candidate("192.0.2.7", 5060, "tcp")),
        ("sip:bob@192.0.2.7;transport=tls", Candidate("192.0.2.7", 5061, "tls", "192.0.2.7")),
        ("sips:bob@192.0.2.7", Candidate("192.0.2.7", 5061, "tls", "192.0.2.7")),
        ("sips:bob@192.0.2.7;transport=tcp", Candidate("192.0.2.7", 5061, "tls", "192.0.2.7")),
        ("sips:bob@192.0.2.7;transport=ws", Candidate("192.0.2.7", 443, "wss", "192.0.2.7")),
        ("sip:bob@example.com:5080;maddr=192.0.2.9", Candidate("192.0.2.9", 5080, "udp")),
    ],
)
def test_an_address_is_its_own_candidate(uri: str, expected: Candidate) -> None:
    resolver = Resolver(ResolverSettings(BOTH), TimerWheel(), max)
    assert resolver.locate(Uri.parse(uri.encode()), 0.0, never) == [expected]
    assert resolver.take() == []


@pytest.mark.parametrize(
    "uri",
    [
        "sip:bob@192.0.2.7;transport=sctp",
        "sips:bob@192.0.2.7;transport=udp",
        "tel:+123",
        "sip:[2001:db8::7];transport=ws",
    ],
)
def test_there_is_no_way_where_we_have_no_transport(uri: str) -> None:
    resolver = Resolver(ResolverSettings(BOTH), TimerWheel(), max)
    assert resolver.locate(Uri.parse(uri.encode()), 0.0, never) == []
