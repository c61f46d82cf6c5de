"""A call goes on when the master dies, at every datagram and in every way: the phones see no difference."""

from dataclasses import replace

import pytest

from tests.kit.sip_pair import Crash, Script, SipPair
from tests.kit.takeovers import SCENARIOS

SHORT, LONG = 0.05, 2.0  # seconds until the takeover; a long one is about retransmissions
CRASHES = [(crash, SHORT) for crash in Crash] + [
    (Crash.DEAF, LONG),
    (Crash.FORGETFUL, LONG),
    (Crash.MUTE, LONG),
]


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize(
    ("crash", "gap"), CRASHES, ids=lambda value: str(getattr(value, "name", value)).lower()
)
def test_a_call_ends_as_it_would_have_ended_without_the_takeover(name: str, crash: Crash, gap: float) -> None:
    scenario = SCENARIOS[name]
    control = scenario.play(SipPair(scenario.settings))
    expected = scenario.seen(control)
    assert control.pair.steps
    for step in range(control.pair.steps):
        pair = SipPair(scenario.settings, crash_at=step, crash=crash, gap=gap)
        play = scenario.play(pair)
        assert pair.master is pair.b, f"no takeover at step {step}"
        assert scenario.seen(play) == expected, f"takeover at step {step}"
        play.wire.run(120.0)
        left = pair.b.core
        assert (left.dialog_count, left.transaction_count) == (0, 0), f"ghosts after step {step}"


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_call_survives_a_planned_switchover_and_the_way_back(name: str) -> None:
    scenario = SCENARIOS[name]
    expected = scenario.seen(scenario.play(SipPair(scenario.settings)))
    over: Script = [
        (at, lambda play: play.pair.switch_over(play.now)) for at in (1.0015, 6, 11.0015, 13, 21.5)
    ]
    script = sorted(scenario.script + over, key=lambda step: step[0])
    play = replace(scenario, script=script).play(SipPair(scenario.settings))
    assert play.pair.master is play.pair.b
    assert scenario.seen(play) == expected
    play.wire.run(120.0)
    for node in (play.pair.a, play.pair.b):
        assert (node.core.dialog_count, node.core.transaction_count) == (0, 0)
