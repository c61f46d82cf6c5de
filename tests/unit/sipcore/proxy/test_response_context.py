"""RFC 3261 section 16.7 to 16.10: branches, best response, timers, CANCEL."""

import gc
from dataclasses import replace

import pytest

from sipcore.message import Request, build_response
from sipcore.transport.layer import Hop
from tests.kit.sip_pair import SETTINGS
from tests.kit.sip_proxy import CALLER, VIA, Bench, brief, of, parsed_request, request

Branches = list[Request]
CALLEE = Hop("192.0.2.2", 5060)


@pytest.fixture
def bench() -> Bench:
    bench = Bench(replace(SETTINGS, no_answer=60.0, timer_c=30.0))
    bench.register(b"bob", "192.0.2.2")
    return bench


def forked(bench: Bench, q: float = 1.0) -> Branches:
    bench.register(b"bob", "192.0.2.3", q=q)
    return of(b"INVITE", bench.invite())


def test_100_is_hop_by_hop_and_other_provisional_responses_pass(bench: Bench) -> None:
    (branch,) = of(b"INVITE", bench.invite())
    assert brief(bench.answer(branch, 100)) == []
    assert brief(bench.answer(branch, 180)) == ["180"]
    assert brief(bench.answer(branch, 183)) == ["183"]


def test_all_contacts_of_one_q_ring_and_the_first_2xx_cancels_the_others(bench: Bench) -> None:
    one, two = forked(bench)
    assert brief(bench.answer(one, 180) + bench.answer(two, 180)) == ["180", "180"]
    sent = bench.answer(two, 200)
    assert brief(sent) == ["200", "CANCEL"]
    assert of(b"CANCEL", sent)[0].top_via.branch == one.top_via.branch
    assert brief(bench.answer(one, 487)) == ["ACK"]
    assert bench.core.dialog_count == 1


def test_a_second_2xx_of_a_forked_call_passes_too(bench: Bench) -> None:
    one, two = forked(bench)
    bench.answer(one, 200)
    assert brief(bench.answer(two, 200)) == ["200"]


def test_a_cancel_waits_for_the_first_provisional_response(bench: Bench) -> None:
    one, two = forked(bench)
    assert brief(bench.answer(two, 200)) == ["200"]
    assert brief(bench.answer(one, 100)) == ["CANCEL"]


@pytest.mark.parametrize(
    ("first", "second", "best"),
    [(486, 404, "486"), (500, 486, "486"), (302, 404, "302"), (404, 401, "401"), (503, 503, "500")],
)
def test_the_best_response_goes_to_the_caller(bench: Bench, first: int, second: int, best: str) -> None:
    one, two = forked(bench)
    assert brief(bench.answer(one, first)) == ["ACK"]
    assert brief(bench.answer(two, second)) == ["ACK", best]
    assert bench.core.dialog_count == 0


def test_a_6xx_ends_the_other_branches_and_wins(bench: Bench) -> None:
    one, two = forked(bench)
    bench.answer(one, 180)
    assert brief(bench.answer(two, 603)) == ["ACK", "CANCEL"]
    assert brief(bench.answer(one, 487)) == ["ACK", "603"]


@pytest.mark.parametrize(("status", "becomes"), [(180, []), (200, ["502"]), (486, ["ACK", "502"])])
def test_a_response_without_the_callers_via_is_not_forwarded(
    bench: Bench, status: int, becomes: list[str]
) -> None:
    (branch,) = of(b"INVITE", bench.invite())
    lines = build_response(branch, status, to_tag=b"b-1").split(b"\r\n")
    vias = [line for line in lines if line.startswith(b"Via")]
    lines.remove(vias[1])
    assert brief(bench.say(b"\r\n".join(lines))) == becomes


def test_lower_q_is_called_when_the_higher_has_failed(bench: Bench) -> None:
    (one,) = forked(bench, q=0.5)
    sent = bench.answer(one, 486)
    assert brief(sent) == ["ACK", "INVITE"]
    assert of(b"INVITE", sent)[0].uri == b"sip:bob@192.0.2.3:5060"


def test_lower_q_is_called_when_nobody_answers() -> None:
    bench = Bench(replace(SETTINGS, no_answer=10.0))
    bench.register(b"bob", "192.0.2.2")
    (one,) = forked(bench, q=0.5)
    bench.answer(one, 180)
    sent = bench.run(10.1)
    assert brief(sent) == ["CANCEL", "INVITE"]
    assert brief(bench.answer(of(b"CANCEL", sent)[0], 200)) == []
    assert brief(bench.answer(one, 487)) == ["ACK"]
    two = of(b"INVITE", sent)[0]
    bench.answer(two, 180)
    assert brief(bench.run(10.1)) == ["CANCEL"]
    assert brief(bench.answer(two, 487)) == ["ACK", "408"]


def test_a_late_answer_after_no_answer_still_connects_the_call() -> None:
    bench = Bench(replace(SETTINGS, no_answer=10.0))
    bench.register(b"bob", "192.0.2.2")
    (one,) = of(b"INVITE", bench.invite())
    bench.answer(one, 180)
    assert brief(bench.run(10.1)) == ["CANCEL"]
    assert brief(bench.answer(one, 200)) == ["200"]


