"""Node: startup delay, announcements, owners and sync group, on whole nodes in virtual time."""

from dataclasses import replace

from haagent.control.commands import Switchover
from haagent.effects import Announce, NodeRole
from haagent.settings import Announcing, NodeSettings
from haagent.vrrp.router import Advertisement
from tests.kit.node_pair import Host, Pair, settings


def alone(made: NodeSettings) -> Pair:
    """Only a is started; b has no power."""
    lan = Pair(made, settings("b", peer=False))
    lan.b.alive = False
    lan.start(lan.a)
    return lan


def announced(host: Host, since: float) -> list[float]:
    return [round(at - since, 6) for at, effect in host.effects if isinstance(effect, Announce)]


def test_startup_delay_keeps_a_node_out_of_the_election_for_so_long() -> None:
    began = 10.0
    lan = alone(replace(settings("a", interval=0.1, peer=False), startup_delay=5.0))
    assert lan.a.log[-1][1].role is NodeRole.INIT
    assert lan.a.log[-1][1].reason == "joins the election in 5 s"
    lan.run(4.9)
    assert [change.role for _, change in lan.a.log] == [NodeRole.INIT]
    lan.run(0.6)
    assert lan.masters() == ["a"]
    assert 5.3 < lan.became(lan.a, NodeRole.MASTER, began) < 5.5


def test_a_node_that_waits_hears_nobody_and_may_be_stopped() -> None:
    lan = alone(replace(settings("a", interval=0.1, peer=False), startup_delay=5.0))
    better = Advertisement(51, 255, 0.1, 1)
    assert lan.a.node.on_advertisement("sip0", better, lan.now) == []
    lan.command(lan.a, lan.a.node.on_shutdown(lan.now))
    assert lan.a.stopped


def test_announcements_are_repeated_and_refreshed_as_configured() -> None:
    how = Announcing(repeats=(0.5, 2.0), refresh=10.0)
    lan = alone(replace(settings("a", interval=0.1, peer=False), announcing=how))
    lan.run(33)
    taken = next(at for at, change in lan.a.log if change.role is NodeRole.MASTER)
    assert announced(lan.a, taken) == [0.0, 0.5, 2.0, 10.0, 20.0, 30.0]


def test_a_backup_refreshes_nothing() -> None:
    how = Announcing(refresh=1.0)
    a, b = (replace(settings(name, interval=0.1), announcing=how) for name in ("a", "b"))
    lan = Pair(a, b)
    lan.start(lan.b)
    lan.run(2)
    lan.start(lan.a)
    lan.run(10)
    assert lan.masters() == ["b"]
    assert announced(lan.a, 0.0) == []
    lan.command(lan.b, lan.b.node.on_command(Switchover(), lan.now))
    lan.run(1)
    left = lan.now
    lan.run(10)
    assert lan.masters() == ["a"]
    assert [at for at in announced(lan.b, left) if at > 0] == []


def test_two_owners_of_the_same_addresses_raise_one_alarm() -> None:
    lan = alone(settings("a", priority=255, interval=0.1, peer=False))
    assert lan.masters() == ["a"]
    for _ in range(3):
        lan.command(lan.a, lan.a.node.on_advertisement("sip0", Advertisement(51, 255, 0.1, 1), lan.now))
    assert lan.a.alarms == ["sip0: 0.0.0.1 also says that it owns the addresses"]
    assert lan.masters() == ["a"]


def test_an_owner_preempts_also_without_preempt() -> None:
    lan = alone(settings("a", priority=255, interval=0.1, peer=False, preempt=False))
    greater = Advertisement(51, 255, 0.1, 0x0A5800FF)
    lan.command(lan.a, lan.a.node.on_advertisement("sip0", greater, lan.now))
    assert lan.masters() == []
    for _ in range(10):
        lan.command(lan.a, lan.a.node.on_advertisement("sip0", Advertisement(51, 254, 0.1, 9), lan.now))
        lan.run(0.05)
    assert lan.masters() == ["a"]


def test_a_group_does_not_take_over_while_the_master_of_another_router_lives() -> None:
    """One VLAN filters multicast: without this rule the group would come and go for ever."""
    made = settings("b", priority=100, interval=0.1, peer=False, routers=2)
    lan = Pair(settings("a", peer=False), made)
    lan.a.alive = False
    lan.start(lan.b)
    for _ in range(100):
        lan.command(lan.b, lan.b.node.on_advertisement("sip0", Advertisement(51, 200, 0.1, 9), lan.now))
        lan.run(0.1)
    assert [change.role for _, change in lan.b.log] == [NodeRole.BACKUP]
    assert lan.b.alarms == ["sip1: no master advertises, but no takeover: that of sip0 is alive"]
    died = lan.now
    lan.run(1.0)
    assert lan.became(lan.b, NodeRole.MASTER, died) < 0.4
