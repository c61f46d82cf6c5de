"""haagent reload and SIGHUP on two real agents, while a client pings the VIP."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from haagent.lab.topology import VIP, VIP6, Lan
from tests.integration.haagent.pair import AgentNode, Pair
from tests.kit.echoes import Echoes

pytestmark = pytest.mark.root

SECOND, THIRD = "10.88.0.101", "10.88.0.102"
MORE = """
[announce]
refresh = "1s"
[log]
level = "debug"
[[check]]
kind = "file"
name = "flag"
path = "{base}/flag"
interval = "50ms"
fall = 1
weight = -20
"""


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Pair]]:
    with Lan() as lan:
        pairs: list[Pair] = []

        def start(**settings: Any) -> Pair:
            pair = Pair(lan, tmp_path, **settings)
            pairs.append(pair)
            pair.start()
            return pair

        try:
            yield start
        finally:
            for pair in pairs:
                pair.stop()


def haagent(node: AgentNode, *command: str) -> tuple[int, str]:
    code, said = node.haagent(*command)
    return code, said.replace("\n", " ").strip()


def edit(node: AgentNode, *changes: tuple[str, str], more: str = "") -> None:
    text = node.config.read_text()
    for old, new in changes:
        assert old in text, (old, text)
        text = text.replace(old, new)
    node.config.write_text(text + more.format(base=node.base))


@pytest.mark.parametrize("strategy", ["on-master", "on-both"])
def test_a_reload_changes_vips_priority_and_checks_and_not_one_ping_is_lost(
    started: Callable[..., Pair], strategy: str
) -> None:
    pair = started(strategy=strategy, lease="1s", vips=f'["{VIP}", "{VIP6}", "{SECOND}"]')
    before = [node.status() for node in pair.nodes.values()]
    for node in pair.nodes.values():
        (node.base / "flag").write_text("up\n")
    with Echoes(pair.lan.hosts["client"], VIP) as echoes:
        time.sleep(0.3)
        for node, priority in ((pair.b, "253"), (pair.a, "254")):
            changes = ((f"priority = {priority}", "priority = 200"), (SECOND, THIRD))
            edit(node, *changes, more=MORE)
            code, said = haagent(node, "reload")
            assert code == 0, said
            assert said.startswith("reloaded: virtual_router[0].priority, virtual_router[0].vips")
        time.sleep(1.5)  # the packet rules are looked at once a second: they are not to be put back
    assert (echoes.lost, echoes.sent > 500) == (0, True), pair.a.log + pair.b.log
    after = [node.status() for node in pair.nodes.values()]
    for old, new in zip(before, after, strict=True):
        same = ("role", "epoch", "pid", "guard_pid")
        assert [old[key] for key in same] == [new[key] for key in same]
        assert new["routers"][0]["effective_priority"] == 200
        assert [check["verdict"] for check in new["checks"]] == ["up"]
    assert THIRD in pair.a.addresses()
    assert SECOND not in pair.a.addresses() + pair.b.addresses()
    assert (THIRD in pair.b.addresses()) is (strategy == "on-both")
    assert all("rules_put_back" not in node.log for node in pair.nodes.values())
    assert any("reloaded by operator (uid 0)" in r["reason"] for r in pair.a.history())
    pair.a.kill(signal.SIGKILL)
    pair.until(lambda: pair.b.role() == "MASTER" and THIRD in pair.b.addresses(), 10)
    pair.until(lambda: pair.owners() == {"b"}, 5)


def test_what_cannot_change_or_is_broken_is_refused_whole_and_an_election_takes_any_reload(
    started: Callable[..., Pair],
) -> None:
    pair = started()
    good = pair.a.config.read_text()
    assert haagent(pair.a, "reload") == (0, "reloaded: the same values; keys were read again")
    edit(pair.a, ("vrid = 51", "vrid = 52"), ("priority = 254", "priority = 100"))
    code, said = haagent(pair.a, "reload")
    assert code == 1
    assert "virtual_router[0].vrid: cannot be changed while the agent runs; restart it" in said
    pair.a.config.write_text(good.replace("priority = 254", "priority = 999"))
    os.kill(pair.a.status()["pid"], signal.SIGHUP)
    pair.until(lambda: "virtual_router[0].priority: 999" in pair.a.log, 10)
    pair.a.config.write_text(good.replace(VIP, "192.0.2.1"))
    assert "virtual_router[0].vips: 192.0.2.1 is in no network" in haagent(pair.a, "reload")[1]
    assert pair.a.status()["routers"][0]["effective_priority"] == 254
    assert pair.settled("a")
    pair.a.config.write_text(good.replace("priority = 254", "priority = 100"))
    os.kill(pair.a.status()["pid"], signal.SIGHUP)
    pair.until(lambda: pair.a.status()["routers"][0]["effective_priority"] == 100, 10)
    assert pair.settled("a")

    # in the middle of an election
    other = pair.b.config.read_text()
    pid = pair.b.status()["pid"]
    pair.a.kill(signal.SIGKILL)
    for number in range(20):
        pair.b.config.write_text(other.replace("priority = 253", f"priority = {150 + number}"))
        os.kill(pid, signal.SIGHUP)
        time.sleep(0.02)
    pair.until(lambda: pair.b.status()["routers"][0]["effective_priority"] == 169, 10)
    pair.until(lambda: pair.b.role() == "MASTER", 10)
    pair.until(lambda: pair.owners() == {"b"}, 5)
