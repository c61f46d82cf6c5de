"""IO shell: one agent: what it refuses at start, what it cleans up, what its commands say."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from haagent.lab.topology import VIP, Lan
from tests.integration.haagent.pair import Pair

pytestmark = pytest.mark.root
AGENT = (sys.executable, "-m", "haagent")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with Lan() as lan:
        both = Pair(lan, tmp_path)
        try:
            yield both
        finally:
            both.stop()


def haagent(pair: Pair, *argv: str) -> subprocess.CompletedProcess[str]:
    with pair.a.host.entered():
        return subprocess.run([*AGENT, *argv], capture_output=True, text=True, timeout=20, check=False)


def started(pair: Pair) -> Pair:
    pair.a.start_core()
    pair.a.start()
    pair.until(lambda: pair.a.role() == "MASTER", 30)
    return pair


def edited(pair: Pair, old: str, new: str) -> str:
    text = pair.a.config.read_text()
    assert old in text
    path = pair.a.base / "edited.toml"
    path.write_text(text.replace(old, new))
    return str(path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('interface = "eth0"', 'interface = "eth9"', ["interface", "eth9", "eth0"]),
        (f'"{VIP}"', '"192.0.2.7"', ["vips", "192.0.2.7", "10.88.0.0/24"]),
        ("priority = 254", "priority = 300", ["priority", "300", "255"]),
        ("vrid = 51", "vrdi = 51", ["vrdi", "vrid"]),
    ],
)
def test_wrong_config_names_key_value_and_limit(pair: Pair, old: str, new: str, words: list[str]) -> None:
    result = haagent(pair, "run", edited(pair, old, new))
    assert result.returncode == 2
    assert [word for word in words if word not in result.stderr] == []


def test_without_privileges_the_missing_capability_is_named(pair: Pair) -> None:
    with pair.a.host.entered():
        result = subprocess.run(
            ["setpriv", "--bounding-set=-net_admin", *AGENT, "run", str(pair.a.config)],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert result.returncode == 2
    assert "needs CAP_NET_ADMIN" in result.stderr


def test_second_agent_on_the_node_refuses(pair: Pair) -> None:
    started(pair)
    result = haagent(pair, "run", str(pair.a.config))
    assert result.returncode == 2
    assert "another agent runs on this node" in result.stderr
    assert str(pair.a.pids()[0]) in result.stderr
    assert pair.a.role() == "MASTER"


def test_leftovers_of_a_killed_agent_are_removed(pair: Pair) -> None:
    started(pair)
    pair.a.kill(signal.SIGKILL)
    assert pair.a.agent is not None
    pair.a.agent.wait()
    assert VIP in pair.a.addresses()
    config = edited(pair, f'"{VIP}"', '"10.88.0.101"')
    pair.a.config.write_text(Path(config).read_text())
    started(pair)
    assert VIP + "/" not in pair.a.addresses()
    assert "10.88.0.101/32" in pair.a.addresses()


def test_commands_say_what_the_agent_knows(pair: Pair) -> None:
    started(pair)
    assert pair.a.agent is not None
    socket = ["--socket", str(pair.a.base / "run" / "control.sock")]
    assert (pair.a.base / "run" / "control.sock").stat().st_mode & 0o777 == 0o660
    status = json.loads(haagent(pair, "status", "--json", *socket).stdout)
    assert status["role"] == "MASTER"
    assert status["pid"] == pair.a.agent.pid
    assert haagent(pair, "status", "--check", *socket).returncode == 0
    assert "MASTER" in haagent(pair, "status", "--config", str(pair.a.config)).stdout
    records = [json.loads(line) for line in haagent(pair, "history", "--json", *socket).stdout.splitlines()]
    assert records[-1]["role"] == "MASTER"
    assert records[-1]["reason"]
    assert records[-1]["phases"]["vip_ms"] >= 0
    assert "MASTER" in haagent(pair, "history", *socket).stdout
    assert haagent(pair, "explain", *socket).returncode == 0
    refused = haagent(pair, "switchover", *socket)
    assert refused.returncode == 1
    assert "refused" in refused.stderr


def test_history_survives_a_restart(pair: Pair) -> None:
    started(pair)
    stored = pair.a.base / "state" / "history.jsonl"
    # written in the background, after a sync of the epoch
    pair.until(lambda: json.loads(stored.read_text().splitlines()[-1]) == pair.a.history()[-1], 5)
    before = pair.a.history()
    epoch = pair.a.status()["epoch"]
    pair.a.kill(signal.SIGKILL)
    assert pair.a.agent is not None
    pair.a.agent.wait()
    started(pair)
    assert pair.a.history()[: len(before)] == before
    assert pair.a.status()["epoch"] > epoch


def test_guard_keeps_four_capabilities_and_says_what_it_was_granted(pair: Pair) -> None:
    started(pair)
    guard = pair.a.pids()[1]
    fields = dict(
        line.split(":\t") for line in Path(f"/proc/{guard}/status").read_text().splitlines() if ":\t" in line
    )
    assert int(fields["CapPrm"], 16) & ~((1 << 12) | (1 << 13) | (1 << 14) | (1 << 23)) == 0
    assert fields["NoNewPrivs"] == "1"
    assert pair.a.status()["realtime"]["fifo"] == (os.sched_getscheduler(guard) & 1 == os.SCHED_FIFO)
