"""A short campaign, as a user runs it: the master is broken in each way, and nothing is lost."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.root, pytest.mark.timeout(240)]


def test_no_fault_of_a_short_campaign_loses_anything(tmp_path: Path) -> None:
    record, folder = tmp_path / "record.jsonl", tmp_path / "report"
    argv = [sys.executable, "-m", "haagent", "lab", "campaign", "--rounds", "5", "--transport", "udp"]
    argv += ["--strategy", "on-both", "--record", str(record), "--report", str(folder)]
    argv += ["--logs", str(tmp_path / "logs")]
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=220, check=False, env={**os.environ, "COLUMNS": "200"}
    )
    assert (done.returncode, "Nothing was lost." in done.stdout) == (0, True), done.stdout + done.stderr
    plan, *rounds, group = (json.loads(line) for line in record.read_text().splitlines())
    assert (plan["kind"], group["kind"]) == ("plan", "group")
    assert {line["fault"] for line in rounds} == {"core", "agent", "power", "link", "freeze"}
    assert sum(line["calls_up"] for line in rounds) > 5
    assert all(line["registrations"] > 50 for line in rounds)
    assert group["calls"] > 50
    assert "| on-both | udp |" in (folder / "report.md").read_text()
