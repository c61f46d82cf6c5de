"""A live pair goes from the version before to this one, as an operator does it, and no call is lost."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.root, pytest.mark.timeout(240)]
ROOT = Path(__file__).parents[2]
HANDSHAKE = "sipcore/replication/handshake.py"


def version_before(folder: Path) -> tuple[Path, int]:
    """This source tree, but on the wire it speaks no version newer than the one before; that version."""
    for package in ("haagent", "netrules", "sipcore"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / HANDSHAKE
    found = re.search(r"^VERSION = (\d+)", path.read_text(), re.MULTILINE)
    assert found is not None
    before = int(found[1]) - 1
    path.write_text(path.read_text().replace(found[0], f"VERSION = {before}", 1))
    return folder, before


def test_an_upgrade_with_a_switchover_in_the_middle_loses_no_call(tmp_path: Path) -> None:
    old, before = version_before(tmp_path / "old")
    result = tmp_path / "result.json"
    argv = [sys.executable, "-m", "haagent", "lab", "upgrade", "--from", str(old), "--json", str(result)]
    argv += ["--logs", str(tmp_path / "logs")]
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=220, check=False, env={**os.environ, "COLUMNS": "200"}
    )
    assert (done.returncode, "Nothing was lost." in done.stdout) == (0, True), done.stdout + done.stderr
    told = json.loads(result.read_text())
    wires = [step["wire"] for step in told["steps"]]
    assert wires == [str(number) for number in (before, before, before, before + 1, before + 1)]
    assert all(step["calls_up"] > 0 for step in told["steps"][1:])
    assert told["users"]["calls"] > 100
    assert (told["lost_anything"], told["users"]["lost"]) == (False, {})


@pytest.mark.parametrize("what", ["nothing", "haagent"])
def test_what_is_no_installation_is_refused(tmp_path: Path, what: str) -> None:
    (tmp_path / "haagent").mkdir()
    argv = [sys.executable, "-m", "haagent", "lab", "upgrade", "--from", str(tmp_path / what)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "is neither a source tree, a virtual environment nor an interpreter" in done.stderr
