"""Sans-IO: each parser that faces the network, fuzzed for a moment; `make fuzz` takes ten minutes each."""

import random
import time

import pytest

from tests.fuzz.mutate import fuzz
from tests.fuzz.targets import TARGETS

SECONDS = 0.8  # of CPU time


@pytest.mark.parametrize("name", TARGETS)
def test_no_bytes_break_a_parser(name: str) -> None:
    end = time.process_time() + SECONDS
    runs, finding = fuzz(name, random.Random(3261), lambda: time.process_time() < end)
    assert finding is None, finding
    assert runs > 100
