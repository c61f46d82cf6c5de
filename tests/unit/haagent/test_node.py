"""Node: each rung of the detection ladder on two whole nodes in virtual time."""

import itertools

import pytest

from haagent.control.commands import Failover, Switchover
from haagent.effects import (
    Announce,
    NodeRole,
    RefreshLease,
    ReleaseVip,
    RoleChanged,
    SendAdvertisement,
    TakeVip,
)
from haagent.node import CoreState, Node
from haagent.vrrp.router import Advertisement
from tests.kit.node_pair import pair, running, settings

MS = 0.001


def test_the_higher_priority_is_elected_and_the_epoch_begins_at_one() -> None:
    lan = running()
    assert lan.a.node.epoch == lan.b.node.epoch == 1
    assert lan.owning() == ("a",)


def test_a_start_removes_what_an_agent_before_has_left() -> None:
    node = Node(settings("a"))
    assert ReleaseVip("sip0") in node.on_startup(1.0)


def test_taking_over_adds_the_vip_before_anybody_hears_of_it() -> None:
    lan = running()
    kinds = [type(effect) for _, effect in lan.a.effects]
    taken = kinds.index(TakeVip)
    assert kinds[taken : taken + 4] == [TakeVip, SendAdvertisement, Announce, RoleChanged]


def test_announcements_come_at_0_50_200_and_1000_ms() -> None:
    lan = running()
    at = [t for t, effect in lan.a.effects if isinstance(effect, Announce)]
    assert [round((t - at[0]) * 1000) for t in at] == [0, 50, 200, 1000]


def test_the_lease_is_refreshed_every_third_of_it_whatever_the_advertisement_interval() -> None:
    lan = running(interval=1.0, lease=0.09)
    at = [t for t, effect in lan.a.effects if isinstance(effect, RefreshLease)]
    assert all(0.029 < b - a < 0.031 for a, b in itertools.pairwise(at))


def test_one_renewal_serves_the_leases_of_all_virtual_routers() -> None:
    lan = running(interval=0.1, lease=0.09, routers=3)
    at = [t for t, effect in lan.a.effects if isinstance(effect, RefreshLease)]
    assert all(0.029 < b - a < 0.031 for a, b in itertools.pairwise(at))
    assert all(lan.a.kernel.owns(name, lan.now) for name in lan.a.node.routers)


def test_a_planned_switchover_leaves_no_gap_and_the_old_master_lets_go_within_5_ms() -> None:
    lan = running(preempt=True)
    began = lan.now
    lan.command(lan.a, lan.a.node.on_command(Switchover(by="alice"), lan.now))
    lan.run(10)
    assert lan.a.answers == [None]
    assert lan.masters() == ["b"]
    assert lan.uncovered(began) == 0
    assert 2 * MS < lan.doubled() < 5 * MS  # the old master lingers until clients have heard the new one
    assert lan.a.log[-1][1] == RoleChanged(NodeRole.BACKUP, 2, "switchover by alice")


def test_the_old_master_does_not_preempt_back_after_a_switchover_but_takes_over_a_death() -> None:
    lan = running(preempt=True)
    lan.command(lan.a, lan.a.node.on_command(Switchover(), lan.now))
    lan.run(20)
    assert lan.masters() == ["b"]
    lan.power_cut(lan.b)
    lan.run(5)
    assert lan.masters() == ["a"]
    assert lan.a.node.epoch == 3


def test_a_switchover_is_refused_without_a_peer_that_stands_by() -> None:
    lan = running(has_core=True)
    lan.command(lan.b, lan.b.node.on_core(CoreState.READY, lan.now))
    lan.run(0.1)
    lan.command(lan.a, lan.a.node.on_command(Switchover(), lan.now))
    lan.command(lan.b, lan.b.node.on_command(Switchover(), lan.now))
    assert lan.a.answers == ["the peer does not stand by in sync: BACKUP, ready, not in sync"]
    assert lan.b.answers == ["this node is BACKUP; a switchover is asked of the master"]
    lan.run(5)
    assert lan.masters() == ["a"]


def test_a_switchover_that_the_peer_does_not_take_leaves_the_master_in_office() -> None:
    lan = running()
    lan.freeze(lan.b)
    lan.command(lan.a, lan.a.node.on_command(Switchover(), lan.now))
    lan.run(0.3)
    assert lan.masters() == ["a"]
    assert "did not take over" in lan.a.alarms[0]


