"""The laboratory's commands, as a user runs them."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from haagent.lab.watch import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.root, pytest.mark.timeout(120)]
SMALL = ["--calls", "12", "--users", "24"]


class Shell:
    """Runs `haagent lab`, and knows what it has left running."""

    def __init__(self, folder: Path) -> None:
        self._mark = f"HAAGENT_TEST={uuid.uuid4()}"
        name, _, value = self._mark.partition("=")
        self._env = {**os.environ, name: value, "XDG_RUNTIME_DIR": str(folder)}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        # a test run that a shell has put into the background ignores Ctrl-C, and so would this
        argv = ["env", "--default-signal=INT", sys.executable, "-m", "haagent", "lab", *arguments]
        return subprocess.Popen(
            argv, env=self._env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        text, _ = process.communicate(timeout=100)
        return process.returncode, text

    def left_behind(self) -> list[str]:
        """Command lines of the processes that still carry our mark."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and self._mark.encode() in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
        return found


@pytest.fixture(name="shell")
def _shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    yield shell
    assert wait_until(lambda: not shell.left_behind(), 5), shell.left_behind()


@pytest.mark.parametrize("strategy", ["on-master", "on-both"])
@pytest.mark.parametrize("fault", ["power", "link", "core", "agent", "switchover"])
def test_demo_loses_nothing(shell: Shell, tmp_path: Path, strategy: str, fault: str) -> None:
    result = tmp_path / "result.json"
    code, text = shell.run("demo", "--strategy", strategy, "--fault", fault, "--json", str(result), *SMALL)
    assert code == 0, text
    outcome = json.loads(result.read_text())
    assert outcome["lost_anything"] is False
    assert outcome["registrations"] == [24, 24]
    assert outcome["calls"] == [12, 12]
    assert outcome["owners"] == ["b"]
    assert "virtual IP there" in [what for _, _, what in outcome["timeline"]]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_demo_leaves_nothing_behind(shell: Shell, number: signal.Signals) -> None:
    process = shell.start("demo", *SMALL)
    wait_until(lambda: len(shell.left_behind()) > 6, 20)
    time.sleep(0.5)
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode not in {0, 1}


def test_standing_laboratory_obeys_its_commands(shell: Shell, tmp_path: Path) -> None:
    assert shell.run("status")[0] == 2
    try:
        code, text = shell.run("up", "--users", "4")
        assert code == 0, text
        assert "already" in shell.run("up")[1]
        assert master_of(shell) == "a"
        code, text = shell.run("exec", "b", "--", "cat", "/proc/net/dev")
        assert (code, "sync0" in text) == (0, True)
        assert shell.run("exec", "b", "--", "no-such-program")[0] == 2
        assert shell.run("fault", "power")[0] == 0
        assert wait_until(lambda: master_of(shell) == "b", 10)
        assert shell.run("fault", "heal")[0] == 0
        assert shell.run("fault", "switchover", "--node", "b")[0] == 0
        assert wait_until(lambda: master_of(shell) == "a", 10)
    finally:
        assert shell.run("down")[0] == 0
    assert not list(tmp_path.iterdir())
    assert shell.run("down")[0] == 0


def master_of(shell: Shell) -> str:
    nodes = json.loads(shell.run("status", "--json")[1])["nodes"]
    masters = [name for name, node in nodes.items() if (node["agent"] or {}).get("role") == "MASTER"]
    return "".join(masters)
