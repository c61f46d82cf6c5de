"""Silence on both paths: the witness decides, and when it is away the configuration does."""

import pytest

from haagent.control.commands import Switchover
from haagent.effects import AskWitness, NodeRole
from haagent.witness.said import Outcome, Said
from tests.kit.witnessed_pair import cut_off, witnessed

LONG = 5.0


@pytest.mark.parametrize("strict", [False, True])
def test_a_partition_between_the_nodes_alone_leaves_the_one_master_that_there_was(strict: bool) -> None:
    lan = witnessed(strict=strict, lease=0.5)
    cut_off(lan)
    lan.run(LONG)
    assert lan.masters() == ["a"]
    assert lan.asked.count("b") > 1, "it asks again and again"
    assert len([text for text in lan.b.alarms if "the witness knows a as master" in text]) == 1
    assert lan.doubled() == 0
    assert "takes over for silence only if the witness agrees" in lan.b.node.explain(lan.now)[-1]
    assert "the witness's lock: ours for" in lan.a.node.explain(lan.now)[-1]


def test_without_witness_the_same_partition_has_two_masters() -> None:
    lan = witnessed(strict=False)
    lan.witness.unreachable = {"a", "b"}
    cut_off(lan)
    lan.run(LONG)
    assert lan.masters() == ["a", "b"]
    assert lan.b.node.reason == "no master advertises; the witness does not answer"


@pytest.mark.parametrize("strict", [False, True])
def test_a_dead_machine_is_replaced_when_its_lock_has_ended(strict: bool) -> None:
    lan = witnessed(strict=strict, lease=0.5)
    died = lan.now
    lan.power_cut(lan.a)
    lan.run(LONG)
    assert lan.masters() == ["b"]
    assert lan.became(lan.b, NodeRole.MASTER, died) < 0.5 + 0.3
    assert lan.b.node.epoch > lan.a.node.epoch


def test_a_killed_agent_is_replaced_at_once_and_the_witness_is_not_asked() -> None:
    lan = witnessed(strict=True, lease=60.0)
    lan.witness.unreachable = {"b"}
    killed = lan.now
    lan.kill_agent(lan.a)
    lan.run(0.05)
    assert lan.became(lan.b, NodeRole.MASTER, killed) < 0.005
    assert lan.asked == []


def test_a_strict_master_that_is_cut_off_steps_back_before_the_other_takes_over() -> None:
    lan = witnessed(strict=True, lease=0.5)
    cut_off(lan, lan.a)
    lan.run(LONG)
    assert lan.masters() == ["b"]
    assert lan.a.node.role is NodeRole.BACKUP
    assert lan.doubled() == 0
    lan.heal()
    lan.witness.unreachable.clear()
    lan.run(LONG)
    assert lan.masters() == ["b"]


def test_a_strict_node_that_hears_nobody_stands_still() -> None:
    lan = witnessed(strict=True)
    cut_off(lan, lan.a, lan.b)
    lan.run(LONG)
    assert lan.masters() == []
    assert lan.b.alarms[-1] == "no master advertises, but no takeover: the witness does not answer"
    lan.witness.unreachable.clear()
    lan.run(LONG)
    assert len(lan.masters()) == 1


@pytest.mark.parametrize("strict", [False, True])
def test_a_witness_that_is_away_does_not_matter_while_the_nodes_hear_each_other(strict: bool) -> None:
    lan = witnessed(strict=strict)
    lan.witness.unreachable = {"a", "b"}
    lan.run(LONG)
    assert lan.masters() == ["a"]
    lan.command(lan.a, lan.a.node.on_command(Switchover(), lan.now))
    lan.run(LONG)
    assert lan.masters() == ["b"]


def test_the_last_node_serves_without_the_witness_and_a_strict_one_until_its_lease_ends() -> None:
    for strict, masters in ((False, ["b"]), (True, [])):
        lan = witnessed(strict=strict, lease=0.5)
        lan.witness.unreachable = {"a", "b"}
        lan.kill_agent(lan.a)
        lan.run(0.3)
        assert lan.masters() == ["b"]
        lan.run(LONG)
        assert lan.masters() == masters


def test_after_a_heal_of_a_lenient_pair_the_holder_of_the_lock_stays() -> None:
    lan = witnessed(strict=False)
    lan.witness.unreachable = {"a", "b"}
    cut_off(lan)
    lan.run(LONG)
    assert lan.masters() == ["a", "b"]
    lan.witness.unreachable.clear()  # the two still do not hear each other, and the witness knows no master
    lan.run(LONG)
    assert lan.masters() == ["b"], "it has the greater epoch"
    assert lan.a.node.reason == "the witness knows b as master, epoch 2"


def test_the_epoch_of_a_takeover_is_above_all_that_the_witness_knows() -> None:
    lan = witnessed(strict=True)
    lan.witness.epoch = 40
    lan.power_cut(lan.a)
    lan.run(LONG)
    assert lan.b.node.epoch == 41


def test_an_answer_that_comes_late_takes_nothing_over() -> None:
    lan = witnessed(strict=True)
    node = lan.b.node
    granted = Said(Outcome.GRANTED, "b", 1, lan.now + 1)
    assert node.on_witness(granted, lan.now) == []
    assert node.role is NodeRole.BACKUP


def test_three_missing_hellos_ask_the_witness() -> None:
    lan = witnessed(strict=True, hello=0.003)
    cut_off(lan)
    lan.run(LONG)
    assert lan.masters() == ["a"]
    first = next(at for at, effect in lan.b.effects if isinstance(effect, AskWitness))
    assert "three hellos of the peer are missing, but no takeover" in lan.b.alarms[0], (first, lan.b.alarms)
