"""The short fault list: injected for real, judged, nothing lost."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.root, pytest.mark.timeout(300)]


def test_every_fault_of_the_short_list_keeps_its_invariants(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "bench.faults", "--quick", "--contender", "haagent", "--no-plots"]
    run = subprocess.run(
        [*argv, "--output", str(tmp_path)], capture_output=True, text=True, timeout=280, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    trials = json.loads((tmp_path / "faults.json").read_text())["trials"]
    assert {trial["fault"] for trial in trials} >= {"agent-kill", "power", "partition", "reload"}
    assert all(trial["held"] and trial["invariants"] for trial in trials)


def test_a_broken_invariant_is_exit_code_1(tmp_path: Path) -> None:
    """keepalived leaves its address behind when it is killed."""
    argv = [sys.executable, "-m", "bench.faults", "--fault", "agent-kill", "--contender", "keepalived"]
    run = subprocess.run(
        [*argv, "--strict", "--no-plots", "--output", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    assert "two owners" in run.stdout
