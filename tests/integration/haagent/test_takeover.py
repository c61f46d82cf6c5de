"""IO shell: two real agents elect one, hand over, die and freeze; at most one owns the VIP."""

import os
import signal
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from haagent.lab.topology import VIP, VIP6, Lan
from tests.integration.haagent.pair import Pair

pytestmark = [pytest.mark.root, pytest.mark.timeout(180)]


@pytest.fixture(params=["on-master", "on-both"])
def pair(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Pair]:
    with Lan() as lan:
        both = Pair(lan, tmp_path, strategy=request.param)
        try:
            both.start()
            yield both
        finally:
            both.stop()


def test_one_of_two_agents_owns_the_vip_and_tells_its_core(pair: Pair) -> None:
    assert pair.owners() == {"a"}
    assert VIP in pair.a.addresses()
    assert VIP6 in pair.a.addresses()
    pair.until(lambda: [told["role"] for told in pair.a.told()][-1:] == ["MASTER"], 2)
    assert [told["role"] for told in pair.b.told()][-1:] != ["MASTER"]


def test_switchover_moves_the_vip_without_two_silent_nodes(pair: Pair) -> None:
    with pair.watch() as arp:
        pair.a.client.post("/v1/switchover")
        answers = arp.collect(0.5, every=0.001)
    pair.until(lambda: pair.settled("b"), 2)
    times = [t for t, _host in answers]
    assert max(b - a for a, b in pairwise(times)) < 0.05
    assert answers[-1][1] == "b"
    assert pair.owners() == {"b"}
    assert pair.b.status()["epoch"] > 1
    pair.until(lambda: [told["role"] for told in pair.a.told()][-1:] == ["BACKUP"], 2)


def test_killed_guard_and_control_leave_one_owner(pair: Pair) -> None:
    pair.a.kill(signal.SIGKILL)
    time.sleep(0.1)
    assert pair.owners() <= {"b"}
    pair.until(lambda: pair.b.role() == "MASTER", 2)
    assert pair.owners() == {"b"}


def test_killed_guard_alone_is_started_again_and_does_not_stay_master(pair: Pair) -> None:
    old = pair.a.pids()[1]
    pair.a.kill(signal.SIGKILL, control=False)
    time.sleep(0.1)
    assert pair.owners() <= {"b"}
    pair.until(lambda: pair.settled("b"), 30)
    assert pair.a.pids()[1] != old
    assert pair.owners() == {"b"}


@pytest.mark.parametrize("control", [False, True])
def test_frozen_agent_loses_the_vip_and_stays_without_it_when_it_wakes(pair: Pair, control: bool) -> None:
    pids = pair.a.pids()
    pair.a.kill(signal.SIGSTOP, control=control)
    time.sleep(0.1)
    assert pair.owners() <= {"b"}
    pair.until(lambda: pair.b.role() == "MASTER", 2)
    assert pair.owners() == {"b"}
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    with pair.watch() as arp:
        assert {host for _t, host in arp.collect(0.5)} == {"b"}
    pair.until(lambda: pair.settled("b"), 3)


def test_link_down_tells_the_peer_over_the_second_path(pair: Pair) -> None:
    start = time.monotonic()
    pair.lan.unplug("a", "lan")
    pair.until(lambda: pair.b.role() == "MASTER", 2)
    assert time.monotonic() - start < 0.25, "faster than three advertisement intervals"
    assert pair.a.role() == "FAULT"
    pair.lan.plug("a", "lan")
    pair.until(lambda: pair.settled("b"), 3)
    assert pair.owners() == {"b"}


def test_power_cut_moves_the_vip_within_the_rfc_time(pair: Pair) -> None:
    pair.lan.unplug("a", "lan", "sync")
    for pid in pair.a.host.processes():
        os.kill(pid, signal.SIGKILL)
    took = pair.until(lambda: pair.b.role() == "MASTER", 3)
    assert took < 0.6
    assert pair.owners() == {"b"}


def test_death_of_the_core_hands_over_at_once(pair: Pair) -> None:
    assert pair.a.core is not None
    pair.a.core.kill()
    took = pair.until(lambda: pair.b.role() == "MASTER", 2)
    assert took < 0.2
    assert pair.owners() == {"b"}


def test_sigterm_hands_over_and_leaves_nothing_behind(pair: Pair) -> None:
    assert pair.a.agent is not None
    pair.a.agent.terminate()
    assert pair.a.agent.wait(5) == 0
    assert pair.owners() == {"b"}
    assert VIP not in pair.a.addresses()
    assert pair.a.shell("nft", "list", "tables") == ""
    assert pair.a.shell("cat", "/proc/sys/net/ipv4/ip_nonlocal_bind").strip() == "0"


def test_an_agent_that_was_killed_and_started_again_can_take_the_vip_back(pair: Pair) -> None:
    pair.a.kill(signal.SIGKILL)
    pair.until(lambda: pair.b.role() == "MASTER", 2)
    pair.a.start()
    pair.until(lambda: pair.settled("b"), 30)
    pair.b.client.post("/v1/switchover")
    pair.until(lambda: pair.settled("a"), 2)
    assert pair.owners() == {"a"}
    assert VIP in pair.a.addresses()


def test_an_agent_that_has_lost_its_memory_still_finds_an_epoch_that_its_core_takes(pair: Pair) -> None:
    pair.a.client.post("/v1/switchover")
    pair.until(lambda: pair.settled("b"), 2)
    pair.a.kill(signal.SIGKILL)
    pair.b.kill(signal.SIGKILL)
    pair.a.forget()
    pair.a.start()
    pair.until(lambda: pair.a.role() == "MASTER", 5)
    pair.until(lambda: pair.a.told()[-1]["role"] == "MASTER", 2)


def test_a_restarted_core_is_told_its_role(pair: Pair) -> None:
    assert pair.b.core is not None
    pair.b.core.kill()
    pair.b.core.wait()
    pair.b.start_core()
    pair.until(lambda: len([told for told in pair.b.told() if told["role"] == "BACKUP"]) >= 1, 3)


def test_vip_removed_by_others_is_put_back(pair: Pair) -> None:
    pair.a.shell("ip", "addr", "del", f"{VIP}/32", "dev", "eth0")
    pair.until(lambda: VIP in pair.a.addresses(), 1)
    assert pair.a.role() == "MASTER"
    assert pair.owners() == {"a"}


def test_packet_rules_flushed_by_others_are_put_back_and_the_owner_stays_heard(pair: Pair) -> None:
    for node in (pair.a, pair.b):
        node.shell("nft", "flush", "ruleset")
    pair.until(lambda: "haagent_lease" in pair.b.shell("nft", "list", "tables"), 3)
    pair.until(lambda: "haagent_lease" in pair.a.shell("nft", "list", "tables"), 3)
    pair.until(lambda: pair.owners() == {"a"}, 1)
    assert pair.a.role() == "MASTER"
    assert pair.b.role() == "BACKUP"


def test_guard_goes_on_when_control_is_killed(pair: Pair) -> None:
    pair.a.kill(signal.SIGKILL, guard=False)
    time.sleep(0.7)
    assert pair.owners() == {"a"}
    assert pair.b.role() == "BACKUP"
