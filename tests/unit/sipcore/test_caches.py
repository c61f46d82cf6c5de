"""Sans-IO: what strangers make up does not stay in memory: caches are bounded in bytes, too."""

import re
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from sipcore.auth.failures import Failures
from sipcore.errors import ParseError
from sipcore.location.aor import AorRules
from sipcore.message import Uri, parse
from sipcore.nat.detect import is_private
from sipcore.proxy.call import Call
from sipcore.proxy.listeners import Listeners
from sipcore.registrar import Registrar, RegistrarSettings
from sipcore.resolver.records import address
from sipcore.transport.layer import Hop, may_answer
from tests.kit.replication import Node
from tests.kit.sip_messages import parsed_request, request

ROOT = Path(__file__).parents[3]
KEYS, SIZE = 128, 16_000
SOURCE = Hop("192.0.2.7", 5060)
Feed = Callable[[bytes], object]


def parser(name: bytes, form: bytes) -> Feed:
    """Feed it messages in which one header has this form."""
    usual = request()
    line = re.search(rb"\r\n" + name + rb": [^\r]*", usual)
    assert line is not None
    return lambda key: parse(usual.replace(line[0], b"\r\n" + name + b": " + form % key))


def with_agent(key: bytes) -> None:
    DESK.agent(parsed_request(request(headers=[(b"User-Agent", key)])))


def register(key: bytes) -> None:
    DESK.save(parsed_request(request(b"REGISTER", b"sip:example.test;x=" + key[:1900])), SOURCE, 1.0)


def call(key: bytes) -> None:
    assert Call(parsed_request(request(uri=b"sip:" + key[:1900] + b"@h")), SOURCE, None, 0.0).target_uri


OWN = Listeners([("192.0.2.9", 5060)])
FAILURES = Failures()
DESK = Registrar(RegistrarSettings(frozenset({b"example.test"})), Node("a").table, None)
FEEDS: dict[str, Feed] = {
    "header names": lambda key: parse(request(headers=[(key, b"x")])),
    "Via": parser(b"Via", b"SIP/2.0/UDP h;branch=z9hG4bK%b"),
    "From": parser(b"From", b"<sip:a@b>;tag=%b"),
    "To": parser(b"To", b'"%b" <sip:a@b>'),
    "Call-ID": parser(b"Call-ID", b"%b"),
    "CSeq": parser(b"CSeq", b"1 %b"),
    "IPv6 references": lambda key: Uri.parse(b"sip:[" + key + b"::1]"),
    "Request-URIs": call,
    "next hops": lambda key: OWN.direct(b"sip:192.0.2.1;x=" + key, 0),
    "private addresses": is_private,
    "addresses of the resolver": address,
    "unicast addresses": lambda key: may_answer(Hop(key.decode(), 5060)),
    "wrong passwords": lambda key: FAILURES.on_failure(key, SOURCE, 1.0),
    "User-Agents": with_agent,
    "REGISTER URIs": register,
    "addresses-of-record": lambda key: AorRules().of(key, b"example.test"),
}


@pytest.mark.parametrize("name", FEEDS)
def test_a_cache_keeps_nothing_of_keys_that_are_too_long_to_be_true(name: str) -> None:
    feed = FEEDS[name]
    with suppress(ParseError):
        feed(b"f" * SIZE)  # what is made once
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(KEYS):
            with suppress(ParseError):
                feed(b"%08x" % number + b"f" * SIZE)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < KEYS * 400


# Keys that are no peer's words: addresses of sockets.
NOT_FED = {"sipcore/transport/source.py"}
FED = {
    "sipcore/message/uri.py", "sipcore/nat/detect.py", "sipcore/proxy/call.py", "sipcore/proxy/listeners.py",
    "sipcore/resolver/records.py", "sipcore/transport/layer.py",
}  # fmt: skip


def test_every_lru_cache_is_among_those_that_are_fed_here() -> None:
    paths = (ROOT / "sipcore").rglob("*.py")
    found = {str(path.relative_to(ROOT)) for path in paths if "lru_cache(" in path.read_text()}
    assert found == FED | NOT_FED
