"""After a takeover or a heal the master asks the link whether it alone answers for its addresses."""

import subprocess
import time

import pytest

from haagent.lab.topology import PORTS, VIP, VIP6
from tests.integration.haagent.pair import AgentNode, Pair
from tests.kit.cut import Cut

pytestmark = [pytest.mark.root, pytest.mark.timeout(120)]
CLIENT_MAC = next(port.mac for port in PORTS if (port.host, port.wire) == ("client", "lan"))


def announcements(node: AgentNode) -> int:
    found: int = node.status()["routers"][0]["counters"]["announcements"]
    return found


def on_client(pair: Pair, *argv: str) -> None:
    with pair.lan.hosts["client"].entered():
        subprocess.run(argv, check=True)


def test_a_third_host_with_the_vips_is_an_alarm_until_it_has_them_no_more(pair: Pair) -> None:
    time.sleep(1.0)
    assert pair.a.status()["two_owners"] == {}, "nobody else answers, neither we ourselves nor the backup"
    for vip, prefix in ((VIP, 32), (VIP6, 128)):
        on_client(pair, "ip", "addr", "add", f"{vip}/{prefix}", "dev", "eth0", *(["nodad"] * (prefix == 128)))
    pair.a.client.post("/v1/switchover")
    pair.until(lambda: set(pair.b.status()["two_owners"]) == {VIP, VIP6}, 20)
    assert pair.b.status()["two_owners"][VIP] == [CLIENT_MAC]
    assert pair.b.log.count("two_owners") == 2
    for vip, prefix in ((VIP, 32), (VIP6, 128)):
        on_client(pair, "ip", "addr", "del", f"{vip}/{prefix}", "dev", "eth0")
    pair.until(lambda: pair.b.status()["two_owners"] == {}, 20)
    assert pair.b.log.count("one_owner") == 2
    assert pair.a.status()["two_owners"] == {}


def test_after_a_heal_there_is_one_loser_and_the_winner_finds_nobody_else(pair: Pair) -> None:
    cut = Cut(pair.lan)
    cut.between("a", "b")
    cut.between("b", "a")
    pair.until(lambda: pair.b.role() == "MASTER", 20)
    assert pair.a.role() == "MASTER"
    pair.until(lambda: pair.owners(0.2) == {"a", "b"}, 10)
    announced = {name: announcements(node) for name, node in pair.nodes.items()}
    cut.heal("a")
    cut.heal("b")
    pair.until(lambda: pair.settled("a") or pair.settled("b"), 30)
    winner, loser = (pair.a, pair.b) if pair.a.role() == "MASTER" else (pair.b, pair.a)
    pair.until(lambda: pair.owners(0.2) == {winner.name}, 10)
    assert winner.status()["epoch"] == loser.status()["epoch"]
    pair.until(lambda: announcements(winner) > announced[winner.name], 5)
    time.sleep(1.0)  # it looks, and looks again if the other one was still there the first time
    pair.until(lambda: winner.status()["two_owners"] == {}, 20)
    assert loser.status()["two_owners"] == {}
