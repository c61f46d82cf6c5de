"""What a node makes of health checks: effective priority, FAULT, the healthier peer, isolation."""

from haagent.control.commands import Failover, Switchover
from haagent.effects import NodeRole, SendAdvertisement
from haagent.health.check import Verdict
from haagent.health.weights import Finding
from tests.kit.node_pair import Host, Pair, pair, running


def find(lan: Pair, host: Host, *findings: Finding) -> None:
    lan.command(host, host.node.on_findings(findings, lan.now))


def redis(verdict: Verdict, weight: int = -20) -> Finding:
    return Finding("redis", verdict, weight, reason="connection refused")


def gateway(*, cut_off: bool) -> Finding:
    verdict = Verdict.DOWN if cut_off else Verdict.UP
    return Finding("gateway", verdict, -1, reason="10.88.0.1 does not answer ARP", isolated=cut_off)


def test_a_master_advertises_its_new_priority_at_once() -> None:
    lan = running(peer=False)
    find(lan, lan.a, redis(Verdict.DOWN))
    assert lan.a.effects[-1][1] == SendAdvertisement("sip0", 234)
    find(lan, lan.a, redis(Verdict.UP))
    assert lan.a.effects[-1][1] == SendAdvertisement("sip0", 254)


def test_a_healthier_peer_takes_over_first_and_nobody_is_without_the_vip() -> None:
    for preempt in (False, True):
        lan = running(preempt=preempt)
        began = lan.now
        find(lan, lan.a, redis(Verdict.DOWN))
        lan.run(0.05)
        assert lan.masters() == ["b"]
        lan.run(10)
        assert lan.masters() == ["b"]
        assert lan.uncovered(began) == 0
        why = "check redis failed: connection refused (priority 234 here, 253 there)"
        assert lan.a.node.reason == f"the peer is healthier: {why}"
        assert lan.b.node.reason == f"the peer hands over: {why}"


def test_a_check_that_is_down_on_both_nodes_moves_nothing() -> None:
    lan = running()
    find(lan, lan.b, redis(Verdict.DOWN))
    lan.run(0.5)
    find(lan, lan.a, redis(Verdict.DOWN))
    lan.run(5)
    assert lan.masters() == ["a"]
    assert lan.a.node.epoch == 1


def test_a_weight_smaller_than_the_distance_of_the_priorities_moves_nothing() -> None:
    lan = running(priorities=(254, 200))
    find(lan, lan.a, redis(Verdict.DOWN))
    lan.run(5)
    assert lan.masters() == ["a"]
    assert any("254 - 20 (check redis) = 234" in line for line in lan.a.node.explain(lan.now))


def test_the_peer_takes_over_when_it_becomes_the_healthier_one_later() -> None:
    lan = running()
    find(lan, lan.b, redis(Verdict.DOWN, -30))
    lan.run(0.5)
    find(lan, lan.a, redis(Verdict.DOWN))
    lan.run(5)
    assert lan.masters() == ["a"]
    find(lan, lan.b, redis(Verdict.UP, -30))
    lan.run(0.05)
    assert lan.masters() == ["b"]


def test_without_preemption_the_node_that_is_well_again_stays_backup_and_with_it_comes_back() -> None:
    for preempt, master in ((False, "b"), (True, "a")):
        lan = running(preempt=preempt)
        find(lan, lan.a, redis(Verdict.DOWN))
        lan.run(1)
        find(lan, lan.a, redis(Verdict.UP))
        lan.run(10)
        assert lan.masters() == [master]


def test_weight_zero_is_a_fault_handed_over_before_the_vip_goes() -> None:
    lan = running()
    began = lan.now
    find(lan, lan.a, redis(Verdict.DOWN, 0))
    lan.run(1)
    assert lan.masters() == ["b"]
    assert lan.uncovered(began) == 0
    assert lan.a.node.role is NodeRole.FAULT
    assert lan.a.node.reason == "check redis failed: connection refused"
    assert lan.b.node.reason.endswith("can no longer serve: check redis failed: connection refused")
    find(lan, lan.a, redis(Verdict.UP, 0))
    lan.run(1)
    assert (lan.masters(), lan.a.node.role) == (["b"], NodeRole.BACKUP)


