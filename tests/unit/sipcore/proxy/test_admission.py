"""Who may send what: no open relay, challenges, schemes, limits."""

from dataclasses import replace

import pytest

from sipcore.message import Response
from sipcore.proxy import ProxySettings
from sipcore.transport.layer import Hop
from tests.kit.sip_pair import SETTINGS
from tests.kit.sip_proxy import CALLER, VIA, Bench, brief, request

FOREIGN = b"sip:carol@192.0.2.50"
STRANGER = Hop("203.0.113.9", 5060)


def test_a_stranger_gets_no_relay_and_our_user_does() -> None:
    bench = Bench()
    bench.register(b"alice", CALLER.host)
    assert brief(bench.say(request(b"INVITE", FOREIGN, via=VIA), STRANGER)) == ["404"]
    assert brief(bench.say(request(b"INVITE", FOREIGN, via=VIA + b"2"), CALLER)) == ["100", "INVITE"]


def test_a_route_does_not_open_the_relay_either() -> None:
    bench = Bench()
    for routes in (b"<sip:192.0.2.100;lr>", b"<sip:192.0.2.100;lr>, <sip:198.51.100.1;lr>"):
        data = request(b"INVITE", FOREIGN, via=VIA + routes[-9:-5], headers=((b"Route", routes),))
        assert brief(bench.say(data, STRANGER)) == ["404"]


def test_a_to_tag_that_belongs_to_no_dialog_does_not_open_the_relay() -> None:
    bench = Bench()
    data = request(b"INVITE", FOREIGN, via=VIA, to=b"<sip:c@d>;tag=1")
    assert brief(bench.say(data, STRANGER)) == ["404"]


def test_the_relay_is_open_when_the_operator_says_so() -> None:
    bench = Bench(replace(SETTINGS, relay="any"))
    assert brief(bench.say(request(b"INVITE", FOREIGN, via=VIA), STRANGER)) == ["100", "INVITE"]


@pytest.mark.parametrize(
    ("settings", "uri", "expected"),
    [
        (SETTINGS, b"mailto:bob@example.test", ["416"]),
        (SETTINGS, b"sips:bob@example.test", ["416"]),
        (replace(SETTINGS, tel_users=False), b"tel:+43123", ["416"]),
        (SETTINGS, b"tel:+43123", ["480"]),
    ],
)
def test_a_scheme_that_we_cannot_serve_gets_416(
    settings: ProxySettings, uri: bytes, expected: list[str]
) -> None:
    assert brief(Bench(settings).invite(uri)) == expected


def test_above_the_limit_of_transactions_requests_get_503_with_retry_after() -> None:
    bench = Bench(replace(SETTINGS, max_transactions=2))
    bench.register(b"bob", "192.0.2.2")
    for number in range(2):
        assert "INVITE" in brief(bench.invite(via=VIA + b"%d" % number, call_id=b"%d" % number))
    (refused,) = bench.invite(via=VIA + b"x", call_id=b"x")
    assert isinstance(refused, Response)
    assert (refused.status, refused.first(b"retry-after")) == (503, b"5")
    assert brief(bench.say(request(b"CANCEL", via=VIA + b"0", call_id=b"0"))) == ["200", "487"]
    assert bench.core.counters["overloaded"] == 1
