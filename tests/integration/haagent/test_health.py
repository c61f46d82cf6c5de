"""IO shell: health checks of two real agents: what fails moves the VIP, what hangs blocks nothing."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from haagent.lab import pair as lab
from haagent.lab.namespaces import stop
from haagent.lab.sight import Sort
from haagent.lab.topology import VIP, Lan, address
from haagent.lab.watch import Watch
from tests.integration.haagent.pair import AgentNode, Pair

pytestmark = pytest.mark.root
REDIS_PORT = 6399

Checked = Callable[..., Pair]


@pytest.fixture
def checked(tmp_path: Path) -> Iterator[Checked]:
    """A pair whose nodes have these [[check]] tables beside their configuration."""
    with Lan() as lan:
        both = Pair(lan, tmp_path)

        def begin(tables: str, prepare: Callable[[AgentNode], None] = lambda _node: None) -> Pair:
            for node in both.nodes.values():
                node.config.write_text(node.config.read_text() + tables.format(base=node.base))
                prepare(node)
            both.start()
            both.until(lambda: all(verdicts(node) == {"up"} for node in both.nodes.values()), 10)
            return both

        try:
            yield begin
        finally:
            both.stop()


def rows(node: AgentNode) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = node.status()["checks"]
    return found


def verdicts(node: AgentNode) -> set[str]:
    return {row["verdict"] for row in rows(node)}


FILE = """
[[check]]
kind = "file"
name = "flag"
path = "{base}/flag"
interval = "50ms"
fall = 1
rise = 1
weight = -20
"""


def raise_flag(node: AgentNode) -> None:
    (node.base / "flag").write_text("up\n")


def test_a_weight_hands_the_vip_to_the_healthier_node_without_a_gap(checked: Checked) -> None:
    pair = checked(FILE, raise_flag)
    with Watch(pair.lan.hosts["client"]) as watch:
        watch.wait_answer(Sort.ICMP)
        began = time.monotonic()
        (pair.a.base / "flag").unlink()
        pair.until(lambda: pair.settled("b"), 5)
        time.sleep(0.3)
        gap = watch.sight.gap(Sort.ICMP, began, time.monotonic()).length
    assert gap is not None
    assert gap < 0.05
    why = f"check flag failed: {pair.a.base}/flag: No such file or directory (priority 234 here, 253 there)"
    assert pair.a.history()[-1]["reason"] == f"the peer is healthier: {why}"
    assert pair.b.history()[-1]["reason"] == f"the peer hands over: {why}"
    assert pair.a.status()["routers"][0]["effective_priority"] == 234
    pair.a.kill(signal.SIGKILL, control=False)  # the next guard is told what the checks say
    pair.until(lambda: pair.settled("b"), 10)
    assert pair.a.status()["routers"][0]["effective_priority"] == 234
    raise_flag(pair.a)
    pair.until(lambda: pair.a.status()["routers"][0]["effective_priority"] == 254, 5)
    time.sleep(0.5)
    pair.until(lambda: pair.settled("b"), 5)  # preempt = false


SCRIPT = """
[[check]]
kind = "script"
name = "script"
command = ["{base}/check.sh"]
user = "root"
interval = "200ms"
timeout = "400ms"
fall = 2
weight = -20
"""


def write_script(node: AgentNode, text: str = "exit 0") -> None:
    new = node.base / "new.sh"
    new.write_text(f"#!/bin/sh\n{text}\n")
    new.chmod(0o755)
    new.replace(node.base / "check.sh")


def test_a_script_that_hangs_is_a_failure_is_killed_and_blocks_nothing(checked: Checked) -> None:
    pair = checked(SCRIPT, write_script)
    write_script(pair.a, "sleep 3671 & sleep 3671")
    pair.until(lambda: pair.settled("b"), 10)
    assert "no answer within 400 ms (2 times in a row)" in pair.a.history()[-1]["reason"]
    assert rows(pair.a)[0]["timeouts"] >= 2
    write_script(pair.a)
    pair.until(lambda: verdicts(pair.a) == {"up"}, 10)
    assert "sleep 3671" not in pair.a.shell("ps", "-eo", "args")


def test_exit_code_and_user_of_a_script_are_looked_at(checked: Checked) -> None:
    pair = checked(SCRIPT, write_script)
    write_script(pair.a, "exit 3")
    pair.until(lambda: pair.settled("b"), 10)
    assert "check script failed: exit code 3 (2 times in a row)" in pair.a.history()[-1]["reason"]
    (pair.a.base / "check.sh").chmod(0o777)
    pair.until(lambda: "is not safe: others may write to it" in rows(pair.a)[0]["last"]["reason"], 5)


REDIS = f"""
[[check]]
kind = "redis"
name = "redis"
url = "redis://127.0.0.1:{REDIS_PORT}"
interval = "100ms"
timeout = "500ms"
fall = 2
"""


def test_a_killed_redis_server_is_a_fault_and_its_node_comes_back_as_backup(checked: Checked) -> None:
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed")
    servers: dict[str, subprocess.Popen[bytes]] = {}

    def start(node: AgentNode) -> None:
        argv = [binary, "--bind", "127.0.0.1", "--port", str(REDIS_PORT), "--save", ""]
        servers[node.name] = node.host.spawn(argv, stdout=subprocess.DEVNULL)

    pair = checked(REDIS, start)
    servers["a"].kill()
    pair.until(lambda: pair.b.role() == "MASTER", 10)
    pair.until(lambda: pair.a.role() == "FAULT", 5)
    assert pair.a.status()["reason"].startswith("check redis failed: redis://127.0.0.1:6399: Error 111")
    start(pair.a)
    pair.until(lambda: pair.settled("b"), 10)
    for server in servers.values():
        stop(server)


GATEWAY = f"""
[[check]]
kind = "gateway"
name = "gateway"
address = "{address("client")}"
interface = "eth0"
"""


def test_a_node_that_is_cut_off_claims_nothing_and_one_whose_peer_died_takes_over(checked: Checked) -> None:
    pair = checked(GATEWAY)
    with pair.lan.hosts["switch"].entered():  # the carrier stays, as behind a switch that has lost its uplink
        subprocess.run(["bridge", "link", "set", "dev", "b-lan", "state", "0"], check=True)
    pair.lan.unplug("b", "sync")
    pair.until(lambda: "no takeover: this node is cut off, check gateway" in pair.b.log, 10)
    time.sleep(1.0)
    assert pair.b.role() == "BACKUP"
    assert pair.owners() == {"a"}
    with pair.lan.hosts["switch"].entered():
        subprocess.run(["bridge", "link", "set", "dev", "b-lan", "state", "3"], check=True)
    pair.until(lambda: verdicts(pair.b) == {"up"}, 10)
    pair.a.kill(signal.SIGKILL)
    pair.until(lambda: pair.b.role() == "MASTER", 10)


PROCESS = """
[[check]]
kind = "process"
name = "helper"
pidfile = "{base}/helper.pid"
interval = "5s"
"""


def test_the_end_of_a_process_is_seen_at_once_whatever_the_interval(checked: Checked) -> None:
    helpers: dict[str, subprocess.Popen[bytes]] = {}

    def start(node: AgentNode) -> None:
        helpers[node.name] = node.host.spawn(["sleep", "3672"])
        (node.base / "helper.pid").write_text(f"{helpers[node.name].pid}\n")

    pair = checked(PROCESS, start)
    helpers["a"].kill()
    assert pair.until(lambda: pair.b.role() == "MASTER", 4) < 3
    assert "helper.pid" in pair.b.history()[-1]["reason"]
    helpers["b"].kill()


OPTIONS = f"""
[[check]]
kind = "sip-options"
name = "options"
target = "{VIP}:5060"
interval = "200ms"
timeout = "400ms"
fall = 2
"""


def test_a_frozen_sip_core_is_noticed_by_options_and_handed_over(tmp_path: Path) -> None:
    with Lan() as lan:
        pair = lab.Pair(lan, tmp_path, lab.Settings())
        for name in ("a", "b"):
            path = tmp_path / name / "haagent.toml"
            path.write_text(path.read_text() + OPTIONS)
        try:
            pair.start()
            pids = pair.nodes["a"].core_pids()
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            end = time.monotonic() + 4
            while pair.nodes["b"].role() != "MASTER":
                assert time.monotonic() < end, pair.log_ends()
                time.sleep(0.01)
            reason = pair.nodes["b"].history()[-1]["reason"]
            assert reason.endswith("check options failed: no answer within 400 ms (2 times in a row)")
            status = pair.nodes["a"].agent_status()
            assert status is not None
            assert status["role"] == "FAULT"
        finally:
            pair.nodes["a"].stop(kill=True)
            pair.stop()
