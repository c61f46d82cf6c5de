"""Node: other settings while it runs, also in the middle of an election."""

from dataclasses import replace

import pytest

from haagent.control.commands import Switchover
from haagent.effects import Announce, NodeRole, RoleChanged, SendAdvertisement
from haagent.health.check import Verdict
from haagent.health.weights import Finding
from haagent.settings import Announcing, NodeSettings
from tests.kit.node_pair import Host, running


def changed(
    host: Host, *, priority: int, preempt: bool = False, refresh: float | None = None
) -> NodeSettings:
    settings = host.node.settings
    routers = tuple(replace(router, priority=priority, preempt=preempt) for router in settings.routers)
    return replace(settings, routers=routers, announcing=Announcing(refresh=refresh))


def test_a_master_says_its_new_priority_at_once_and_stays_master() -> None:
    lan = running()
    effects = lan.a.node.on_settings(changed(lan.a, priority=150), (), lan.now)
    assert [effect for effect in effects if isinstance(effect, SendAdvertisement)] == [
        SendAdvertisement("sip0", 150)
    ]
    assert not [effect for effect in effects if isinstance(effect, RoleChanged)]
    lan.command(lan.a, effects)
    lan.run(5)
    assert (lan.masters(), lan.a.node.epoch) == (["a"], 1)


def test_checks_weigh_on_the_new_priority() -> None:
    lan = running()
    down = Finding(check="disk", verdict=Verdict.DOWN, weight=-20, routers=(), reason="full")
    lan.command(lan.a, lan.a.node.on_settings(changed(lan.a, priority=150), (down,), lan.now))
    assert lan.a.node.routers["sip0"].priority == 130


def test_who_does_not_preempt_since_a_switchover_does_not_begin_to_by_a_reload() -> None:
    lan = running(preempt=True)
    lan.command(lan.a, lan.a.node.on_command(Switchover(), lan.now))
    lan.run(5)
    lan.command(lan.a, lan.a.node.on_settings(changed(lan.a, priority=240, preempt=True), (), lan.now))
    lan.run(5)
    assert lan.masters() == ["b"]


def test_preemption_that_is_switched_on_is_in_force() -> None:
    lan = running(preempt=False)
    lan.command(lan.b, lan.b.node.on_settings(changed(lan.b, priority=254, preempt=True), (), lan.now))
    lan.command(lan.a, lan.a.node.on_settings(changed(lan.a, priority=100, preempt=True), (), lan.now))
    lan.run(5)
    assert lan.masters() == ["b"]


def test_a_master_begins_to_announce_itself_again_and_again() -> None:
    lan = running()
    lan.command(lan.a, lan.a.node.on_settings(changed(lan.a, priority=254, refresh=2.0), (), lan.now))
    began = lan.now
    lan.run(5)
    at = [t for t, effect in lan.a.effects if isinstance(effect, Announce) and t > began]
    assert [round(t - began) for t in at] == [2, 4]


@pytest.mark.parametrize("step", range(0, 4200, 70))
def test_a_reload_at_any_moment_of_a_takeover_leaves_one_master(step: int) -> None:
    lan = running(peer=False)
    lan.power_cut(lan.a)
    lan.run(step / 1000)
    lan.command(lan.b, lan.b.node.on_settings(changed(lan.b, priority=120), (), lan.now))
    lan.run(5)
    assert lan.masters() == ["b"]
    assert [change.role for _, change in lan.b.log].count(NodeRole.MASTER) == 1