def test_a_node_waits_in_fault_for_the_first_result_of_a_check_of_weight_zero() -> None:
    lan = pair()
    find(lan, lan.a, redis(Verdict.UNKNOWN, 0))
    lan.start()
    lan.run(10)
    assert lan.masters() == ["b"]
    assert lan.a.node.reason == "check redis has no result yet"


def test_a_peer_that_does_not_take_over_is_asked_again_only_after_a_pause() -> None:
    lan = running()
    lan.run(0.1)
    lan.cut()
    find(lan, lan.a, redis(Verdict.DOWN))
    lan.run(0.15)
    lan.freeze(lan.b)
    lan.run(4)
    assert sum("did not take over" in alarm for alarm in lan.a.alarms) <= 1
    assert lan.masters() == ["a"]


def test_a_master_that_fails_again_soon_after_it_came_back_is_replaced_as_fast() -> None:
    lan = running()
    for old, new in ((lan.a, lan.b), (lan.b, lan.a), (lan.a, lan.b)):
        find(lan, old, redis(Verdict.DOWN))
        lan.run(0.05)
        assert lan.masters() == [new.name]
        find(lan, old, redis(Verdict.UP))
        lan.run(0.5)


def test_a_node_that_is_cut_off_does_not_claim_the_vip_and_says_why() -> None:
    lan = running(interval=0.1)
    find(lan, lan.b, gateway(cut_off=True))
    lan.cut()
    lan.run(10)
    assert lan.masters() == ["a"]
    why = "this node is cut off, check gateway: 10.88.0.1 does not answer ARP"
    assert [alarm for alarm in lan.b.alarms if alarm.endswith(why)] == [
        f"sip0: no master advertises, but no takeover: {why}"
    ]
    assert any(line.startswith("does not claim") for line in lan.b.node.explain(lan.now))


def test_a_dead_peer_is_replaced_because_the_gateway_answers() -> None:
    lan = running(interval=0.1)
    find(lan, lan.b, gateway(cut_off=False))
    lan.power_cut(lan.a)
    lan.run(0.5)
    assert lan.masters() == ["b"]


def test_a_node_that_was_cut_off_claims_the_vip_once_the_gateway_answers_again() -> None:
    lan = running(interval=0.1)
    find(lan, lan.b, gateway(cut_off=True))
    lan.power_cut(lan.a)
    lan.run(2)
    assert lan.masters() == []
    find(lan, lan.b, gateway(cut_off=False))
    lan.run(0.2)
    assert lan.masters() == ["b"]


def test_missing_hellos_prove_nothing_to_a_node_that_is_cut_off() -> None:
    lan = running(interval=1.0, hello=0.003)
    find(lan, lan.b, gateway(cut_off=True))
    lan.cut()
    lan.run(0.5)
    assert lan.masters() == ["a"]


def test_a_cut_off_node_still_takes_over_by_force() -> None:
    lan = running()
    find(lan, lan.b, gateway(cut_off=True))
    lan.power_cut(lan.a)
    lan.run(10)
    assert lan.masters() == []
    lan.command(lan.b, lan.b.node.on_command(Failover(force=True), lan.now))
    assert lan.masters() == ["b"]


def test_a_switchover_to_a_less_healthy_peer_is_refused_because_it_would_hand_back() -> None:
    lan = running()
    find(lan, lan.b, redis(Verdict.DOWN))
    lan.run(0.2)
    lan.command(lan.a, lan.a.node.on_command(Switchover(), lan.now))
    assert lan.a.answers == ["the peer is less healthy and would hand back at once (there: failover --force)"]


def test_a_failover_by_force_holds_until_the_checks_change() -> None:
    lan = running()
    find(lan, lan.b, redis(Verdict.DOWN))
    lan.run(0.2)
    lan.command(lan.b, lan.b.node.on_command(Failover(force=True), lan.now))
    lan.run(20)
    assert lan.masters() == ["b"]
    find(lan, lan.b, redis(Verdict.DOWN), gateway(cut_off=True))
    lan.run(1)
    assert lan.masters() == ["a"]
