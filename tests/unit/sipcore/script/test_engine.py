"""Sans-IO: a script in the place of the default routes."""

from pathlib import Path

import pytest

from sipcore.bus import Event
from sipcore.message import Request, Response
from sipcore.script.errors import ScriptError
from tests.kit.sip_messages import request
from tests.kit.sip_proxy import brief, of
from tests.kit.sip_script import RELAY, ScriptBench

WAITS = """\
async def work():
    return 1

@request_route
async def main(call):
    call.values["got"] = str(await run(work()))
    await lookup(call)
    await relay(call)
"""
VOICEMAIL = """\
@request_route
async def main(call):
    await lookup(call)
    await t_on_failure(call, "voicemail")
    await relay(call)

@failure_route("voicemail")
async def voicemail(call):
    if await t_check_status(call, "486|408"):
        await append_branch(call, "sip:vm@192.0.2.9:5060")
        await relay(call)
"""


def statuses(messages: list[Request | Response]) -> list[int]:
    return [message.status for message in messages if isinstance(message, Response)]


def test_a_script_relays_to_the_registered_contact(tmp_path: Path) -> None:
    bench = ScriptBench(tmp_path, RELAY)
    bench.register(b"bob", "192.0.2.2")
    assert brief(bench.invite()) == ["100", "INVITE"]


def test_a_script_answers(tmp_path: Path) -> None:
    bench = ScriptBench(
        tmp_path,
        """
        @request_route
        async def main(call):
            await append_to_reply(call, "X-Why: because")
            await sl_send_reply(call, 404, "Nobody Here")
        """,
    )
    (answer,) = bench.invite()
    assert isinstance(answer, Response)
    assert (answer.status, answer.reason, answer.first(b"x-why")) == (404, b"Nobody Here", b"because")


def test_an_exception_answers_500_once_and_is_logged_with_its_line(tmp_path: Path) -> None:
    bench = ScriptBench(
        tmp_path,
        """
        def helper(call):
            return {}[call.method]  # here

        @request_route
        async def main(call):
            helper(call)
        """,
    )
    assert statuses(bench.invite()) == [500]
    (line,) = bench.lines
    assert (line.level, line.fields["line"]) == ("error", bench.line_of("# here"))
    assert line.fields["route"] == "request_route"
    assert "KeyError: 'INVITE'" in str(line.fields["error"])
    assert bench.script.counters["script_failures"] == 1


def test_an_exception_after_an_answer_sends_no_second_one(tmp_path: Path) -> None:
    bench = ScriptBench(
        tmp_path,
        """
        @request_route
        async def main(call):
            await sl_send_reply(call, 403)
            raise ValueError
        """,
    )
    assert statuses(bench.invite()) == [403]
    assert bench.script.failures == 1


def test_an_exception_after_relay_leaves_the_call_alone(tmp_path: Path) -> None:
    bench = ScriptBench(tmp_path, RELAY + "    raise ValueError\n")
    bench.register(b"bob", "192.0.2.2")
    sent = bench.invite()
    assert brief(sent) == ["100", "INVITE"]
    assert 200 in statuses(bench.answer(sent[1], 200))


def test_a_route_without_an_answer_is_a_mistake_and_drop_says_that_it_is_none(tmp_path: Path) -> None:
    text = "@request_route\nasync def main(call):\n    pass\n"
    bench = ScriptBench(tmp_path, text)
    assert statuses(bench.invite()) == [500]
    assert bench.script.undecided == 1
    bench = ScriptBench(tmp_path, text.replace("pass", "await drop(call)"))
    assert bench.invite() == []
    assert bench.core.transaction_count == 0


def test_a_header_with_a_line_break_is_refused_before_it_is_on_the_wire(tmp_path: Path) -> None:
    bench = ScriptBench(
        tmp_path,
        RELAY.replace(
            "    await lookup", '    await append_hf(call, "X", "a\\r\\nVia: x")\n    await lookup'
        ),
    )
    bench.register(b"bob", "192.0.2.2")
    assert statuses(bench.invite()) == [500]
    assert "line break" in str(bench.lines[0].fields["error"])


def test_a_request_that_may_not_be_forwarded_gets_the_answer_of_the_rfc(tmp_path: Path) -> None:
    bench = ScriptBench(tmp_path, RELAY)
    bench.register(b"bob", "192.0.2.2")
    assert statuses(bench.say(request(b"INVITE", max_forwards=0))) == [483]
    assert bench.script.failures == 0


