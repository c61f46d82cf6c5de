"""What the routes may do: edit, arm branch, reply and failure routes, set timers, answer themselves."""

from dataclasses import replace

from sipcore.message import Edit, Response, parse
from sipcore.proxy import Call, Proxy
from sipcore.proxy.branch import Branch
from tests.kit.sip_pair import SETTINGS
from tests.kit.sip_proxy import VIA, Bench, brief, of, request
from tests.kit.sip_routes import HookedRoutes

VOICEMAIL = b"sip:bob@192.0.2.9:5080"


def arm(proxy: Proxy, call: Call) -> None:
    call.failure_route = "to_voicemail"


def to_voicemail(proxy: Proxy, call: Call) -> None:
    proxy.append_branch(call, VOICEMAIL)
    proxy.relay(call, call.now)


def finish(proxy: Proxy, call: Call) -> None:
    proxy.finish(call, call.now)


def nothing_yet(proxy: Proxy, call: Call) -> None:
    pass


def bench_of_bob() -> Bench:
    bench = Bench()
    bench.register(b"bob", "192.0.2.2")
    return bench


# Failure route


def test_a_failure_route_adds_a_branch_and_the_caller_hears_nothing_of_the_failure() -> None:
    bench = bench_of_bob()
    routes = HookedRoutes(bench.core, before=arm, failure=to_voicemail)
    (branch,) = of(b"INVITE", bench.invite())
    sent = bench.answer(branch, 486)
    assert brief(sent) == ["ACK", "INVITE"]
    assert routes.told == ["failure to_voicemail 486"]
    second = of(b"INVITE", sent)[0]
    assert second.uri == VOICEMAIL
    assert brief(bench.answer(second, 200)) == ["200"]


def test_a_failure_route_is_called_once_unless_it_is_armed_again() -> None:
    bench = bench_of_bob()
    routes = HookedRoutes(bench.core, before=arm, failure=to_voicemail)
    (branch,) = of(b"INVITE", bench.invite())
    second = of(b"INVITE", bench.answer(branch, 486))[0]
    assert brief(bench.answer(second, 404)) == ["ACK", "404"]
    assert len(routes.told) == 1


def test_a_failure_route_that_finishes_lets_the_best_response_go() -> None:
    bench = bench_of_bob()
    HookedRoutes(bench.core, before=arm, failure=finish)
    (branch,) = of(b"INVITE", bench.invite())
    assert brief(bench.answer(branch, 486)) == ["ACK", "486"]


def test_a_failure_route_may_answer_something_else() -> None:
    bench = bench_of_bob()
    reply = lambda proxy, call: proxy.reply(call, 603, b"No", ((b"X-Why", b"busy"),))  # noqa: E731
    HookedRoutes(bench.core, before=arm, failure=reply)
    (branch,) = of(b"INVITE", bench.invite())
    sent = bench.answer(branch, 486)
    assert brief(sent) == ["ACK", "603"]
    assert sent[1].first(b"x-why") == b"busy"


def test_a_failure_route_may_take_its_time_and_a_cancel_meanwhile_gets_487() -> None:
    bench = bench_of_bob()
    routes = HookedRoutes(bench.core, before=arm, failure=nothing_yet)
    (branch,) = of(b"INVITE", bench.invite())
    assert brief(bench.answer(branch, 486)) == ["ACK"]
    assert brief(bench.say(request(b"CANCEL", via=VIA))) == ["200", "487"]
    assert routes.told == ["failure to_voicemail 486"]


def test_a_failure_route_that_never_decides_ends_after_64_t1() -> None:
    bench = bench_of_bob()
    HookedRoutes(bench.core, before=arm, failure=nothing_yet)
    (branch,) = of(b"INVITE", bench.invite())
    assert brief(bench.answer(branch, 486)) == ["ACK"]
    assert brief(bench.run(32.1)) == ["486"]


def test_a_late_decision_of_a_failure_route_rings_the_new_target() -> None:
    bench = bench_of_bob()
    waiting: list[Call] = []
    HookedRoutes(bench.core, before=arm, failure=lambda proxy, call: waiting.append(call))
    (branch,) = of(b"INVITE", bench.invite())
    bench.answer(branch, 486)
    bench.run(5.0)
    waiting[0].now = bench.now
    to_voicemail(bench.core.proxy, waiting[0])
    assert brief(bench.heard()) == ["INVITE"]


def test_a_decision_after_the_cancel_changes_nothing() -> None:
    bench = bench_of_bob()
    waiting: list[Call] = []
    HookedRoutes(bench.core, before=arm, failure=lambda proxy, call: waiting.append(call))
    (branch,) = of(b"INVITE", bench.invite())
    bench.answer(branch, 486)
    bench.say(request(b"CANCEL", via=VIA))
    to_voicemail(bench.core.proxy, waiting[0])
    bench.core.proxy.finish(waiting[0], bench.now)
    assert bench.heard() == []


def test_a_failure_route_works_for_a_message_as_well() -> None:
    bench = bench_of_bob()
    HookedRoutes(bench.core, before=arm, failure=to_voicemail)
    (branch,) = of(b"MESSAGE", bench.say(request(b"MESSAGE", via=VIA)))
    second = of(b"MESSAGE", bench.answer(branch, 480))[0]
    assert brief(bench.answer(second, 202)) == ["202"]
    assert bench.core.transaction_count > 0


def test_a_failure_route_without_room_for_a_branch_lets_the_best_response_go() -> None:
    bench = Bench(replace(SETTINGS, max_branches=1))
    bench.register(b"bob", "192.0.2.2")
    HookedRoutes(bench.core, before=arm, failure=to_voicemail)
    (branch,) = of(b"INVITE", bench.invite())
    assert brief(bench.answer(branch, 486)) == ["ACK", "486"]


