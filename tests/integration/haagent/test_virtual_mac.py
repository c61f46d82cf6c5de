"""The virtual MAC of a pair: up on the master alone, the only one that answers, and gone in the end."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from haagent.lab.topology import VIP, VIP6, Lan
from tests.integration.haagent.pair import AgentNode, Pair
from tests.kit.capture import Capture

pytestmark = pytest.mark.root

MAC = "00:00:5e:00:01:33"
OWN = "02:88:00:00:00:0"
ON = 'virtual_mac = "on"'


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with Lan() as lan:
        both = Pair(lan, tmp_path, more=ON)
        try:
            yield both
        finally:
            both.stop()


def macvlan(node: AgentNode) -> str:
    """What `ip` shows of it; nothing when there is none."""
    return node.shell("ip", "-o", "addr", "show", "type", "macvlan") + node.shell(
        "ip", "-o", "link", "show", "type", "macvlan"
    )


def is_up(node: AgentNode) -> bool:
    return ",UP" in macvlan(node)


def answering(pair: Pair) -> set[str]:
    """Whose MAC is told to one who asks for the VIP (the probe names a MAC that is no node's)."""
    return pair.owners(0.1)


def test_the_virtual_mac_is_up_on_the_master_alone_answers_for_the_vips_and_goes_with_the_agent(
    pair: Pair,
) -> None:
    pair.start()
    shown = macvlan(pair.a)
    assert MAC in shown
    assert VIP in shown
    assert VIP6 in shown
    assert "fe80" not in shown, "no interface identifier is made of the virtual MAC"
    assert is_up(pair.a)
    assert not is_up(pair.b)
    assert VIP not in pair.a.addresses(), "the VIPs are not on the interface itself"
    assert answering(pair) == {MAC.replace(":", "")}
    assert pair.a.shell("cat", "/proc/sys/net/ipv4/conf/eth0/arp_ignore").strip() == "1"
    for node in (pair.b, pair.a):
        assert node.agent is not None
        node.agent.terminate()
        node.agent.wait(10)
        assert macvlan(node) == ""
        assert node.shell("cat", "/proc/sys/net/ipv4/conf/eth0/arp_ignore").strip() == "0"
        assert "haagent" not in node.shell("nft", "list", "tables")


def test_a_switchover_moves_the_mac_and_the_backup_sends_nothing_from_it(pair: Pair) -> None:
    pair.start()
    with Capture(pair.lan.hosts["client"], only="ether src " + MAC) as capture:
        pair.a.client.post("/v1/switchover", {})
        pair.until(lambda: pair.settled("b"), 30)
        pair.until(lambda: not is_up(pair.a), 30)
        assert is_up(pair.b)
        assert answering(pair) == {MAC.replace(":", "")}
        moved = time.time()
        pair.a.shell("ip", "neigh", "flush", "all")
        time.sleep(0.5)
    sent = capture.decode(f"vrrp && frame.time_epoch > {moved}", "ip.src")
    assert sent
    assert {row[0] for row in sent} == {"10.88.0.12"}
    allowed = "vrrp || arp.src.proto_ipv4 == 10.88.0.100 || icmpv6.nd.na.target_address || icmpv6.type == 143"
    assert capture.decode(f"!({allowed})", "frame.protocols") == []


def test_a_killed_agent_goes_mute_and_the_next_one_removes_its_virtual_mac(pair: Pair) -> None:
    pair.start()
    pair.a.kill(signal.SIGKILL)
    pair.until(lambda: pair.b.role() == "MASTER", 30)
    pair.until(lambda: answering(pair) == {MAC.replace(":", "")}, 30)
    assert is_up(pair.a), "nobody was there to set it down"
    pair.a.start()
    pair.until(lambda: pair.settled("b"), 30)
    assert "virtual_mac_cleaned" in pair.a.log
    assert macvlan(pair.a).count("vrrp4.51") == 1
    assert not is_up(pair.a)
    assert pair.b.role() == "MASTER"


def test_one_that_is_set_down_is_set_up_again_and_one_that_is_deleted_is_a_fault(pair: Pair) -> None:
    pair.start()
    name = macvlan(pair.a).split()[1]
    pair.a.shell("ip", "link", "set", name.partition("@")[0].rstrip(":"), "down")
    pair.until(lambda: "is put back" in pair.a.log, 30)
    pair.until(lambda: is_up(pair.a) and VIP6 in macvlan(pair.a), 30)
    assert pair.a.role() == "MASTER"
    pair.a.shell("ip", "link", "del", name.partition("@")[0].rstrip(":"))
    pair.until(lambda: pair.b.role() == "MASTER", 30)
    assert pair.a.role() == "FAULT"
    assert "was deleted by someone else" in pair.a.log


def test_a_mac_that_is_in_use_on_this_host_is_named(pair: Pair) -> None:
    pair.a.shell("ip", "link", "add", "link", "eth0", "name", "vrrp.51", "address", MAC, "type", "macvlan")
    pair.a.start_core()
    pair.a.start()
    assert pair.a.agent is not None
    assert pair.a.agent.wait(15) == 2
    assert f"vrrp.51 has the virtual MAC {MAC} already" in pair.a.log
