"""haagent pause and resume on two real agents, as an operator types them."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from haagent.lab.topology import Lan
from tests.integration.haagent.pair import Pair

pytestmark = pytest.mark.root


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with Lan() as lan:
        both = Pair(lan, tmp_path)
        try:
            both.start()
            yield both
        finally:
            both.stop()


def haagent(pair: Pair, command: str, *options: str) -> tuple[int, str]:
    argv = [sys.executable, "-m", "haagent", command, "--config", str(pair.b.config), *options]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_paused_backup_lets_the_master_die_and_takes_over_when_it_is_resumed(pair: Pair) -> None:
    assert haagent(pair, "resume")[0] == 1
    assert haagent(pair, "pause", "--for", "soon")[0] == 2
    assert haagent(pair, "pause", "--for", "99h") == (0, "paused for 99h\n")
    assert pair.b.status()["pause"]["left"] == pytest.approx(99 * 3600, abs=30)
    assert "takes over only when asked to" in haagent(pair, "status")[1]
    pair.a.kill(signal.SIGKILL)
    time.sleep(1.0)
    assert pair.b.role() == "BACKUP"
    assert haagent(pair, "resume") == (0, "resumed\n")
    pair.until(lambda: pair.b.role() == "MASTER", 5)
    reasons = [record["reason"] for record in pair.b.history()]
    assert any(reason.startswith("paused by operator (uid 0) for 356") for reason in reasons), reasons
    assert "the pause is over" in reasons
    assert "the pause is over" in haagent(pair, "history")[1]


def test_a_pause_longer_than_the_limit_is_refused(pair: Pair) -> None:
    code, said = haagent(pair, "pause", "--for", "1000h")
    assert code == 1
    assert "2592000" in said


def test_a_pause_outlives_guard_and_agent_and_a_paused_master_is_master_again(pair: Pair) -> None:
    assert haagent(pair, "pause")[0] == 0
    pair.until((pair.b.base / "state" / "pause").exists, 10)
    old = pair.b.status()["guard_pid"]
    pair.b.kill(signal.SIGKILL, control=False)  # control starts another guard
    pair.until(lambda: pair.b.status()["guard_pid"] not in (None, old) and pair.settled("a"), 30)
    assert pair.b.status()["pause"] == {"by": "operator (uid 0)", "left": None}
    pair.b.kill(signal.SIGKILL)
    assert pair.b.agent is not None
    pair.b.agent.wait(10)
    pair.b.start()
    pair.until(lambda: pair.b.role() == "BACKUP" and pair.settled("a"), 30)
    assert pair.b.status()["pause"] == {"by": "operator (uid 0)", "left": None}
    assert [record["reason"] for record in pair.b.history()].count("paused by operator (uid 0)") == 1
    pair.a.client.post("/v1/pause")
    pair.until((pair.a.base / "state" / "pause").exists, 10)
    pair.a.kill(signal.SIGKILL)
    assert pair.a.agent is not None
    pair.a.agent.wait(10)
    pair.a.start()
    pair.until(lambda: pair.settled("a"), 30)  # it was the master: it is again, and b has left it alone
    assert pair.a.status()["pause"] is not None
    pair.a.kill(signal.SIGKILL)
    pair.until(lambda: "no takeover: paused by operator" in pair.b.log, 30)
    assert pair.b.role() == "BACKUP"
    assert haagent(pair, "resume") == (0, "resumed\n")
    pair.until(lambda: pair.b.role() == "MASTER", 30)
    pair.until(lambda: not (pair.b.base / "state" / "pause").exists(), 30)
