"""What counts as nothing lost."""

from dataclasses import replace

import pytest

from haagent.lab.outcome import Options, Outcome, as_json

GOOD = Outcome(Options(), "a", "b", 300.0, 305.0, ["b"], (200, 200), (50, 50), {}, (20, 20), 100)


def test_outcome_with_nothing_lost_is_good() -> None:
    assert GOOD.is_good
    assert as_json(GOOD)["lost_anything"] is False


@pytest.mark.parametrize(
    "worse",
    [
        {"lost": {"c1": ["bye_answered 200"]}},
        {"lost_registrations": ["user001"]},
        {"duplicates": 1},
        {"calls": (50, 49)},
        {"options_answered": (19, 20)},
        {"new": None, "owners": []},
        {"owners": ["a", "b"]},
        {"owners": ["a"]},
    ],
)
def test_anything_lost_makes_the_outcome_bad(worse: dict[str, object]) -> None:
    assert not replace(GOOD, **worse).is_good  # type: ignore[arg-type] # one field each
