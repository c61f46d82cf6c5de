"""Sans-IO: strangers cannot have us send to third parties; what they would need is signed by us."""

from dataclasses import replace

import pytest

from sipcore.message import build_response
from sipcore.transport.layer import Hop
from tests.kit.sip_messages import parsed_request, request
from tests.kit.sip_pair import SETTINGS
from tests.kit.sip_proxy import VIA, Bench, brief, of

STRANGER = Hop("203.0.113.9", 5060)
CALLEE = Hop("192.0.2.2", 5060)
STRANGE_VIA = b"SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bKstranger"
STRANGE_FROM = b"<sip:x@elsewhere.test>;tag=1"
BOB = b"<sip:bob@example.test>;tag=b1"


@pytest.fixture
def bench() -> Bench:
    bench = Bench(replace(SETTINGS, flow_key=b"the key of the pair"))
    bench.register(b"bob", "192.0.2.2")
    return bench


def test_a_stray_response_is_passed_on_only_to_where_its_request_came_from(bench: Bench) -> None:
    invite = of(b"INVITE", bench.invite())[0]
    data = build_response(invite, 200, to_tag=b"2", headers=[(b"Contact", b"<sip:bob@192.0.2.2>")])
    bench.core.layer.silence()  # the transaction is gone, as after a takeover
    bench.core.proxy.stateless.strays_until = 100.0
    for forged in (VIA.replace(b"192.0.2.1", b"198.51.100.7"), VIA + b";received=198.51.100.7"):
        bench.core.feed(data.replace(VIA, forged), CALLEE, 3.0)
        assert bench.sends() == []
    bench.core.feed(data, CALLEE, 3.0)
    assert [send.hop for send in bench.sends()] == [Hop("192.0.2.1", 5060)]


@pytest.mark.parametrize("method", [b"BYE", b"NOTIFY", b"INVITE"])
@pytest.mark.parametrize(
    ("uri", "routes"),
    [
        (b"sip:x@198.51.100.7", b"<sip:192.0.2.100:5060;lr>"),
        (b"sip:x@198.51.100.7", b"<sip:192.0.2.100:5060;lr;c=0123456789>"),
        (b"sip:bob@example.test", b"<sip:192.0.2.100:5060;lr>, <sip:198.51.100.7;lr>"),
        (b"sip:example.test;maddr=198.51.100.7", b"<sip:192.0.2.100:5060;lr>"),
    ],
)
def test_a_made_up_dialog_leads_nowhere(bench: Bench, method: bytes, uri: bytes, routes: bytes) -> None:
    headers = ((b"Route", routes),)
    data = request(method, uri, via=STRANGE_VIA, sender=STRANGE_FROM, to=BOB, headers=headers)
    assert brief(bench.say(data, STRANGER)) == ["481"]


def test_a_dialog_that_nobody_remembers_is_followed_by_our_own_record_route(bench: Bench) -> None:
    (route,) = of(b"SUBSCRIBE", bench.say(request(b"SUBSCRIBE", via=VIA)))[0].values(b"record-route")
    notify = request(
        b"NOTIFY",
        b"sip:watcher@203.0.113.80",
        via=STRANGE_VIA,
        sender=STRANGE_FROM,
        to=BOB,
        headers=((b"Route", route),),
    )
    (sent,) = of(b"NOTIFY", bench.say(notify, STRANGER))
    assert sent.values(b"route") == []
    other_call = notify.replace(b"call-1@", b"call-2@").replace(b"z9hG4bKstranger", b"z9hG4bKanother")
    assert brief(bench.say(other_call, STRANGER)) == ["481"]


def test_a_maddr_that_is_not_ours_makes_a_uri_foreign(bench: Bench) -> None:
    data = request(b"OPTIONS", b"sip:bob@example.test;maddr=198.51.100.7", via=STRANGE_VIA)
    assert parsed_request(data).uri.endswith(b"198.51.100.7")
    assert brief(bench.say(data, STRANGER)) == ["404"]
