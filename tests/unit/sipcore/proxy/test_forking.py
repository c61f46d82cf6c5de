"""Forking beyond the simple case: challenges, recursion, breadth, loops, and what nobody waits for."""

from dataclasses import replace

import pytest

from sipcore.message import Request, Response, build_response
from sipcore.proxy.forking import Target
from sipcore.proxy.max_breadth import share_breadth
from sipcore.transport.layer import Hop
from tests.kit.sip_pair import SETTINGS
from tests.kit.sip_proxy import VIA, Bench, brief, of, request

CALLEE = Hop("192.0.2.2", 5060)
Header = tuple[bytes, bytes]


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.register(b"bob", "192.0.2.2")
    bench.register(b"bob", "192.0.2.3")
    return bench


def forked(bench: Bench, *headers: Header) -> list[Request]:
    return of(b"INVITE", bench.say(request(b"INVITE", via=VIA, headers=headers)))


def answer(bench: Bench, sent: Request, status: int, *headers: Header) -> list[Request | Response]:
    return bench.say(build_response(sent, status, to_tag=b"t", headers=headers), CALLEE)


# Section 16.7 step 7


def test_the_challenges_of_all_branches_reach_the_caller(bench: Bench) -> None:
    one, two = forked(bench)
    answer(bench, one, 401, (b"WWW-Authenticate", b'Digest realm="one", nonce="1"'))
    sent = answer(bench, two, 407, (b"Proxy-Authenticate", b'Digest realm="two", nonce="2"'))
    best = sent[-1]
    assert brief(sent) == ["ACK", "401"]
    assert best.lines(b"www-authenticate") == [b'Digest realm="one", nonce="1"']
    assert best.lines(b"proxy-authenticate") == [b'Digest realm="two", nonce="2"']


def test_the_same_challenge_is_there_once_and_one_beside_a_better_answer_not_at_all(bench: Bench) -> None:
    challenge = (b"WWW-Authenticate", b'Digest realm="one", nonce="1"')
    one, two = forked(bench)
    answer(bench, one, 401, challenge)
    assert answer(bench, two, 401, challenge)[-1].lines(b"www-authenticate") == [challenge[1]]
    one, two = of(b"INVITE", bench.invite(via=VIA + b"2", call_id=b"2"))
    answer(bench, one, 401, challenge)
    sent = answer(bench, two, 302)
    assert brief(sent) == ["ACK", "302"]
    assert sent[-1].lines(b"www-authenticate") == []


# Section 16.7 step 4: recursion


def recursing(**settings: int) -> Bench:
    bench = Bench(replace(SETTINGS, recurse=True, **settings))  # type: ignore[arg-type]
    bench.register(b"bob", "192.0.2.2")
    return bench


def test_a_302_is_followed_by_option_and_passed_on_otherwise(bench: Bench) -> None:
    contact = (b"Contact", b"<sip:bob@192.0.2.7>;q=0.2, <sip:bob@192.0.2.8>;q=0.9")
    following = recursing()
    (branch,) = forked(following)
    sent = answer(following, branch, 302, contact)
    assert [(m.method, m.uri) for m in of(b"INVITE", sent)] == [(b"INVITE", b"sip:bob@192.0.2.8")]
    sent = answer(following, of(b"INVITE", sent)[0], 404)
    assert [m.uri for m in of(b"INVITE", sent)] == [b"sip:bob@192.0.2.7"]
    assert brief(answer(following, of(b"INVITE", sent)[0], 486)) == ["ACK", "404"]
    one, two = forked(bench)
    answer(bench, one, 404)
    assert brief(answer(bench, two, 302, contact)) == ["ACK", "302"]


def test_recursion_does_not_go_round_in_circles() -> None:
    bench = recursing()
    (branch,) = forked(bench)
    itself = (b"Contact", b"<sip:bob@192.0.2.2:5060>")
    assert brief(answer(bench, branch, 302, itself)) == ["ACK", "302"]


def test_recursion_keeps_to_the_limit_of_branches() -> None:
    bench = recursing(max_branches=3)
    (branch,) = forked(bench)
    many = (b"Contact", b", ".join(b"<sip:bob@192.0.2.%d>" % n for n in range(10, 20)))
    branches = of(b"INVITE", answer(bench, branch, 302, many))
    assert len(branches) == 2
    for number, one in enumerate(branches):
        more = (b"Contact", b"<sip:bob@192.0.2.%d>" % (30 + number))
        last = answer(bench, one, 302, more)
    assert brief(last) == ["ACK", "302"]