def test_failover_makes_the_backup_master_and_the_old_one_steps_back() -> None:
    lan = running()
    began = lan.now
    lan.command(lan.b, lan.b.node.on_command(Failover(), lan.now))
    lan.run(5)
    assert (lan.b.answers, lan.masters()) == ([None], ["b"])
    assert lan.uncovered(began) == 0


def test_failover_without_sync_needs_force() -> None:
    lan = running(has_core=True)
    lan.command(lan.b, lan.b.node.on_core(CoreState.READY, lan.now))
    lan.command(lan.b, lan.b.node.on_command(Failover(), lan.now))
    assert "not in sync" in str(lan.b.answers[-1])
    lan.command(lan.b, lan.b.node.on_command(Failover(force=True), lan.now))
    lan.run(1)
    assert (lan.b.answers[-1], lan.masters()) == (None, ["b"])


def test_failover_against_a_master_that_cannot_be_asked_needs_force() -> None:
    lan = running(peer=False)
    lan.command(lan.b, lan.b.node.on_command(Failover(), lan.now))
    assert "cannot be asked" in str(lan.b.answers[-1])


def test_a_planned_stop_hands_over_first_and_says_no_priority_0() -> None:
    lan = running()
    began = lan.now
    lan.command(lan.a, lan.a.node.on_shutdown(lan.now))
    lan.run(5)
    assert lan.a.stopped
    assert lan.masters() == ["b"]
    assert lan.uncovered(began) == 0
    assert SendAdvertisement("sip0", 0) not in [e for _, e in lan.a.effects]
    assert lan.became(lan.b, NodeRole.MASTER, began) < 2 * MS


def test_a_planned_stop_without_a_peer_says_priority_0_before_the_address_goes() -> None:
    lan = running(peer=False)
    effects = lan.a.node.on_shutdown(lan.now)
    assert effects[:2] == [SendAdvertisement("sip0", 0), ReleaseVip("sip0")]
    assert type(effects[-1]).__name__ == "Stopped"


def test_the_backup_stops_without_any_takeover() -> None:
    lan = running()
    lan.command(lan.b, lan.b.node.on_shutdown(lan.now))
    lan.run(5)
    assert (lan.b.stopped, lan.masters()) == (True, ["a"])


def test_the_death_of_the_sip_core_hands_over_at_once() -> None:
    lan = running(has_core=True)
    began = lan.now
    lan.command(lan.a, lan.a.node.on_core(CoreState.DEAD, lan.now))
    lan.run(5)
    assert lan.became(lan.b, NodeRole.MASTER, began) < 2 * MS
    assert lan.uncovered(began) == 0
    assert lan.a.node.role is NodeRole.FAULT
    lan.command(lan.a, lan.a.node.on_core(CoreState.SYNCED, lan.now))
    lan.run(5)
    assert (lan.a.node.role, lan.masters()) == (NodeRole.BACKUP, ["b"])


def test_a_sip_core_that_is_back_while_the_peer_takes_over_leaves_no_fault() -> None:
    lan = running(has_core=True)
    lan.command(lan.a, lan.a.node.on_core(CoreState.DEAD, lan.now))
    lan.command(lan.a, lan.a.node.on_core(CoreState.SYNCED, lan.now))
    lan.run(5)
    assert (lan.masters(), lan.a.node.role) == (["b"], NodeRole.BACKUP)


def test_the_death_of_the_sip_core_without_a_peer_ends_in_fault_after_priority_0() -> None:
    lan = running(has_core=True, peer=False)
    effects = lan.a.node.on_core(CoreState.DEAD, lan.now)
    assert effects[:2] == [SendAdvertisement("sip0", 0), ReleaseVip("sip0")]
    assert lan.a.node.role is NodeRole.FAULT


def test_a_dead_link_is_told_over_the_second_path_and_the_peer_takes_over_at_once() -> None:
    lan = running()
    began = lan.now
    lan.cut(path=False)
    lan.command(lan.a, lan.a.node.on_link("eth0", False, lan.now))
    assert lan.owning() == ()
    lan.run(1)
    assert lan.became(lan.b, NodeRole.MASTER, began) < 1 * MS
    assert lan.a.node.role is NodeRole.FAULT
    lan.heal()
    lan.command(lan.a, lan.a.node.on_link("eth0", True, lan.now))
    lan.run(5)
    assert lan.masters() == ["b"]


def test_a_killed_agent_is_replaced_at_once_and_the_lease_removes_it() -> None:
    lan = running(interval=1.0)
    began = lan.now
    lan.kill_agent(lan.a)
    lan.run(1)
    assert lan.became(lan.b, NodeRole.MASTER, began) < 1 * MS
    assert lan.owning() == ("b",)
    assert lan.doubled() <= 0.09


