"""Hooks of two real agents: what hangs delays no takeover, and everybody hears of everything in order."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from haagent.lab.topology import Lan
from tests.integration.haagent.pair import AgentNode, Pair

pytestmark = pytest.mark.root

TABLES = """
[hooks]
user = "root"
fifo = "{base}/notify.fifo"
fifo_command = ["{base}/reader.sh", "{base}/stream"]
[[hook]]
name = "hangs"
command = ["{base}/hangs.sh"]
timeout = "100s"
[[hook]]
name = "all"
command = ["{base}/all.sh"]
of = "both"
"""
SCRIPTS = {
    "hangs.sh": "echo $$ >> {base}/hanging; exec sleep 3677",
    # what the core was told so far stands beside the arguments
    "all.sh": 'echo "$@ told:$(grep -c MASTER {base}/core.log)" >> {base}/all',
    "reader.sh": 'exec cat "$2" >> "$1"',
}

Hooked = Callable[[], Pair]


@pytest.fixture
def hooked(tmp_path: Path) -> Iterator[Hooked]:
    with Lan() as lan:
        both = Pair(lan, tmp_path)

        def begin() -> Pair:
            for node in both.nodes.values():
                node.config.write_text(node.config.read_text() + TABLES.format(base=node.base))
                for name, body in SCRIPTS.items():
                    (node.base / name).write_text("#!/bin/sh\n" + body.format(base=node.base) + "\n")
                    (node.base / name).chmod(0o755)
            both.start()
            return both

        try:
            yield begin
        finally:
            both.stop()


def haagent(node: AgentNode, *command: str) -> str:
    code, said = node.haagent(*command)
    assert code == 0, said
    return said


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def hooks(node: AgentNode) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in node.status()["hooks"]}


def test_a_hook_that_hangs_delays_no_takeover_and_no_other_hook(hooked: Hooked) -> None:
    pair = hooked()
    pair.until(lambda: all(lines(node.base / "hanging") for node in pair.nodes.values()), 10)
    for master in ("b", "a", "b"):  # whole takeovers, each while the first call of `hangs` still runs
        old = pair.nodes["a" if master == "b" else "b"]
        haagent(old, "switchover")
        pair.until(lambda m=master: pair.settled(m), 10)  # type: ignore[misc]  # the loop's own value
    pair.until(lambda: all(hooks(node)["all"]["waiting"] == 0 for node in pair.nodes.values()), 20)
    for node in pair.nodes.values():
        pids = lines(node.base / "hanging")
        assert len(pids) == 1
        assert Path(f"/proc/{pids[0]}/cmdline").read_bytes() == b"sleep\x003677\x00"
        assert hooks(node)["hangs"]["waiting"] >= 3
        takeovers = [record for record in node.history() if record["role"] == "MASTER"]
        assert all(record["phases"]["core_told_ms"] is not None for record in takeovers)
    pair.until(lambda: len(lines(pair.b.base / "all")) == 8, 10)
    states = [line.split() for line in lines(pair.b.base / "all")]
    assert [words[:4] for words in states[:4]] == [
        ["INSTANCE", "sip", "BACKUP", "253"],
        ["GROUP", "b", "BACKUP", "0"],
        ["INSTANCE", "sip", "MASTER", "253"],
        ["GROUP", "b", "MASTER", "0"],
    ]
    assert [words[2] for words in states[::2]] == ["BACKUP", "MASTER", "BACKUP", "MASTER"]
    told = [int(words[4].removeprefix("told:")) for words in states if words[2] == "MASTER"]
    assert told == [1, 1, 2, 2]  # the core heard of each takeover before any hook did


def test_a_hung_hook_does_not_keep_the_agent_and_others_hear_of_its_stop(hooked: Hooked) -> None:
    pair = hooked()
    pair.until(lambda: bool(lines(pair.a.base / "hanging")), 10)
    assert pair.a.agent is not None
    pair.a.agent.terminate()
    assert pair.a.agent.wait(20) == 0
    assert lines(pair.a.base / "all")[-2].startswith("INSTANCE sip STOP 254")
    assert lines(pair.a.base / "stream") == [
        'INSTANCE "sip" BACKUP 254',
        'GROUP "a" BACKUP 0',
        'INSTANCE "sip" MASTER 254',
        'GROUP "a" MASTER 0',
        'INSTANCE "sip" STOP 254',
        'GROUP "a" STOP 0',
    ]
    assert not Path(f"/proc/{lines(pair.a.base / 'hanging')[0]}").exists()
    assert not (pair.a.base / "notify.fifo").exists()


def test_a_reload_brings_hooks_in_and_takes_them_away(hooked: Hooked) -> None:
    pair = hooked()
    text = pair.a.config.read_text()
    new = text.replace('name = "all"', 'name = "every"').replace("all.sh", "every.sh")
    (pair.a.base / "every.sh").write_text(f"#!/bin/sh\necho $3 >> {pair.a.base}/every\n")
    (pair.a.base / "every.sh").chmod(0o755)
    pair.a.config.write_text(new)
    assert "hook" in haagent(pair.a, "reload")
    assert set(hooks(pair.a)) == {"hangs", "every", f"{pair.a.base}/notify.fifo"}
    haagent(pair.a, "switchover")
    pair.until(lambda: lines(pair.a.base / "every") == ["BACKUP", "BACKUP"], 10)
    metrics = pair.a.shell(
        "curl", "-s", "--unix-socket", str(pair.a.base / "run/control.sock"), "http://a/metrics"
    )
    assert not metrics or 'haagent_hook_runs_total{hook="every",kind="script",result="ok"} 2.0' in metrics
    assert json.loads(haagent(pair.a, "status", "--json"))["hooks"]
    assert "every" in haagent(pair.a, "status")
