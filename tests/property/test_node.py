"""What must hold for a pair of nodes whatever happens, in whatever order."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from haagent.control.commands import Failover, Switchover
from haagent.effects import NodeRole
from haagent.health.check import Verdict
from haagent.health.weights import Finding
from haagent.node import CoreState
from haagent.steps import LINGER
from tests.kit.node_pair import Host, Pair, running

LEASE = 0.09


def switchover(lan: Pair, host: Host) -> None:
    if host.runs:
        lan.command(host, host.node.on_command(Switchover(), lan.now))


def failover(lan: Pair, host: Host) -> None:
    if host.runs:
        lan.command(host, host.node.on_command(Failover(), lan.now))


def kill(lan: Pair, host: Host) -> None:
    if host.runs:
        lan.kill_agent(host)


def power(lan: Pair, host: Host) -> None:
    if host.alive:
        lan.power_cut(host)


def freeze(lan: Pair, host: Host) -> None:
    if host.runs:
        lan.freeze(host)


def back(lan: Pair, host: Host) -> None:
    """Whatever was done to it is undone."""
    if host.frozen and not host.stopped and host.alive:
        lan.thaw(host)
    elif not host.runs:
        lan.restart(host)


def core_dies(lan: Pair, host: Host) -> None:
    if host.runs:
        lan.command(host, host.node.on_core(CoreState.DEAD, lan.now))


def core_comes(lan: Pair, host: Host) -> None:
    if host.runs:
        lan.command(host, host.node.on_core(CoreState.SYNCED, lan.now))


def weighed_check_fails(lan: Pair, host: Host) -> None:
    if host.runs:
        failed = Finding("redis", Verdict.DOWN, -50, reason="connection refused")
        lan.command(host, host.node.on_findings([failed], lan.now))


def vital_check_fails(lan: Pair, host: Host) -> None:
    if host.runs:
        lan.command(host, host.node.on_findings([Finding("options", Verdict.DOWN)], lan.now))


def checks_are_well(lan: Pair, host: Host) -> None:
    if host.runs:
        lan.command(host, host.node.on_findings([Finding("redis", Verdict.UP, -50)], lan.now))


def link_down(lan: Pair, host: Host) -> None:
    if host.runs:
        lan.command(host, host.node.on_link("eth0", False, lan.now))


def link_up(lan: Pair, host: Host) -> None:
    if host.runs:
        lan.command(host, host.node.on_link("eth0", True, lan.now))


def cut_lan(lan: Pair, _host: Host) -> None:
    lan.cut(path=False)


def cut_path(lan: Pair, _host: Host) -> None:
    lan.cut(lan=False)


def heal(lan: Pair, _host: Host) -> None:
    lan.heal()


Fault = Callable[[Pair, Host], None]
IN_ONE_PIECE: list[Fault] = [switchover, failover, kill, power, freeze, back, core_dies, core_comes]
IN_ONE_PIECE += [weighed_check_fails, vital_check_fails, checks_are_well]
ANYTHING = [*IN_ONE_PIECE, link_down, link_up, cut_lan, cut_path, heal]

times = st.sampled_from([0.0, 0.0001, 0.001, 0.004, 0.02, 0.05, 0.11, 0.4, 2.5])
intervals = st.sampled_from([0.01, 0.1, 1.0])


def schedule(faults: list[Fault]) -> st.SearchStrategy[list[tuple[Fault, bool, float]]]:
    return st.lists(st.tuples(st.sampled_from(faults), st.booleans(), times), max_size=8)


def play(lan: Pair, steps: list[tuple[Fault, bool, float]]) -> None:
    for fault, on_a, after in steps:
        fault(lan, lan.a if on_a else lan.b)
        lan.run(after)


def mend(lan: Pair) -> None:
    lan.heal()
    for host in lan.hosts:
        back(lan, host)
        link_up(lan, host)
        core_comes(lan, host)
        checks_are_well(lan, host)


@settings(max_examples=60, deadline=None)
@given(steps=schedule(ANYTHING), interval=intervals, preempt=st.booleans())
def test_one_master_and_one_owner_once_everything_works_again(
    steps: list[tuple[Fault, bool, float]], interval: float, preempt: bool
) -> None:
    lan = running(interval=interval, has_core=True, preempt=preempt)
    play(lan, steps)
    mend(lan)
    lan.run(8 * interval + 3)
    assert len(lan.masters()) == 1, [host.log for host in lan.hosts]
    assert lan.owning() == tuple(lan.masters())
    assert NodeRole.FAULT not in [host.node.role for host in lan.hosts]


@settings(max_examples=60, deadline=None)
@given(steps=schedule(IN_ONE_PIECE), interval=intervals)
def test_never_two_owners_longer_than_the_lease_while_the_networks_work(
    steps: list[tuple[Fault, bool, float]], interval: float
) -> None:
    lan = running(interval=interval, has_core=True)
    play(lan, steps)
    lan.run(1)
    ends = [*lan.owners[1:], (lan.now, ())]
    for (began, owners), (ended, _) in zip(lan.owners, ends, strict=True):
        assert len(owners) < 2 or ended - began <= LEASE + LINGER + 0.001, lan.owners


@settings(max_examples=40, deadline=None)
@given(steps=schedule(ANYTHING), interval=intervals)
def test_the_epoch_of_a_node_never_shrinks_and_grows_with_each_takeover(
    steps: list[tuple[Fault, bool, float]], interval: float
) -> None:
    lan = running(interval=interval, has_core=True)
    play(lan, steps)
    for host in lan.hosts:
        epochs = [change.epoch for _, change in host.log]
        taken = [change.epoch for _, change in host.log if change.role is NodeRole.MASTER]
        assert epochs == sorted(epochs)
        assert len(taken) == len(set(taken))
