"""What an operator types on a real pair: exit codes, what is waited for, what is refused and why."""

import json
import signal
import subprocess

import pytest

from tests.integration.haagent.pair import AgentNode, Pair

pytestmark = pytest.mark.root


def haagent(node: AgentNode, *command: str) -> tuple[int, str]:
    code, said = node.haagent(*command)
    return code, " ".join(said.split())


def test_a_day_of_an_operator(pair: Pair) -> None:
    assert haagent(pair.a, "status", "--check")[0] == 0
    watching = subprocess.Popen(pair.a.argv("status", "--json", "--watch"), stdout=subprocess.PIPE)
    assert watching.stdout is not None
    seen = [json.loads(watching.stdout.readline()) for _ in range(2)]
    assert [state["role"] for state in seen] == ["MASTER", "MASTER"]

    assert haagent(pair.b, "switchover") == (
        1,
        "haagent: refused: this node is BACKUP; a switchover is asked of the master",
    )
    code, said = haagent(pair.a, "switchover", "--wait", "30")
    assert (code, said) == (
        0,
        "switchover asked for this node is BACKUP: switchover by operator (uid 0)",
    )
    assert pair.b.role() == "MASTER"
    while json.loads(watching.stdout.readline())["role"] != "BACKUP":
        pass
    watching.stdout.close()  # a reader that goes away is the end, not an error
    assert watching.wait(30) == 0

    assert haagent(pair.a, "failover", "--wait", "30")[0] == 0
    assert pair.a.status()["core"]["role"] == "MASTER"

    assert pair.b.core is not None
    pair.b.core.kill()
    pair.until(lambda: pair.b.role() == "FAULT", 30)
    assert haagent(pair.b, "status", "--check")[0] == 1
    code, said = haagent(pair.a, "switchover", "--wait", "30")
    assert (code, said) == (
        1,
        "haagent: refused: the peer does not stand by in sync: FAULT, not ready, not in sync",
    )
    code, said = haagent(pair.b, "failover", "--force")
    assert (code, said) == (1, "haagent: refused: this node is FAULT: the SIP core is not running")

    reasons = [record["reason"] for record in pair.a.history()]
    pair.a.kill(signal.SIGKILL)
    assert pair.a.agent is not None
    pair.a.agent.wait(10)
    assert haagent(pair.a, "status", "--check")[0] == 3
    pair.a.start()
    pair.until(lambda: pair.a.role() == "MASTER", 30)
    assert [record["reason"] for record in pair.a.history()][: len(reasons)] == reasons
    assert "switchover by operator (uid 0)" in haagent(pair.a, "history", "--json")[1]
    assert haagent(pair.a, "history")[0] == 0