def test_a_route_that_waits_goes_on_where_it_was(tmp_path: Path) -> None:
    bench = ScriptBench(tmp_path, WAITS)
    bench.register(b"bob", "192.0.2.2")
    assert brief(bench.invite()) == ["100"]  # section 17.2.1: at once, as nobody knows how long
    assert brief(bench.bring(7)) == ["INVITE"]


def test_a_cancel_while_a_route_waits_ends_the_call(tmp_path: Path) -> None:
    bench = ScriptBench(tmp_path, WAITS)
    bench.register(b"bob", "192.0.2.2")
    bench.invite()
    answers = bench.say(request(b"CANCEL", via=b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-1"))
    assert sorted(statuses(answers)) == [200, 487]
    assert bench.bring(7) == []


def test_a_route_that_waits_too_long_answers_500(tmp_path: Path) -> None:
    bench = ScriptBench(tmp_path, WAITS)
    bench.invite()
    assert statuses(bench.run(5.3)) == [500]
    assert f"{bench.path}:" in str(bench.lines[0].fields["error"])


def test_a_busy_callee_leads_to_voicemail(tmp_path: Path) -> None:
    bench = ScriptBench(tmp_path, VOICEMAIL)
    bench.register(b"bob", "192.0.2.2")
    sent = bench.invite()
    upon = bench.answer(sent[1], 486)
    (voicemail,) = of(b"INVITE", upon)
    assert voicemail.uri == b"sip:vm@192.0.2.9:5060"
    assert statuses(upon) == []
    assert 200 in statuses(bench.answer(voicemail, 200))


def test_a_failure_route_that_does_nothing_lets_the_best_answer_go(tmp_path: Path) -> None:
    bench = ScriptBench(tmp_path, VOICEMAIL)
    bench.register(b"bob", "192.0.2.2")
    sent = bench.invite()
    assert 603 in statuses(bench.answer(sent[1], 603))


def test_a_failure_route_that_raises_answers_500(tmp_path: Path) -> None:
    bench = ScriptBench(
        tmp_path, VOICEMAIL.replace("await append_branch", "1 / 0\n        await append_branch")
    )
    bench.register(b"bob", "192.0.2.2")
    sent = bench.invite()
    assert 500 in statuses(bench.answer(sent[1], 486))


def test_an_armed_route_is_found_by_name_in_the_script_of_now(tmp_path: Path) -> None:
    bench = ScriptBench(tmp_path, VOICEMAIL)
    bench.register(b"bob", "192.0.2.2")
    sent = bench.invite()
    bench.write(VOICEMAIL.replace("sip:vm@192.0.2.9", "sip:vm@192.0.2.10"))
    bench.reload()
    (voicemail,) = of(b"INVITE", bench.answer(sent[1], 486))
    assert voicemail.uri == b"sip:vm@192.0.2.10:5060"


def test_an_armed_route_that_a_reload_took_away_lets_the_best_answer_go(tmp_path: Path) -> None:
    bench = ScriptBench(tmp_path, VOICEMAIL)
    bench.register(b"bob", "192.0.2.2")
    sent = bench.invite()
    bench.write(RELAY)
    bench.reload()
    assert 486 in statuses(bench.answer(sent[1], 486))
    assert bench.script.missing == 1


def test_a_running_route_ends_in_the_script_that_it_began_in(tmp_path: Path) -> None:
    bench = ScriptBench(tmp_path, WAITS)
    bench.register(b"bob", "192.0.2.2")
    bench.invite()
    bench.write("@request_route\nasync def main(call):\n    await sl_send_reply(call, 404)\n")
    bench.reload()
    assert brief(bench.bring(7)) == ["INVITE"]
    assert statuses(bench.say(request(b"OPTIONS"))) == [404]


def test_a_broken_script_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    bench = ScriptBench(tmp_path, RELAY)
    bench.write("@request_route\nasync def main(call):\n    relya(call)\n")
    with pytest.raises(ScriptError, match="unknown name 'relya'"):
        bench.reload()
    bench.register(b"bob", "192.0.2.2")
    assert brief(bench.invite()) == ["100", "INVITE"]


def test_a_branch_route_changes_one_branch_or_drops_it(tmp_path: Path) -> None:
    bench = ScriptBench(
        tmp_path,
        """
        @request_route
        async def main(call):
            await lookup(call)
            await t_on_branch(call, "each")
            await append_hf(call, "X-All: yes")
            await relay(call)

        @branch_route("each")
        async def each(call):
            if call.rd == "192.0.2.3":
                await drop(call)
            if call.rd == "192.0.2.2":
                await append_hf(call, "X-Only: this")
                call.rU = "robert"
        """,
    )
    for host in ("192.0.2.2", "192.0.2.3", "192.0.2.4"):
        bench.register(b"bob", host)
    sent = {invite.uri: invite for invite in of(b"INVITE", bench.invite())}
    assert sorted(sent) == [b"sip:bob@192.0.2.4:5060", b"sip:robert@192.0.2.2:5060"]
    assert [sent[uri].first(b"x-only") for uri in sorted(sent)] == [None, b"this"]
    assert [sent[uri].first(b"x-all") for uri in sorted(sent)] == [b"yes", b"yes"]


def test_reply_routes_see_and_change_replies(tmp_path: Path) -> None:
    bench = ScriptBench(
        tmp_path,
        RELAY.replace("await relay", 'await t_on_reply(call, "mine")\n    await relay')
        + """
@reply_route
async def every(call):
    if call.rs == 180:
        await drop(call)

@reply_route("mine")
async def mine(call):
    await append_hf(call, "X-Status", f"{call.rs} {call.rr}")
    await remove_hf(call, "Contact")
""",
    )
    bench.register(b"bob", "192.0.2.2")
    sent = bench.invite()
    assert bench.answer(sent[1], 180) == []
    (answer,) = [m for m in bench.answer(sent[1], 200) if isinstance(m, Response)]
    assert (answer.first(b"x-status"), answer.first(b"contact")) == (b"200 OK", None)


def test_a_reply_route_that_raises_lets_the_reply_go(tmp_path: Path) -> None:
    bench = ScriptBench(tmp_path, RELAY + "\n@reply_route\nasync def every(call):\n    1 / 0\n")
    bench.register(b"bob", "192.0.2.2")
    sent = bench.invite()
    assert statuses(bench.answer(sent[1], 200)) == [200]
    assert bench.script.failures == 1


EVENTS = (
    RELAY
    + """
async def work():
    return 1

@event_route("E_UL_AOR_INSERT")
async def insert(event):
    await run(work())
    await cache_store(event, "local:test", event.aor, "pop1")

@event_route("E_UL_AOR_DELETE")
async def delete(event):
    await cache_remove(event, "local:test", event.aor)
"""
)


def test_the_events_of_one_aor_are_served_one_after_the_other(tmp_path: Path) -> None:
    bench = ScriptBench(tmp_path, EVENTS)
    script, table = bench.script, bench.script.services.stores["local:test"].table  # type: ignore[attr-defined]
    script.on_event(Event.E_UL_AOR_INSERT, b"sip:bob@example.test")
    script.on_event(Event.E_UL_AOR_DELETE, b"sip:bob@example.test")
    script.on_event(Event.E_UL_AOR_INSERT, b"sip:carol@example.test")
    script.run_events(0.0)
    assert len(script.runner.waiting) == 2
    bench.bring()
    assert len(table) == 0  # inserted and deleted again
    bench.bring()
    assert table.get(b"sip:carol@example.test", 0.0) == b"pop1"
    assert script._events == 0
    assert not script._chains


def test_an_event_route_that_raises_is_logged_and_the_next_one_runs(tmp_path: Path) -> None:
    bench = ScriptBench(tmp_path, EVENTS.replace("await run(work())", "1 / 0"))
    for _ in range(3):
        bench.script.on_event(Event.E_UL_AOR_INSERT, b"sip:bob@example.test")
    bench.script.run_events(0.0)
    assert bench.script.failures == 3
    assert bench.lines[0].fields["key"] == "sip:bob@example.test"


def test_a_registration_raises_the_event_that_the_script_waits_for(tmp_path: Path) -> None:
    bench = ScriptBench(tmp_path, EVENTS.replace("await run(work())", "pass"))
    bench.register(b"bob", "192.0.2.2")
    bench.script.run_events(0.0)
    table = bench.script.services.stores["local:test"].table  # type: ignore[attr-defined]
    assert table.get(b"sip:bob@example.test", 0.0) == b"pop1"


def test_a_script_registers_and_its_headers_are_in_the_answer(tmp_path: Path) -> None:
    bench = ScriptBench(
        tmp_path,
        """
        @request_route
        async def main(call):
            await append_to_reply(call, "X-Pop: 1")
            if await save(call, "location"):
                call.values["saved"] = "yes"
        """,
    )
    headers = ((b"Contact", b"<sip:bob@192.0.2.2>"),)
    data = request(b"REGISTER", b"sip:example.test", to=b"<sip:bob@example.test>", headers=headers)
    (answer,) = bench.say(data)
    assert isinstance(answer, Response)
    assert (answer.status, answer.first(b"x-pop")) == (200, b"1")
    assert bench.node.location.contacts == 1
