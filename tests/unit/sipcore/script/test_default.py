"""Sans-IO: the default script does what the default routes do, message by message."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from sipcore.auth.digest import DigestAuth
from sipcore.auth.nonce import Nonces
from sipcore.nat.detect import NatTest
from sipcore.script import default
from tests.kit.sip_messages import request
from tests.kit.sip_pair import SETTINGS
from tests.kit.sip_proxy import CALLER, Bench
from tests.kit.sip_script import ScriptBench
from tests.unit.sipcore.registrar.test_save import OneUser

VIA = b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-1"
OURS = b"<sip:192.0.2.100:5060;lr>"
IN_DIALOG = b"<sip:bob@example.test>;tag=bob-1"


def sip(method: bytes = b"OPTIONS", uri: bytes = b"sip:bob@example.test", **more: object) -> bytes:
    return request(method, uri, via=VIA, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data",
    [
        sip(),
        sip(b"INVITE"),
        sip(b"SUBSCRIBE"),
        sip(b"INVITE", b"sip:nobody@example.test"),
        sip(uri=b"sip:example.test"),
        sip(b"MESSAGE", b"sip:example.test"),
        sip(b"FROBNICATE", b"sip:example.test"),
        sip(b"FROBNICATE"),
        sip(uri=b"sips:bob@example.test"),
        sip(uri=b"sip:bob@192.0.2.100"),
        sip(uri=b"sip:bob@elsewhere.test"),
        sip(uri=b"sip:bob@192.0.2.77"),
        sip(uri=b"tel:+1-555-0100"),
        sip(uri=b"urn:service:sos"),
        sip(max_forwards=0),
        sip(headers=((b"Proxy-Require", b"privacy"),)),
        sip(b"BYE", b"sip:bob@192.0.2.2:5060", to=IN_DIALOG, headers=((b"Route", OURS),)),
        sip(b"ACK", b"sip:bob@192.0.2.2:5060", to=IN_DIALOG, headers=((b"Route", OURS),)),
        sip(b"BYE", b"sip:bob@example.test", to=IN_DIALOG, headers=((b"Route", OURS),)),
        sip(headers=((b"Route", OURS + b", <sip:192.0.2.50;lr>"),)),
        sip(b"ACK", b"sip:bob@example.test"),
    ],
)
def test_the_default_script_sends_what_the_default_routes_send(data: bytes, tmp_path: Path) -> None:
    plain = Bench()
    scripted = ScriptBench(tmp_path, Path(default.__file__).read_text())
    assert sent(scripted, data) == sent(plain, data)
    assert scripted.script.failures == 0


def test_the_constants_of_the_default_script_are_settings_of_the_default_routes(tmp_path: Path) -> None:
    text = Path(default.__file__).read_text()
    said = {"HIDE_USERS": "False", "AUTHENTICATE_CALLS": "True"}
    for name, value in said.items():
        assert f"\n{name} = " in text
        text = re.sub(rf"\n{name} = \w+", f"\n{name} = {value}", text)
    settings = replace(SETTINGS, hide_users=False, authenticate=True)
    stranger = b"<sip:x@elsewhere.test>;tag=1"
    refused = [sip(b"INVITE"), sip(b"INVITE", b"sip:nobody@example.test", sender=stranger)]
    for data, status in zip(refused, (b"407", b"404"), strict=True):
        scripted = sent(ScriptBench(tmp_path, text, settings, auth=one_user()), data)
        assert scripted == sent(Bench(settings, auth=one_user()), data)
        assert [datagram.split()[1] for datagram, _ in scripted] == [status]


def one_user() -> DigestAuth:
    return DigestAuth(b"example.test", Nonces(b"secret"), OneUser())


def sent(bench: Bench, data: bytes) -> list[tuple[bytes, object]]:
    """The datagrams upon this one."""
    bench.register(b"bob", "192.0.2.2")
    bench.register(b"alice", "192.0.2.1")
    bench.core.take()
    bench.core.feed(data, CALLER, 0.0)
    return [(send.data, send.hop) for send in bench.core.take()]


def test_the_default_script_treats_phones_behind_nat_as_the_default_routes_do(tmp_path: Path) -> None:
    settings = replace(SETTINGS, nat_tests=NatTest.DIFF_IP_SRC_CONTACT)
    data = sip(b"INVITE", headers=((b"Contact", b"<sip:alice@10.0.0.1:5070>"),))
    scripted = ScriptBench(tmp_path, Path(default.__file__).read_text(), settings)
    upon = sent(scripted, data)
    assert any(b";alias=192.0.2.1~5060~1" in datagram for datagram, _ in upon)
    assert upon == sent(Bench(settings), data)
