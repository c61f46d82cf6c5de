"""A call goes on when the master dies, at every datagram and in every way: the phones see no difference."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from sipcore.core import SipCore
from sipcore.location.binding import Binding
from sipcore.proxy import Call, Proxy, ProxySettings
from sipcore.transport.layer import Hop
from tests.kit.sip_names import Names, udp
from tests.kit.sip_pair import SETTINGS, Crash, Play, Script, SipPair
from tests.kit.sip_routes import Hook, HookedRoutes
from tests.kit.sip_wire import Answering

ALICE = {"alice": (b"alice", "192.0.2.1", 1.0)}
BOB = ALICE | {"bob": (b"bob", "192.0.2.2", 1.0)}
FORKED = BOB | {"bob2": (b"bob", "192.0.2.3", 1.0)}
SERIAL = BOB | {"bob2": (b"bob", "192.0.2.3", 0.5)}


def call(play: Play) -> None:
    play.phones["alice"].call("1", b"alice", b"bob", play.now)


def cancel(play: Play) -> None:
    play.phones["alice"].cancel("1", play.now)


def caller_bye(play: Play) -> None:
    play.phones["alice"].bye("1", "caller", play.now)


def answer(play: Play) -> None:
    play.phones["bob"].answer("1", play.now)


def busy(play: Play) -> None:
    play.phones["bob"].reject("1", 486, play.now)


def callee_bye(play: Play) -> None:
    play.phones["bob"].bye("1", "callee", play.now)


def answer2(play: Play) -> None:
    play.phones["bob2"].answer("1", play.now)


def busy2(play: Play) -> None:
    play.phones["bob2"].reject("1", 486, play.now)


def callee2_bye(play: Play) -> None:
    play.phones["bob2"].bye("1", "callee", play.now)


@dataclass(frozen=True)
class Scenario:
    """Who is there, what they do when (seconds), how the proxy is set."""

    cast: dict[str, tuple[bytes, str, float]]
    script: Script
    settings: ProxySettings = SETTINGS
    prepare: Callable[[Play], None] | None = None

    def play(self, pair: SipPair) -> Play:
        play = Play(pair, self.cast)
        if self.prepare is not None:
            self.prepare(play)
        play.run(self.script, until=80.0)
        return play


VOICEMAIL = b"sip:vm@192.0.2.9:5060"
WITH_VOICEMAIL = BOB | {"vm": (b"vm", "192.0.2.9", 1.0)}


def vm_answers(play: Play) -> None:
    play.phones["vm"].answer("1", play.now)


def each_core(play: Play, prepare: Callable[[SipCore], object]) -> None:
    for node in (play.pair.a, play.pair.b):
        prepare(node.core)


def arm(proxy: Proxy, call: Call) -> None:
    call.failure_route = "voicemail"
    call.values["told"] = "once"
    call.append_header(b"X-Edited", b"yes")


def to_voicemail(proxy: Proxy, call: Call) -> None:
    assert (call.deciding, call.values) == ("voicemail", {"told": "once"})
    proxy.append_branch(call, VOICEMAIL)
    proxy.relay(call, call.now)


def to_voicemail_later(proxy: Proxy, call: Call) -> None:
    def decide(now: float) -> None:
        call.now = now
        to_voicemail(proxy, call) if call.deciding else proxy.finish(call, now)

    proxy.wheel.schedule(call.now + 3.0, decide)


def failing_over(play: Play) -> None:
    each_core(play, lambda core: HookedRoutes(core, before=arm, failure=to_voicemail))


def deciding(play: Play) -> None:
    each_core(play, lambda core: HookedRoutes(core, before=arm, failure=to_voicemail_later))


def with_redirection(play: Play) -> None:
    play.wire.plug(Hop("192.0.2.8", 5060), Answering(302, (b"Contact", b"<sip:robert@192.0.2.2:5060>")))


def dns_answers(play: Play) -> None:
    for node in (play.pair.a, play.pair.b):
        names = node.core.proxy.sending.resolver
        assert isinstance(names, Names)
        names.answer(play.now)
    if play.pair.master is not None:
        play.pair.share(play.pair.master, play.now)


def with_slow_dns(play: Play) -> None:
    with_two_addresses(503)(play)
    for node in (play.pair.a, play.pair.b):
        names = node.core.proxy.sending.resolver
        assert isinstance(names, Names)
        names.slow.add(b"pbx.test")


def with_two_addresses(status: int) -> Callable[[Play], None]:
    """bob is behind a name: its first address is silent (0) or answers so, the second is his phone."""

    def prepare(play: Play) -> None:
        soon: Hook = lambda _, call: setattr(call, "fr_timer", 3.0)  # noqa: E731
        for node in (play.pair.a, play.pair.b):
            node.core.proxy.sending.resolver = Names(pbx_test=[udp("192.0.2.8"), udp("192.0.2.2")])
            HookedRoutes(node.core, before=soon)
        binding = Binding(b"sip:bob@pbx.test", call_id=b"b", cseq=2, expires_at=36000.0)
        play.pair.a.location.remove(
            b"sip:bob@example.test", b"sip:bob@192.0.2.2:5060", call_id=b"bob", cseq=2
        )
        play.pair.a.location.save(b"sip:bob@example.test", binding, 0.0)
        play.pair.share(play.pair.a, 0.0)
        if status:
            play.wire.plug(Hop("192.0.2.8", 5060), Answering(status))

    return prepare


IMPATIENT = replace(SETTINGS, no_answer=10.0)
SCENARIOS = {
    "answered, ended by the caller": Scenario(BOB, [(1, call), (11, answer), (21, caller_bye)]),
    "answered, ended by the callee": Scenario(BOB, [(1, call), (11, answer), (21, callee_bye)]),
    "cancelled": Scenario(BOB, [(1, call), (11, cancel)]),
    "busy": Scenario(BOB, [(1, call), (11, busy)]),
    "nobody there": Scenario(ALICE, [(1, call)]),
    "no answer": Scenario(BOB, [(1, call)], IMPATIENT),
    "forked, one answers": Scenario(FORKED, [(1, call), (11, answer2), (21, caller_bye)]),
    "forked, one busy, one answers": Scenario(
        FORKED, [(1, call), (11, busy), (16, answer2), (21, callee2_bye)]
    ),
    "forked, both busy": Scenario(FORKED, [(1, call), (11, busy), (16, busy2)]),
    "forked, cancelled": Scenario(FORKED, [(1, call), (11, cancel)]),
    "serial, the second answers after the first was busy": Scenario(
        SERIAL, [(1, call), (11, busy), (16, answer2), (26, caller_bye)]
    ),
    "serial, the second answers after the first did not": Scenario(
        SERIAL, [(1, call), (16, answer2), (26, caller_bye)], IMPATIENT
    ),
    "serial, cancelled at the second": Scenario(SERIAL, [(1, call), (11, busy), (16, cancel)]),
    "serial, nobody answers": Scenario(SERIAL, [(1, call)], IMPATIENT),
    "failure route, its target answers": Scenario(
        WITH_VOICEMAIL,
        [(1, call), (11, busy), (16, vm_answers), (26, caller_bye)],
        prepare=failing_over,
    ),
    "failure route, cancelled at its target": Scenario(
        WITH_VOICEMAIL, [(1, call), (11, busy), (16, cancel)], prepare=failing_over
    ),
    "failure route that takes its time": Scenario(
        WITH_VOICEMAIL,
        [(1, call), (11, busy), (20, vm_answers), (26, caller_bye)],
        prepare=deciding,
    ),
    "failure route, cancelled while it decides": Scenario(
        WITH_VOICEMAIL, [(1, call), (11, busy), (12.5, cancel)], prepare=deciding
    ),
    "recursion on 302": Scenario(
        ALICE | {"bob0": (b"bob", "192.0.2.8", 1.0), "bob": (b"robert", "192.0.2.2", 1.0)},
        [(1, call), (11, answer), (21, caller_bye)],
        replace(SETTINGS, recurse=True),
        with_redirection,
    ),
    "two addresses, the first is silent": Scenario(
        BOB, [(1, call), (11, answer), (21, caller_bye)], prepare=with_two_addresses(0)
    ),
    "two addresses, after the DNS has taken its time": Scenario(
        BOB, [(1, call), (5, dns_answers), (11, answer), (21, caller_bye)], prepare=with_slow_dns
    ),
    "two addresses, the first is overloaded": Scenario(
        BOB, [(1, call), (11, answer), (21, caller_bye)], prepare=with_two_addresses(503)
    ),
}


# a long gap is about retransmissions: the plain calls show what it does
GAPS = [(name, 0.05) for name in SCENARIOS]
GAPS += [(name, 2.0) for name, scenario in SCENARIOS.items() if scenario.prepare is None]


@pytest.mark.parametrize(("name", "gap"), GAPS)
@pytest.mark.parametrize("crash", Crash, ids=lambda crash: crash.name.lower())
def test_a_call_ends_as_it_would_have_ended_without_the_takeover(name: str, crash: Crash, gap: float) -> None:
    scenario = SCENARIOS[name]
    control = scenario.play(SipPair(scenario.settings))
    expected = control.story()
    assert control.pair.steps
    for step in range(control.pair.steps):
        pair = SipPair(scenario.settings, crash_at=step, crash=crash, gap=gap)
        play = scenario.play(pair)
        assert pair.master is pair.b, f"no takeover at step {step}"
        assert play.story() == expected, f"takeover at step {step}"
        play.wire.run(120.0)
        left = pair.b.core
        assert (left.dialog_count, left.transaction_count) == (0, 0), f"ghosts after step {step}"


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_call_survives_a_planned_switchover_and_the_way_back(name: str) -> None:
    scenario = SCENARIOS[name]
    expected = scenario.play(SipPair(scenario.settings)).story()
    over: Script = [
        (at, lambda play: play.pair.switch_over(play.now)) for at in (1.0015, 6, 11.0015, 13, 21.5)
    ]
    script = sorted(scenario.script + over, key=lambda step: step[0])
    play = replace(scenario, script=script).play(SipPair(scenario.settings))
    assert play.pair.master is play.pair.b
    assert play.story() == expected
    play.wire.run(120.0)
    for node in (play.pair.a, play.pair.b):
        assert (node.core.dialog_count, node.core.transaction_count) == (0, 0)
