"""Sans-IO: what a stranger's INVITE is refused with is sent once for each time that it comes, over UDP."""

from dataclasses import replace

import pytest

from sipcore.auth.digest import DigestAuth
from sipcore.auth.nonce import Nonces
from sipcore.message import Request, Response, build_ack
from sipcore.transport.layer import Hop
from tests.kit.sip_messages import parsed_request, request
from tests.kit.sip_pair import SETTINGS
from tests.kit.sip_proxy import CALLER, VIA, Bench, brief
from tests.unit.sipcore.registrar.test_save import OneUser

INVITES = {
    "407": request(b"INVITE", via=VIA),
    "480": request(b"INVITE", b"sip:nobody@example.test", via=VIA, sender=b"<sip:x@elsewhere.test>;tag=1"),
    "404": request(b"INVITE", b"sip:x@elsewhere.test", via=VIA, sender=b"<sip:x@elsewhere.test>;tag=1"),
    "483": request(b"INVITE", via=VIA).replace(b"Max-Forwards: 70", b"Max-Forwards: 0"),
}


@pytest.fixture
def bench() -> Bench:
    auth = DigestAuth(b"example.test", Nonces(b"secret"), OneUser())
    bench = Bench(replace(SETTINGS, authenticate=True), auth=auth)
    bench.register(b"bob", "192.0.2.2")
    return bench


@pytest.mark.parametrize("status", INVITES)
def test_a_stranger_gets_one_answer_for_each_invite_and_nothing_is_kept_of_it(
    bench: Bench, status: str
) -> None:
    for _ in range(2):
        assert brief(bench.say(INVITES[status])) == [status]
        assert (len(bench.core.layer), bench.run(40)) == (0, [])


@pytest.mark.parametrize("status", INVITES)
def test_the_ack_of_such_a_refusal_ends_here(bench: Bench, status: str) -> None:
    (refused,) = bench.say(INVITES[status])
    assert isinstance(refused, Response)
    invite = parsed_request(INVITES[status])
    assert isinstance(invite, Request)
    assert bench.say(build_ack(invite, refused)) == []
    assert bench.core.proxy.stateless.dropped == 0


def test_over_a_connection_the_transaction_stays_to_take_the_ack(bench: Bench) -> None:
    source = CALLER._replace(transport="tcp", flow=7)
    assert brief(bench.say(INVITES["480"].replace(b"/UDP", b"/TCP"), source)) == ["480"]
    assert len(bench.core.layer) == 1
    assert bench.run(5) == []


def test_who_has_had_a_100_is_refused_until_he_says_ack() -> None:
    bench = Bench()
    bench.register(b"bob", "192.0.2.2")
    answers = bench.invite()
    assert brief(answers) == ["100", "INVITE"]
    assert brief(bench.answer(answers[1], 486)) == ["ACK", "486"]
    assert brief(bench.run(1.6)) == ["486", "486"]


def test_a_retransmission_to_a_forged_source_is_not_multiplied(bench: Bench) -> None:
    victim = Hop("198.51.100.7", 5060)
    bench.core.feed(INVITES["480"], victim, 0.0)
    (sent,) = bench.sends()
    assert sent.hop.host == victim.host
    bench.run(40)
    assert bench.sends() == []
