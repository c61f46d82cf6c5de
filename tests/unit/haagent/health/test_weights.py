"""Weights as in keepalived: what findings make of a priority."""

import pytest

from haagent.health import weights
from haagent.health.check import Verdict
from haagent.health.weights import Finding

UP, DOWN, UNKNOWN = Verdict.UP, Verdict.DOWN, Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("weight", "verdict", "priority"),
    [
        (-20, UP, 100),
        (-20, DOWN, 80),
        (-20, UNKNOWN, 100),
        (20, UP, 120),
        (20, DOWN, 100),
        (20, UNKNOWN, 100),
        (0, DOWN, 100),
    ],
)
def test_a_negative_weight_counts_on_failure_and_a_positive_one_on_success(
    weight: int, verdict: Verdict, priority: int
) -> None:
    assert weights.effective_priority(100, "sip", [Finding("c", verdict, weight)]) == priority


def test_priorities_stay_within_1_and_254_and_an_owner_keeps_255() -> None:
    assert weights.effective_priority(100, "sip", [Finding("c", DOWN, -253)]) == 1
    assert weights.effective_priority(254, "sip", [Finding("c", UP, 253)]) == 254
    assert weights.effective_priority(255, "sip", [Finding("c", DOWN, -50)]) == 255


def test_a_check_weighs_only_on_its_routers() -> None:
    findings = [Finding("c", DOWN, -10, routers=("sip",))]
    assert weights.effective_priority(100, "sip", findings) == 90
    assert weights.effective_priority(100, "web", findings) == 100


def test_the_number_in_a_file_times_the_weight_is_added() -> None:
    file = Finding("f", UP, 2, value=-30, by_content=True)
    assert weights.effective_priority(100, "sip", [file]) == 40
    assert weights.penalty(100, "sip", [file]) == 60


def test_weight_zero_is_a_fault_while_it_is_down_or_unknown_unless_it_is_idle() -> None:
    assert weights.fault([Finding("c", UP)]) is None
    assert weights.fault([Finding("c", DOWN, reason="refused")]) == "check c failed: refused"
    assert weights.fault([Finding("c", UNKNOWN)]) == "check c has no result yet"
    assert weights.fault([Finding("c", UNKNOWN, idle=True)]) is None
    assert weights.fault([Finding("c", DOWN, -10)]) is None


def test_the_penalty_is_what_a_node_in_good_health_would_have_more() -> None:
    findings = [Finding("a", DOWN, -20), Finding("b", DOWN, 30), Finding("c", UP, -5)]
    assert weights.penalty(100, "sip", findings) == 50
    assert weights.penalty(254, "sip", findings) == 20  # +30 would not have been possible
