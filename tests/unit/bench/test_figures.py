"""Promises are judged by the median and by every count; the page says so without a hand in it."""

from pathlib import Path
from typing import Any

import pytest

from bench.figures.report import draw, page
from bench.figures.rounds import FAULTS, FIGURES
from bench.figures.targets import BY_KEY, TARGETS, met, p99, summarize


@pytest.mark.parametrize(
    ("key", "samples", "verdict"),
    [
        ("switchover_gap", [1.0, 1.2, 1.1], "met"),
        ("switchover_gap", [1.0, 1.2, 9.0], "met, worst not"),
        ("switchover_gap", [3.0, 1.2, 9.0], "missed"),
        ("switchover_gap", [1.0, 1.0, None], "missed"),
        ("switchover_gap", [], "not measured"),
        ("agent_owners", [1, 1, 1], "met"),
        ("agent_owners", [1, 1, 2], "missed"),
        ("heal_dead", [0, 0, 1], "missed"),
        ("core_moved", [100.0], "-"),
    ],
)
def test_a_promise_is_kept_by_the_median_and_a_count_by_every_round(
    key: str, samples: list[float | None], verdict: str
) -> None:
    assert met(BY_KEY[key], samples) == verdict


def test_what_never_came_back_is_counted_apart() -> None:
    verdict = summarize([1.0, None, 3.0])
    assert (verdict.count, verdict.median, verdict.worst, verdict.never) == (3, 2.0, 3.0, 1)


def test_99_of_100_do_not_exceed_p99() -> None:
    assert p99([float(n) for n in range(1, 101)]) == 99
    assert p99([5.0]) == 5


def result() -> dict[str, Any]:
    about = {
        "date": "2030-01-01", "kernel": "6.1", "python": "3.11", "cpus": 2, "load": 0.1, "rounds": 2,
        "soak_seconds": 60.0, "command": "python -m bench.figures --rounds 2",
    }  # fmt: skip
    samples = {
        "switchover_gap": {"haagent": [1.0, 1.2], "keepalived": [9.0, 11.0]},
        "heal_dead": {"haagent": [0, 1]},
    }
    return {"about": about, "samples": samples, "broken": []}


def test_page_has_a_line_for_each_figure_and_says_what_was_missed(tmp_path: Path) -> None:
    text = page(result(), "img/x.png")
    assert all(f"| {target.title} |" in text for target in TARGETS)
    assert "| at most 2 ms | 1.1 (1.2) | 10.0 (11.0) | met |" in text
    assert "| 1 of 2 |" in text
    assert text.count("not measured") == sum(t.limit is not None for t in TARGETS) - 2
    draw(result(), tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 1000


def test_every_figure_of_a_round_is_a_promise() -> None:
    assert FAULTS.keys() == FIGURES.keys()
