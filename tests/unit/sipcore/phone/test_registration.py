"""A phone's REGISTER with digest authentication against RFC 3261 section 10.2 and RFC 7616."""

from hashlib import md5

import pytest

from sipcore.message import Request, build_response, parse
from sipcore.phone.agent import Phone
from sipcore.phone.digest import Challenge, choose
from sipcore.transport.layer import Hop
from tests.unit.sipcore.phone.test_calls import phone

ME, PROXY = Hop("192.0.2.1", 5060), Hop("192.0.2.2", 5060)
CHALLENGE = b'Digest realm="example.test", nonce="%b", algorithm=MD5, qop="auth"%b'


@pytest.fixture
def alice() -> Phone:
    return phone(ME, PROXY, {b"alice": b"secret"}, b"a")


def sent(phone: Phone) -> Request:
    """The one request that the phone wants sent."""
    (send,) = phone.outbox
    phone.outbox.clear()
    message = parse(send.data)
    assert isinstance(message, Request)
    return message


def respond(phone: Phone, request: Request, status: int, *headers: tuple[bytes, bytes]) -> None:
    phone.feed(build_response(request, status, to_tag=b"t", headers=headers), PROXY, 0.1)


def challenge(nonce: bytes, tail: bytes = b"") -> tuple[bytes, bytes]:
    return b"WWW-Authenticate", CHALLENGE % (nonce, tail)


def test_it_answers_the_challenge_with_the_next_cseq(alice: Phone) -> None:
    alice.register(b"alice", 3600, 0.0)
    first = sent(alice)
    respond(alice, first, 401, challenge(b"n1"))
    second = sent(alice)
    assert (second.cseq, second.call_id) == (first.cseq + 1, first.call_id)
    assert b'nonce="n1"' in (second.first(b"authorization") or b"")
    respond(alice, second, 200)
    assert [(e["event"], e["status"]) for e in alice.events] == [("registered", 200)]


def test_a_wrong_password_is_not_tried_again(alice: Phone) -> None:
    alice.register(b"alice", 3600, 0.0)
    respond(alice, sent(alice), 401, challenge(b"n1"))
    respond(alice, sent(alice), 401, challenge(b"n2"))
    assert alice.outbox == []
    assert [(e["event"], e["status"]) for e in alice.events] == [("register_failed", 401)]


def test_a_stale_nonce_is_answered_once_more(alice: Phone) -> None:
    alice.register(b"alice", 3600, 0.0)
    respond(alice, sent(alice), 401, challenge(b"n1"))
    respond(alice, sent(alice), 401, challenge(b"n2", b", stale=true"))
    assert b'nonce="n2"' in (sent(alice).first(b"authorization") or b"")


def test_a_server_that_says_stale_for_ever_is_given_up(alice: Phone) -> None:
    alice.register(b"alice", 3600, 0.0)
    for n in range(4):
        respond(alice, sent(alice), 401, challenge(b"n%d" % n, b", stale=true"))
    assert alice.events[-1]["event"] == "register_failed"


def test_the_next_register_uses_the_nonce_again_with_a_higher_count(alice: Phone) -> None:
    alice.register(b"alice", 3600, 0.0)
    respond(alice, sent(alice), 401, challenge(b"n1"))
    respond(alice, sent(alice), 200)
    alice.register(b"alice", 3600, 0.0)
    assert b"nc=00000002" in (sent(alice).first(b"authorization") or b"")


def test_an_interval_too_brief_is_made_longer(alice: Phone) -> None:
    alice.register(b"alice", 10, 0.0)
    respond(alice, sent(alice), 423, (b"Min-Expires", b"60"))
    assert sent(alice).first(b"expires") == b"60"


def test_no_answer_is_a_failure_with_408(alice: Phone) -> None:
    alice.register(b"alice", 3600, 0.0)
    while (deadline := alice.deadline) is not None and not alice.events:
        alice.on_timer(deadline)
    assert [(e["event"], e["status"]) for e in alice.events] == [("register_failed", 408)]


def test_the_answer_to_a_challenge_is_that_of_rfc_2617_section_3_5() -> None:
    given = Challenge(
        realm=b"testrealm@host.com",
        nonce=b"dcd98b7102dd2f0e8b11d0f600bfb0c093",
        algorithm=b"MD5",
        qop=b"auth",
        opaque=b"5ccc069c403ebaf9f0171e9517f40e41",
        stale=False,
        proxy=False,
    )
    answer = given.answer(
        b"Mufasa", b"Circle Of Life", method=b"GET", uri=b"/dir/index.html", cnonce=b"0a4f113b"
    )
    assert b'response="6629fae49393a05397450978507c4ef1"' in answer
    assert b'opaque="5ccc069c403ebaf9f0171e9517f40e41"' in answer


def test_a_challenge_without_qop_is_answered_the_old_way() -> None:
    given = choose([b'Digest realm="r", nonce="n"'], proxy=False)
    assert given is not None
    ha1, ha2 = (md5(text).hexdigest().encode() for text in (b"u:r:p", b"REGISTER:sip:x"))
    answer = given.answer(b"u", b"p", method=b"REGISTER", uri=b"sip:x", cnonce=b"c")
    assert md5(b":".join((ha1, b"n", ha2))).hexdigest().encode() in answer
    assert b"cnonce" not in answer


def test_a_challenge_that_it_cannot_answer_is_passed_over() -> None:
    unknown = b'Digest realm="r", nonce="n", algorithm=SHA-512-256'
    assert choose([unknown, b'Basic realm="r"'], proxy=False) is None
    chosen = choose([unknown, b'Digest realm="r", nonce="n2", algorithm=SHA-256, qop="auth"'], proxy=False)
    assert chosen is not None
    assert chosen.nonce == b"n2"
