"""IO shell: what the parser makes of each torture message of RFC 4475."""

from pathlib import Path

import pytest

from tests.kit.sip_cases import Case, load, play

HERE = Path(__file__).parent


@pytest.mark.parametrize(("data", "case"), load(HERE))
def test_a_torture_message_is_read_or_refused_as_the_rfc_says(data: bytes, case: Case) -> None:
    play(data, case)


def test_every_message_has_an_expectation() -> None:
    assert len(load(HERE)) == len(list((HERE / "data").rglob("*.dat")))
