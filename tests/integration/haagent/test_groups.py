"""Two groups of virtual routers in one agent: each has its own role, and nothing moves both."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from haagent.control.client import AgentUnreachableError, ControlClient
from haagent.lab.topology import VIP, Lan
from tests.integration.haagent.pair import AgentNode, Pair

pytestmark = [pytest.mark.root, pytest.mark.timeout(240)]

BLUE = "10.88.0.101"
BESIDE = """
[[virtual_router]]
name = "blue"
group = "blue"
vrid = 52
interface = "eth0"
priority = {priority}
advert_interval = "100ms"
vips = ["10.88.0.101"]
virtual_mac = "on"
[[group]]
name = "blue"
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with Lan() as lan:
        both = Pair(lan, tmp_path_factory.mktemp("groups"), vips=json.dumps([VIP]))
        for node, priority in ((both.a, 100), (both.b, 200)):
            node.config.write_text(node.config.read_text() + BESIDE.format(priority=priority))
        try:
            both.b.start_core()
            both.a.start_core()
            both.a.start()
            both.until(lambda: both.a.role() == "MASTER", 30)
            both.b.start()
            both.until(lambda: both.settled("a"), 30)
            both.until(lambda: {role(both.a), role(both.b)} == {"MASTER", "BACKUP"}, 30)
            both.until(lambda: blue(both.a)["peer"]["connected"], 30)
            yield both
        finally:
            both.stop()


def control(node: AgentNode) -> ControlClient:
    return ControlClient(node.base / "run" / "blue" / "control.sock")


def blue(node: AgentNode) -> Any:
    return control(node).get("/v1/status")


def role(node: AgentNode) -> str:
    try:
        return str(blue(node)["role"])
    except AgentUnreachableError:
        return ""


def haagent(node: AgentNode, *argv: str) -> str:
    command = [sys.executable, "-m", "haagent", *argv, "--config", str(node.config)]
    with node.host.entered():
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def addresses(node: AgentNode) -> str:
    return node.shell("ip", "-o", "addr", "show")


def test_a_group_moves_alone_by_command_and_when_its_guard_is_killed(pair: Pair) -> None:
    first, second = (pair.a, pair.b) if role(pair.a) == "MASTER" else (pair.b, pair.a)
    haagent(first, "switchover", "--group", "blue")
    pair.until(lambda: (role(first), role(second)) == ("BACKUP", "MASTER"), 30)
    assert pair.a.role() == "MASTER"
    assert VIP in addresses(pair.a)
    assert BLUE in addresses(second)
    assert BLUE not in addresses(first)
    assert {entry["role"] for entry in pair.a.told()} == {"BACKUP", "MASTER"}, (
        "the core follows its own group"
    )
    shown = json.loads(haagent(first, "status", "--json"))
    assert shown["groups"][0]["status"]["role"] == "BACKUP"
    assert [entry["reason"] for entry in control(second).get("/v1/history?last=1")] == ["the peer hands over"]
    epoch = pair.a.status()["epoch"]
    guard = blue(second)["guard_pid"]
    second.shell("kill", "-9", str(guard))
    pair.until(lambda: role(first) == "MASTER", 30)
    assert pair.a.role() == "MASTER"
    assert pair.a.status()["epoch"] == epoch


def test_the_node_s_own_group_moves_alone_and_a_killed_agent_of_a_group_comes_back(pair: Pair) -> None:
    master = pair.a if role(pair.a) == "MASTER" else pair.b
    pair.a.client.post("/v1/switchover", {})
    pair.until(lambda: pair.settled("b"), 30)
    assert role(master) == "MASTER"
    backup = pair.b if master is pair.a else pair.a
    before = blue(backup)
    backup.shell("kill", "-9", str(before["pid"]), str(before["guard_pid"]))
    pair.until(lambda: role(backup) == "BACKUP" and blue(backup)["pid"] != before["pid"], 30)
    assert "group_died" in backup.log
    assert role(master) == "MASTER"
    assert pair.b.role() == "MASTER"


def test_a_stop_ends_the_groups_too_and_leaves_nothing(pair: Pair) -> None:
    assert pair.a.agent is not None
    pair.a.agent.send_signal(signal.SIGTERM)
    pair.a.agent.wait(30)
    pair.until(lambda: pair.b.role() == role(pair.b) == "MASTER", 30)
    assert "haagent" not in pair.a.shell("nft", "list", "tables")
    assert BLUE not in addresses(pair.a)
    assert "vrrp4" not in addresses(pair.a)
    tables = pair.b.shell("nft", "list", "tables")
    assert "haagent_lease.blue" in tables
    assert "haagent_lease\n" in tables
