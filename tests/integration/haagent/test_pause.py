"""haagent pause and resume on two real agents, as an operator types them."""

import signal
import time

import pytest

from tests.integration.haagent.pair import Pair

pytestmark = pytest.mark.root


def test_a_paused_backup_lets_the_master_die_and_takes_over_when_it_is_resumed(pair: Pair) -> None:
    assert pair.b.haagent("resume")[0] == 1
    assert pair.b.haagent("pause", "--for", "soon")[0] == 2
    assert pair.b.haagent("pause", "--for", "99h") == (0, "paused for 99h\n")
    assert pair.b.status()["pause"]["left"] == pytest.approx(99 * 3600, abs=30)
    assert "takes over only when asked to" in pair.b.haagent("status")[1]
    pair.a.kill(signal.SIGKILL)
    time.sleep(1.0)
    assert pair.b.role() == "BACKUP"
    assert pair.b.haagent("resume") == (0, "resumed\n")
    pair.until(lambda: pair.b.role() == "MASTER", 5)
    reasons = [record["reason"] for record in pair.b.history()]
    assert any(reason.startswith("paused by operator (uid 0) for 356") for reason in reasons), reasons
    assert "the pause is over" in reasons
    assert "the pause is over" in pair.b.haagent("history")[1]


def test_a_pause_longer_than_the_limit_is_refused(pair: Pair) -> None:
    code, said = pair.b.haagent("pause", "--for", "1000h")
    assert code == 1
    assert "2592000" in said


def test_a_pause_outlives_guard_and_agent_and_a_paused_master_is_master_again(pair: Pair) -> None:
    assert pair.b.haagent("pause")[0] == 0
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
    assert pair.b.haagent("resume") == (0, "resumed\n")
    pair.until(lambda: pair.b.role() == "MASTER", 30)
    pair.until(lambda: not (pair.b.base / "state" / "pause").exists(), 30)