def test_an_advertisement_that_a_dead_master_had_under_way_does_not_send_its_heir_back() -> None:
    lan = running(interval=1.0)
    late = Advertisement(51, 254, 1.0, lan.a.address)
    lan.kill_agent(lan.a)
    lan.run(0.001)
    lan.command(lan.b, lan.b.node.on_advertisement("sip0", late, lan.now))
    lan.run(1)
    assert lan.masters() == ["b"]


def test_while_the_channel_stands_the_epoch_decides_and_not_the_priority() -> None:
    lan = running()
    late = Advertisement(51, 254, 1.0, lan.a.address)
    lan.command(lan.a, lan.a.node.on_command(Switchover(), lan.now))
    lan.run(1)
    lan.command(lan.b, lan.b.node.on_advertisement("sip0", late, lan.now))
    assert lan.masters() == ["b"]
    lan.kill_agent(lan.a)
    lan.run(1)
    lan.command(lan.b, lan.b.node.on_advertisement("sip0", late, lan.now))
    assert lan.masters() == []  # without the channel the RFC decides


def test_a_channel_that_is_closed_on_purpose_is_no_death() -> None:
    lan = running()
    assert lan.a.node.peer is not None
    lan.command(lan.a, lan.a.node.peer.close("tidying up"))
    lan.run(5)
    assert (lan.masters(), lan.a.node.epoch) == (["a"], 1)


def test_an_agent_that_is_started_anew_after_kill_9_does_not_take_the_vip_back() -> None:
    lan = running()
    lan.kill_agent(lan.a)
    lan.run(0.01)
    lan.restart(lan.a)
    lan.run(10)
    assert lan.masters() == ["b"]


def test_a_master_that_comes_back_as_backup_was_started_anew_and_is_replaced_at_once() -> None:
    lan = running(interval=1.0)
    lan.cut(lan=False)
    lan.kill_agent(lan.a)  # nobody tells the peer that the connection has ended
    lan.heal()
    lan.restart(lan.a)
    began = lan.now
    lan.run(1)
    assert lan.became(lan.b, NodeRole.MASTER, began) < 2 * MS


def test_priority_0_of_the_peer_is_believed_before_the_channel_tells() -> None:
    lan = running(interval=1.0)
    goodbye = Advertisement(51, 0, 1.0, lan.a.address)
    lan.command(lan.b, lan.b.node.on_advertisement("sip0", goodbye, lan.now))
    assert lan.b.node.role is NodeRole.MASTER


def test_priority_0_of_a_stranger_is_not_believed_while_the_peer_says_it_serves() -> None:
    lan = running(interval=1.0)
    forged = Advertisement(51, 0, 1.0, 0x0A5800C8)
    lan.command(lan.b, lan.b.node.on_advertisement("sip0", forged, lan.now))
    lan.run(5)
    assert lan.masters() == ["a"]


def test_a_frozen_agent_loses_the_vip_and_re_elects_on_waking() -> None:
    lan = running(interval=0.1)
    lan.freeze(lan.a)
    lan.run(3)
    assert lan.owning() == ("b",)
    lan.thaw(lan.a)
    lan.run(3)
    assert (lan.masters(), lan.a.node.role) == (["b"], NodeRole.BACKUP)
    assert lan.doubled() == 0


def test_a_short_stall_is_handed_to_a_connected_peer_at_once() -> None:
    lan = running(interval=1.0)
    lan.freeze(lan.a)
    lan.run(0.2)
    lan.thaw(lan.a)
    began = lan.now
    lan.run(3)
    assert lan.masters() == ["b"]
    assert lan.became(lan.b, NodeRole.MASTER, began) < 1 * MS


def test_a_short_stall_without_a_peer_keeps_the_vip_when_nobody_can_have_taken_it() -> None:
    lan = running(interval=1.0, peer=False)
    lan.freeze(lan.a)
    lan.run(0.2)
    lan.thaw(lan.a)
    lan.run(3)
    assert lan.masters() == ["a"]
    assert lan.owning() == ("a",)


