"""IO shell: the pair that most of these tests have, both agents started, a the master."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from haagent.lab.topology import Lan
from tests.integration.haagent.pair import Pair


@pytest.fixture(name="pair")
def _pair(tmp_path: Path) -> Iterator[Pair]:
    with Lan() as lan:
        both = Pair(lan, tmp_path)
        try:
            both.start()
            yield both
        finally:
            both.stop()
