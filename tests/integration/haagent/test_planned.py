"""haagent switchover --at on two real agents."""

import time
from datetime import UTC, datetime

import pytest

from tests.integration.haagent.pair import AgentNode, Pair

pytestmark = pytest.mark.root


def switchover(node: AgentNode, *options: str) -> tuple[int, str]:
    code, said = node.haagent("switchover", *options)
    return code, " ".join(said.split())


def later(seconds: float) -> str:
    return datetime.fromtimestamp(time.time() + seconds, UTC).isoformat()


def test_a_switchover_is_planned_kept_called_off_carried_out_and_refused_at_its_time(pair: Pair) -> None:
    assert switchover(pair.a, "--at", "soon")[0] == 2
    assert "at: in 40.0 days, at most 30" in switchover(pair.a, "--at", later(40 * 86400))[1]
    assert switchover(pair.a, "--cancel") == (1, "haagent: refused: no switchover is planned")
    assert switchover(pair.a, "--at", later(3600))[0] == 0
    assert pair.a.status()["planned"]["by"] == "operator (uid 0)"
    assert pair.a.agent is not None
    pair.a.agent.terminate()
    pair.a.agent.wait(30)
    pair.until(lambda: pair.b.role() == "MASTER", 30)
    pair.a.start()
    pair.until(lambda: pair.settled("b"), 30)
    assert pair.a.status()["planned"] is not None  # it outlives the agent
    assert switchover(pair.a, "--cancel") == (0, "the planned switchover is called off")
    assert pair.a.status()["planned"] is None

    pair.b.client.post("/v1/switchover", {"at": time.time() + 1})
    pair.until(lambda: pair.settled("a"), 60)
    last = [record["reason"] for record in pair.b.history()][-1]
    assert last.startswith("switchover by operator (uid 0), planned for ")

    pair.b.client.post("/v1/switchover", {"at": time.time() + 1})  # b is no master any more
    pair.until(lambda: "did not take place: this node is BACKUP" in pair.b.history()[-1]["reason"], 60)
    assert pair.settled("a")
