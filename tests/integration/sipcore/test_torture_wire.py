"""The torture messages of RFC 4475 and 5118 on the wire: each gets the one answer that its case names."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.torture.__main__ import cases
from bench.torture.judge import is_allowed
from tests.kit.sip_live import ROOT

pytestmark = [pytest.mark.root, pytest.mark.timeout(180)]


def test_every_torture_message_gets_the_answer_of_its_case_and_none_is_sent_to_a_broadcast_address(
    tmp_path: Path,
) -> None:
    result = tmp_path / "result.json"
    argv = [sys.executable, "-m", "bench.torture", "sipcore", "--json", str(result)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(result.read_text())["sipcore"]
    assert said == {case.name: case.ours for case in cases()}
    assert "62 of 62" in done.stdout


def test_what_we_do_with_each_message_is_what_its_rfc_allows() -> None:
    messages = cases()
    assert len(messages) == 62
    assert [case.name for case in messages if not is_allowed(case.ours, case.allowed)] == []
