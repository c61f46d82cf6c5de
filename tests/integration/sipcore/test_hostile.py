"""A live server among enemies: it does not break, does not grow, serves on, and hits no third party."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.kit.sip_live import ROOT

pytestmark = [pytest.mark.root, pytest.mark.timeout(180)]

MOST_GROWTH = 24 * 1024 * 1024  # transactions of 32 s are among it


@pytest.fixture(scope="module")
def seen() -> Any:
    argv = [sys.executable, "-m", "tests.kit.hostile", "--count", "1500"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_mutated_and_cunning_messages_break_nothing_and_a_call_works_after_them(seen: Any) -> None:
    assert seen["counters"]["failures"] == 0, seen["log"]
    assert seen["after"] == "ringing"
    assert seen["counters"]["bad_datagrams"] > 100
    assert seen["counters"]["refused"] > 100


def test_memory_stays_where_it_was(seen: Any) -> None:
    assert seen["grown"] < MOST_GROWTH


def test_no_answer_is_reflected_to_whom_a_via_or_a_contact_names(seen: Any) -> None:
    assert [packet for packet in seen["foreign"] if packet[2].startswith("SIP/2.0")] == []


def test_no_request_is_relayed_to_a_third_party_for_a_stranger(seen: Any) -> None:
    assert [packet for packet in seen["foreign"] if not packet[2].startswith("SIP/2.0")] == []
