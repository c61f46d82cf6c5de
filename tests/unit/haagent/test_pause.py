"""Maintenance: a paused node takes over only when it is asked to."""

import pytest

from haagent.control.commands import Failover, PauseTakeovers, ResumeTakeovers, Switchover
from haagent.effects import NodeRole
from haagent.node import Node
from haagent.steps import CoreState
from tests.kit.node_pair import Pair, running


def paused(seconds: float | None = None, **options: object) -> Pair:
    lan = running(**options)
    lan.command(lan.b, lan.b.node.on_command(PauseTakeovers(seconds), lan.now))
    assert lan.b.answers == [None]
    return lan


def role(lan: Pair) -> NodeRole:
    return lan.b.node.role


def roles(lan: Pair) -> tuple[NodeRole, NodeRole]:
    return lan.a.node.role, lan.b.node.role


@pytest.mark.parametrize("peer", [True, False])
def test_neither_death_nor_silence_of_the_master_moves_a_paused_node_until_it_is_resumed(peer: bool) -> None:
    lan = paused(peer=peer)
    lan.power_cut(lan.a)
    lan.run(20)
    assert role(lan) is NodeRole.BACKUP
    assert "no takeover: paused by operator" in "\n".join(lan.b.alarms)
    assert len(lan.b.alarms) <= 2, "once, and not with every interval"
    lan.command(lan.b, lan.b.node.on_command(ResumeTakeovers(), lan.now))
    lan.run(2)
    assert role(lan) is NodeRole.MASTER


def test_a_killed_agent_is_not_replaced_and_comes_back_as_master() -> None:
    lan = paused()
    lan.kill_agent(lan.a)
    lan.run(1)
    assert role(lan) is NodeRole.BACKUP
    lan.restart(lan.a)
    lan.run(10)
    assert roles(lan) == (NodeRole.MASTER, NodeRole.BACKUP)


def test_a_fault_of_the_master_does_not_move_a_paused_node() -> None:
    lan = paused(has_core=True)
    lan.command(lan.a, lan.a.node.on_core(CoreState.DEAD, lan.now))
    lan.run(10)
    assert roles(lan) == (NodeRole.FAULT, NodeRole.BACKUP)
    assert "the peer can no longer serve" in "\n".join(lan.b.alarms)


def test_what_an_operator_asks_for_is_done_in_a_pause_too() -> None:
    lan = paused()
    lan.command(lan.a, lan.a.node.on_command(Switchover(), lan.now))
    lan.run(1)
    assert roles(lan) == (NodeRole.BACKUP, NodeRole.MASTER)
    lan = paused()
    lan.command(lan.b, lan.b.node.on_command(Failover(), lan.now))
    lan.run(1)
    assert roles(lan) == (NodeRole.BACKUP, NodeRole.MASTER)
    lan = paused()
    lan.command(lan.a, lan.a.node.on_shutdown(lan.now))
    lan.run(1)
    assert role(lan) is NodeRole.MASTER


def test_a_pause_with_a_time_limit_ends_by_itself() -> None:
    lan = paused(60.0)
    lan.power_cut(lan.a)
    lan.run(59)
    assert role(lan) is NodeRole.BACKUP
    assert lan.b.node.pause.left(lan.now) == pytest.approx(1.0, abs=0.1)
    lan.run(5)
    assert role(lan) is NodeRole.MASTER
    assert not lan.b.node.pause.active


def test_explain_names_who_paused_and_only_a_paused_node_can_be_resumed() -> None:
    lan = paused()
    assert "takes over only when asked to: paused by operator" in lan.b.node.explain(lan.now)
    lan.command(lan.a, lan.a.node.on_command(ResumeTakeovers(), lan.now))
    assert lan.a.answers == ["this node is not paused"]


def restarted(lan: Pair, *, heir: bool) -> None:
    """b's agent was killed and is started again, with what its disk says."""
    lan.kill_agent(lan.b)
    lan.b.node = Node(lan.b.settings, epoch=lan.b.node.epoch)
    lan.b.node.pause.begin("operator", None, lan.now)
    lan.b.node.pause.heir = heir
    lan.b.stopped = False
    lan.start(lan.b)
    lan.run(10)


def test_a_pause_that_outlives_the_agent_still_holds_and_a_master_that_was_killed_is_master_again() -> None:
    for heir, found in ((False, NodeRole.BACKUP), (True, NodeRole.MASTER)):
        lan = paused()
        lan.power_cut(lan.a)
        restarted(lan, heir=heir)
        assert (role(lan), lan.b.node.pause.active) == (found, True)


def test_a_killed_master_that_finds_another_one_is_its_backup_and_paused() -> None:
    lan = paused()
    restarted(lan, heir=True)
    assert role(lan) is NodeRole.BACKUP
    lan.power_cut(lan.a)
    lan.run(10)
    assert role(lan) is NodeRole.BACKUP
