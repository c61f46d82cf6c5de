"""The example rules for Prometheus, and the reference, name metrics that exist."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from haagent.metrics import render
from haagent.telemetry.figures import Figures
from tests.unit.haagent.telemetry.test_figures import STATUS, samples

ROOT = Path(__file__).parents[4]
RULES = ROOT / "docs/examples/alerts.yml"
CHECK = {"name": "c", "kind": "tcp", "verdict": "up", "duration_ms": 1.0, "weight": 0}
RUNS = {"runs": 1, "failures": 0, "timeouts": 0}


def exported() -> set[str]:
    text = render({**STATUS, "checks": [{**CHECK, **RUNS}]}, Figures()).decode()
    return {kind.split()[2] for kind in text.splitlines() if kind.startswith("# TYPE")}


def family(sample: str) -> str:
    return re.sub(r"_(bucket|sum|count)$", "", sample)


def test_the_example_rules_name_metrics_that_exist() -> None:
    used = set(re.findall(r"\bhaagent_\w+", RULES.read_text()))
    transitions = {"haagent_transitions_total"}  # there is none before the first change of role
    assert {family(name) for name in used} <= exported() | transitions


def test_the_reference_lists_each_metric_that_the_agent_exports() -> None:
    text = (ROOT / "docs/reference/metrics.md").read_text()
    listed = {name for row in re.findall(r"^\| (.+?) \|", text, re.MULTILINE)
              for name in re.findall(r"`(haagent_\w+)", row)}  # fmt: skip
    assert exported() <= listed | {name for name in exported() if name.endswith("_created")}
    assert listed <= exported() | {family(name.partition("{")[0]) for name in samples(Figures())}


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian: prometheus) is not installed")
def test_promtool_takes_the_example_rules() -> None:
    done = subprocess.run(
        ["promtool", "check", "rules", str(RULES)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