def test_what_the_script_adds_rings_with_the_contacts_of_equal_q() -> None:
    bench = bench_of_bob()
    HookedRoutes(bench.core, before=lambda proxy, call: proxy.append_branch(call, VOICEMAIL))
    assert len(of(b"INVITE", bench.invite())) == 2


# Branch and reply routes


def test_a_branch_route_edits_its_copy_alone() -> None:
    def edit(call: Call, branch: Branch) -> bool:
        branch.change_header(b"X-To", branch.uri)
        return True

    bench = bench_of_bob()
    bench.register(b"bob", "192.0.2.3")
    HookedRoutes(bench.core, before=lambda _, call: setattr(call, "branch_route", "each"), branch=edit)
    branches = of(b"INVITE", bench.invite())
    assert [branch.first(b"x-to") for branch in branches] == [branch.uri for branch in branches]
    assert len({branch.uri for branch in branches}) == 2


def test_a_branch_that_its_route_does_not_want_is_not_sent() -> None:
    bench = bench_of_bob()
    HookedRoutes(
        bench.core, before=lambda _, call: setattr(call, "branch_route", "no"), branch=lambda *_: False
    )
    assert brief(bench.invite()) == ["100", "480"]


def test_a_reply_route_edits_responses_and_drops_a_provisional_one() -> None:
    def reply(call: Call, response: Response) -> Response | None:
        if response.status == 183:
            return None
        edit = Edit(response)
        edit.append(b"X-Seen", b"yes")
        edited = parse(edit.build())
        assert isinstance(edited, Response)
        return edited

    bench = bench_of_bob()
    routes = HookedRoutes(bench.core, before=lambda _, call: setattr(call, "reply_route", "all"), reply=reply)
    (branch,) = of(b"INVITE", bench.invite())
    assert brief(bench.answer(branch, 183)) == []
    (ringing,) = bench.answer(branch, 180)
    assert ringing.first(b"x-seen") == b"yes"
    assert brief(bench.answer(branch, 200)) == ["200"]
    assert routes.told == ["reply all 183", "reply all 180", "reply all 200"]


# Edits, timers, answers


def test_edits_of_the_routes_are_in_each_copy() -> None:
    def edit(proxy: Proxy, call: Call) -> None:
        call.append_header(b"X-New", b"1")
        call.remove_header(b"Subject")
        call.replace_header(b"User-Agent", b"us")
        call.replace_body(b"text/plain", b"hello")

    bench = bench_of_bob()
    HookedRoutes(bench.core, before=edit)
    headers = ((b"Subject", b"secret"), (b"User-Agent", b"them"))
    (branch,) = of(b"INVITE", bench.say(request(b"INVITE", via=VIA, headers=headers)))
    assert [branch.first(name) for name in (b"x-new", b"subject", b"user-agent")] == [b"1", None, b"us"]
    assert (branch.body, branch.first(b"content-length")) == (b"hello", b"5")


def test_fr_timer_ends_the_wait_for_a_phone_that_says_nothing() -> None:
    bench = bench_of_bob()
    HookedRoutes(bench.core, before=lambda _, call: setattr(call, "fr_timer", 3.0))
    bench.invite()
    assert brief(bench.run(3.1))[-1] == "408"


def test_fr_inv_timer_ends_the_ringing_of_a_group() -> None:
    bench = bench_of_bob()
    HookedRoutes(bench.core, before=lambda _, call: setattr(call, "fr_inv_timer", 7.0))
    (branch,) = of(b"INVITE", bench.invite())
    bench.answer(branch, 180)
    assert brief(bench.run(6.8)) == []
    assert brief(bench.run(0.4)) == ["CANCEL"]


def test_the_parameters_of_our_record_route_come_back_with_the_dialog() -> None:
    class Own(HookedRoutes):
        def on_request(self, call: Call) -> None:
            proxy = bench.core.proxy
            proxy.check(call)
            if proxy.loose_route(call):
                seen.append(call.info.params.get(b"id"))
            else:
                proxy.record_route(call, b";id=7")
                proxy.lookup(call)
            proxy.relay(call, call.now)

    seen: list[bytes | None] = []
    bench = bench_of_bob()
    Own(bench.core)
    (branch,) = of(b"INVITE", bench.invite())
    (route,) = branch.values(b"record-route")
    assert route == b"<sip:192.0.2.100:5060;lr;id=7>"
    to = b"<sip:bob@example.test>;tag=1"
    data = request(b"BYE", b"sip:bob@192.0.2.2", via=VIA + b"b", to=to, headers=((b"Route", route),))
    assert brief(bench.say(data)) == ["BYE"]
    assert seen == [b"7"]


def test_a_route_that_answers_itself_sends_nothing_on() -> None:
    class Own(HookedRoutes):
        def on_request(self, call: Call) -> None:
            bench.core.proxy.reply(call, 503, b"Closed", ((b"Retry-After", b"60"),))

    bench = bench_of_bob()
    Own(bench.core)
    (answer,) = bench.invite()
    assert (brief([answer]), answer.first(b"retry-after")) == (["503"], b"60")
    assert bench.core.dialog_count == 0


def test_an_invite_that_is_cancelled_while_its_route_waits_gets_487_and_is_not_relayed_later() -> None:
    class Own(HookedRoutes):
        def on_request(self, call: Call) -> None:
            waiting.append(call)
            bench.core.proxy.trying(call, call.now)

    waiting: list[Call] = []
    bench = bench_of_bob()
    Own(bench.core)
    assert brief(bench.invite()) == ["100"]
    assert brief(bench.say(request(b"CANCEL", via=VIA))) == ["200", "487"]
    bench.core.proxy.relay(waiting[0], bench.now)
    assert bench.heard() == []