@pytest.mark.parametrize("interval", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("peer", [True, False])
def test_a_dead_machine_is_replaced_within_the_time_of_the_rfc(interval: float, peer: bool) -> None:
    lan = running(interval=interval, peer=peer)
    lan.run(interval * 0.4)
    began = lan.now
    lan.power_cut(lan.a)
    lan.run(5)
    assert lan.became(lan.b, NodeRole.MASTER, began) <= 3 * interval + interval * (256 - 253) / 256 + 1 * MS


def test_fast_hello_replaces_a_dead_machine_within_12_ms() -> None:
    lan = running(interval=1.0, hello=0.003)
    began = lan.now
    lan.power_cut(lan.a)
    lan.run(1)
    assert lan.became(lan.b, NodeRole.MASTER, began) < 12 * MS


@pytest.mark.parametrize("phase", [0.0, 0.013, 0.05, 0.09])
def test_vrrp_silence_alone_is_an_alarm_and_no_takeover_while_the_peer_says_it_serves(phase: float) -> None:
    lan = running(interval=0.1)
    lan.run(phase)
    lan.cut(path=False)
    lan.run(5)
    assert lan.masters() == ["a"]
    assert lan.b.alarms == ["sip0: the peer says that it is master, but it is not heard by VRRP"]
    lan.power_cut(lan.a)
    began = lan.now
    lan.run(1)
    assert lan.became(lan.b, NodeRole.MASTER, began) <= 0.3


def test_without_two_paths_vrrp_silence_is_enough() -> None:
    lan = running(interval=0.1, two_paths=False)
    lan.cut(path=False)
    began = lan.now
    lan.run(1)
    assert lan.became(lan.b, NodeRole.MASTER, began) < 0.4


def test_loss_of_the_second_path_alone_changes_nothing() -> None:
    lan = running(interval=0.1)
    lan.cut(lan=False)
    lan.run(10)
    lan.heal()
    lan.run(5)
    assert lan.masters() == ["a"]
    assert lan.a.node.epoch == 1
    assert lan.b.node.peer is not None
    assert lan.b.node.peer.connected


@pytest.mark.parametrize("path", [True, False])
def test_a_split_brain_has_one_master_after_the_heal_and_it_announces_itself_again(path: bool) -> None:
    lan = running(interval=0.1, peer=path)
    lan.cut()
    lan.run(5)
    assert lan.masters() == ["a", "b"]
    lan.heal()
    healed = lan.now
    lan.run(2)
    assert len(lan.masters()) == 1
    winner = lan.a if lan.masters() == ["a"] else lan.b
    assert lan.owning() == (winner.name,)
    assert any(isinstance(e, Announce) and t >= healed for t, e in winner.effects)
    lan.run(5)
    if path:
        assert winner.node.epoch >= lan.other(winner).node.epoch


def test_a_core_that_is_not_in_sync_does_not_take_over_from_a_living_synced_peer() -> None:
    lan = running(interval=0.1, has_core=True, two_paths=False)
    lan.command(lan.b, lan.b.node.on_core(CoreState.READY, lan.now))
    lan.cut(path=False)
    lan.run(3)
    assert lan.masters() == ["a"]
    lan.power_cut(lan.a)
    lan.run(1)
    assert lan.masters() == ["b"]


def test_all_virtual_routers_of_a_node_move_together() -> None:
    lan = running(interval=0.1, routers=3, peer=False)
    began = lan.now
    better = Advertisement(52, 255, 0.1, 0x0A5801FF)
    lan.command(lan.a, lan.a.node.on_advertisement("sip1", better, lan.now))
    assert not lan.a.kernel.addresses
    lan.run(2)
    assert lan.b.kernel.addresses == {"sip0", "sip1", "sip2"}
    assert lan.became(lan.b, NodeRole.MASTER, began) < 0.5


def test_an_address_that_someone_else_removed_is_put_back_and_announced() -> None:
    lan = running()
    effects = lan.a.node.on_vip_lost("sip0", lan.now)
    assert effects[:2] == [TakeVip("sip0"), Announce("sip0")]
    assert lan.b.node.on_vip_lost("sip0", lan.now) == []


def test_a_stranger_with_our_vrid_raises_one_alarm() -> None:
    lan = running()
    stranger = Advertisement(51, 1, 1.0, 0x0A5800C8)
    for _ in range(3):
        lan.command(lan.a, lan.a.node.on_advertisement("sip0", stranger, lan.now))
    assert lan.a.alarms == ["10.88.0.200 advertises VRID 51 and is not the peer"]


def test_a_restarted_master_learns_the_epoch_and_goes_above_it() -> None:
    lan = pair()
    lan.b.node = Node(lan.b.settings, epoch=41)
    lan.start()
    lan.run(6)
    assert lan.masters() == ["a"]
    assert lan.a.node.epoch > 41


def test_explain_says_why() -> None:
    lan = running()
    assert lan.a.node.explain(lan.now)[0] == "MASTER, epoch 1: no master advertises"