def test_a_contact_that_is_no_sip_uri_keeps_the_302_for_the_caller() -> None:
    bench = recursing()
    (branch,) = forked(bench)
    assert brief(answer(bench, branch, 302, (b"Contact", b"<mailto:bob@example.test>"))) == ["ACK", "302"]


# RFC 5393


def test_max_breadth_is_shared_and_what_has_no_share_rings_later(bench: Bench) -> None:
    one, two = forked(bench, (b"Max-Breadth", b"5"))
    assert (one.first(b"max-breadth"), two.first(b"max-breadth")) == (b"3", b"2")
    (first,) = of(b"INVITE", bench.say(request(b"INVITE", via=VIA + b"2", headers=((b"Max-Breadth", b"1"),))))
    assert first.first(b"max-breadth") == b"1"
    assert brief(answer(bench, first, 486)) == ["ACK", "INVITE"]


@pytest.mark.parametrize(("value", "status"), [(b"0", "440"), (b"x", "400"), (b"-1", "400")])
def test_no_breadth_at_all_gets_440_and_nonsense_400(bench: Bench, value: bytes, status: str) -> None:
    assert brief(bench.say(request(b"INVITE", via=VIA, headers=((b"Max-Breadth", value),)))) == [status]


@pytest.mark.parametrize(("breadth", "shares"), [(1, [1]), (3, [1, 1, 1]), (7, [3, 2, 2]), (0, [])])
def test_the_shares_add_up_to_the_breadth(breadth: int, shares: list[int]) -> None:
    found, later = share_breadth(breadth, [Target(b"%d" % n) for n in range(3)])
    assert found == shares
    assert len(found) + len(later) == 3


def test_a_request_that_a_fork_brings_back_changed_is_a_spiral_and_unchanged_a_loop(bench: Bench) -> None:
    one, two = forked(bench)
    spiral = one.raw.replace(b"INVITE %b " % one.uri, b"INVITE sip:bob@example.test:5060 ", 1)
    assert "INVITE" in brief(bench.say(spiral, CALLEE))
    loop = two.raw.replace(b"INVITE %b " % two.uri, b"INVITE sip:bob@example.test ", 1)
    assert brief(bench.say(loop, CALLEE)) == ["482"]


# Section 16.10 and 9.1


def test_a_cancel_does_not_wait_for_a_branch_that_has_never_answered(bench: Bench) -> None:
    one, two = forked(bench)
    bench.answer(one, 180)
    assert brief(bench.say(request(b"CANCEL", via=VIA))) == ["200", "CANCEL"]
    assert brief(bench.answer(one, 487)) == ["ACK", "487"]
    assert brief(bench.answer(two, 180)) == ["CANCEL"]
    assert brief(bench.answer(two, 487)) == ["ACK"]


def test_that_branch_gets_its_cancel_also_after_the_caller_has_long_gone(bench: Bench) -> None:
    one, two = forked(bench)
    bench.say(request(b"CANCEL", via=VIA))
    ack = request(b"ACK", via=VIA, to=b"<sip:bob@example.test>;tag=x")
    bench.say(ack)
    bench.run(6.0)
    assert brief(bench.answer(two, 180)) == ["CANCEL"]
    bench.answer(two, 487)
    bench.answer(one, 486)
    bench.run(80.0)
    assert bench.core.transaction_count == 0


def test_an_answer_that_comes_after_the_487_is_passed_on_all_the_same(bench: Bench) -> None:
    one, two = forked(bench)
    bench.answer(one, 180)
    bench.say(request(b"CANCEL", via=VIA))
    bench.answer(one, 487)
    assert brief(bench.answer(two, 200)) == ["200"]


# RFC 4320


def test_a_request_that_is_no_invite_gets_100_after_3_5_s_and_no_other_provisional_response(
    bench: Bench,
) -> None:
    bench.node.location.remove(b"sip:bob@example.test", b"sip:bob@192.0.2.3:5060", call_id=b"x", cseq=2)
    (branch,) = of(b"MESSAGE", bench.say(request(b"MESSAGE", via=VIA)))
    assert brief(bench.answer(branch, 180)) == []
    assert "100" not in brief(bench.run(3.4))
    assert "100" in brief(bench.run(0.2))
    assert brief(bench.answer(branch, 200)) == ["200"]


def test_late_responses_pass_only_for_a_while_after_a_takeover(bench: Bench) -> None:
    (branch, _) = of(b"MESSAGE", bench.say(request(b"MESSAGE", via=VIA)))
    bench.run(70.0)
    assert bench.answer(branch, 200) == []
    assert bench.core.counters["dropped"] == 1