def test_a_phone_that_says_nothing_at_all_gives_408() -> None:
    bench = Bench()
    bench.register(b"bob", "192.0.2.2")
    bench.invite()
    assert brief(bench.run(32.2)) == ["INVITE"] * 6 + ["408"]


def test_timer_c_cancels_a_branch_that_only_rings(bench: Bench) -> None:
    (branch,) = of(b"INVITE", bench.invite())
    bench.answer(branch, 180)
    bench.run(20.0)
    bench.answer(branch, 180)  # starts timer C anew
    assert brief(bench.run(29.0)) == []
    assert brief(bench.run(1.2)) == ["CANCEL"]
    assert brief(bench.answer(branch, 487)) == ["ACK", "408"]


def test_a_branch_that_ignores_its_cancel_is_given_up_after_64_t1(bench: Bench) -> None:
    (branch,) = of(b"INVITE", bench.invite())
    bench.answer(branch, 180)
    bench.say(request(b"CANCEL", via=VIA))
    sent = bench.run(33.0)
    assert "487" in brief(sent)


def test_the_caller_cancels(bench: Bench) -> None:
    one, two = forked(bench)
    bench.answer(one, 180)
    bench.answer(two, 180)
    sent = bench.say(request(b"CANCEL", via=VIA))
    assert brief(sent) == ["200", "CANCEL", "CANCEL"]
    assert brief(bench.answer(one, 487)) == ["ACK"]
    assert brief(bench.answer(two, 487)) == ["ACK", "487"]
    assert bench.core.dialog_count == 0


def test_an_answer_that_crosses_the_cancel_wins(bench: Bench) -> None:
    (branch,) = of(b"INVITE", bench.invite())
    bench.answer(branch, 180)
    assert brief(bench.say(request(b"CANCEL", via=VIA))) == ["200", "CANCEL"]
    assert brief(bench.answer(branch, 200)) == ["200"]
    assert bench.core.dialog_count == 1


def test_a_cancelled_call_does_not_go_on_to_the_next_group(bench: Bench) -> None:
    (one,) = forked(bench, q=0.5)
    bench.answer(one, 180)
    bench.say(request(b"CANCEL", via=VIA))
    assert brief(bench.answer(one, 487)) == ["ACK", "487"]


def test_a_cancel_after_the_answer_changes_nothing(bench: Bench) -> None:
    (branch,) = of(b"INVITE", bench.invite())
    bench.answer(branch, 200)
    assert brief(bench.say(request(b"CANCEL", via=VIA))) == ["200"]


def test_a_request_that_is_no_invite_gets_no_408(bench: Bench) -> None:
    sent = bench.say(request(b"MESSAGE", via=VIA))
    assert brief(sent) == ["MESSAGE"]
    sent = bench.run(40.0)
    assert set(brief(sent)) == {"MESSAGE", "100"}
    assert bench.core.transaction_count == 0


def test_only_the_first_2xx_to_a_request_that_is_no_invite_passes(bench: Bench) -> None:
    bench.register(b"bob", "192.0.2.3")
    one, two = of(b"MESSAGE", bench.say(request(b"MESSAGE", via=VIA)))
    assert brief(bench.answer(one, 200)) == ["200"]
    assert brief(bench.answer(two, 200)) == []


def test_all_answers_to_an_invite_and_to_its_cancel_wait_for_the_standby(bench: Bench) -> None:
    bench.core.feed(request(b"INVITE", via=VIA), CALLER, 0.0)
    first, branch = bench.sends()
    bench.core.feed(build_response(parsed_request(branch.data), 180, to_tag=b"t"), CALLEE, 0.0)
    bench.core.feed(request(b"CANCEL", via=VIA), CALLER, 0.0)
    second = bench.sends()
    bench.core.feed(build_response(parsed_request(branch.data), 487, to_tag=b"t"), CALLEE, 0.0)
    sends = [first, *second, *bench.sends()]
    assert [(send.data.split(b" ")[1][:3], send.hold) for send in sends if send.data.startswith(b"SIP")] == [
        (b"100", True),
        (b"180", True),
        (b"200", True),
        (b"487", True),
    ]


def test_calls_leave_nothing_to_the_cyclic_collector(bench: Bench) -> None:
    bench.register(b"bob", "192.0.2.3")
    gc.collect()
    gc.disable()
    try:
        for number in range(3):
            one, two = of(b"INVITE", bench.invite(via=VIA + b"%d" % number, call_id=b"c%d" % number))
            bench.answer(one, 180)
            bench.answer(two, (200, 486, 603)[number])
            bench.answer(one, 487)
            bench.say(request(b"MESSAGE", via=VIA + b"m%d" % number))
        bench.run(200.0)
        del one, two
        assert bench.core.transaction_count == 0
        assert gc.collect() == 0
    finally:
        gc.enable()
