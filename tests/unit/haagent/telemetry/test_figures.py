"""What the metrics make of events, reasons and times."""

import ast
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from haagent.metrics import render
from haagent.telemetry.cause import CAUSES, OTHER, cause
from haagent.telemetry.events import Event
from haagent.telemetry.figures import Figures
from haagent.telemetry.histogram import BOUNDS, Gaps, Histogram

ROOT = Path(__file__).parents[4]
STATUS = {
    "node": "a",
    "role": "MASTER",
    "epoch": 7,
    "guard_pid": 1,
    "peer": {"connected": True, "role": "BACKUP", "ready": True, "rtt_ms": 0.25, "connections": 3},
    "core": {"ready": True, "synced": True},
    "witness": {"answers": True, "held": False},
    "pause": {"by": "operator", "left": 30.0},
    "realtime": {"fifo": True, "worst_late_ms": 1.5, "records_dropped": 2},
    "routers": [
        {
            "name": "sip",
            "effective_priority": 200,
            "vips_present": True,
            "lease": 0.09,
            "counters": {"lease_renewals": 4},
            "jitter": {"sent": {"counts": [1] * (len(BOUNDS) + 1), "total_s": 2.0}},
        }
    ],
}


def samples(figures: Figures) -> dict[str, float]:
    text = render(STATUS, figures).decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def role_changed(old: str, role: str, reason: str, **phases: float) -> dict[str, object]:
    known = {"decided_ms": None, "vip_ms": None, "announced_ms": None, "action_ms": None, **phases}
    return {"old": old, "role": role, "reason": reason, "phases": known}


def test_takeovers_are_counted_by_cause_and_timed_by_phase() -> None:
    figures = Figures()
    change = role_changed("BACKUP", "MASTER", "the peer's agent died", vip_ms=0.6, action_ms=0.8)
    figures.on_event(Event.ROLE_CHANGED, change)
    figures.on_event(Event.CORE_TOLD, {"role": "MASTER", "core_told_ms": 3.0})
    found = samples(figures)
    assert found["haagent_transitions_total{cause=peer_died,from=BACKUP,to=MASTER}"] == 1
    assert found["haagent_takeover_phase_seconds_bucket{le=0.001,phase=vip}"] == 1
    assert found["haagent_takeover_phase_seconds_bucket{le=0.0005,phase=vip}"] == 0
    assert found["haagent_takeover_phase_seconds_count{phase=core_told}"] == 1
    assert found["haagent_takeover_decision_to_announced_seconds_bucket{le=0.001}"] == 1
    assert found["haagent_takeover_decision_to_announced_seconds_bucket{le=0.00075}"] == 0
    assert found["haagent_events_total{event=role_changed}"] == 1


def test_an_epoch_that_only_grew_and_a_step_back_are_no_takeover() -> None:
    figures = Figures()
    for old, role in (("MASTER", "MASTER"), ("MASTER", "BACKUP")):
        figures.on_event(Event.ROLE_CHANGED, role_changed(old, role, "the peer has taken over", vip_ms=1.0))
    assert samples(figures)["haagent_takeover_phase_seconds_count{phase=vip}"] == 0


def test_the_status_is_shown_as_gauges_and_the_guards_histograms_as_buckets() -> None:
    found = samples(Figures())
    assert found["haagent_paused"] == 1
    assert found["haagent_pause_left_seconds"] == 30
    assert found["haagent_peer_role{role=BACKUP}"] == 1
    assert found["haagent_peer_connections_total"] == 3
    assert (found["haagent_witness_up"], found["haagent_witness_held"]) == (1, 0)
    assert found["haagent_lease_seconds{router=sip}"] == 0.09
    assert found["haagent_guard_worst_late_seconds"] == 0.0015
    jitter = "haagent_advertisement_jitter_seconds"
    assert found[f"{jitter}_bucket{{direction=sent,le=5e-05,router=sip}}"] == 1
    assert found[f"{jitter}_count{{direction=sent,router=sip}}"] == len(BOUNDS) + 1


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        ("no master advertises", "silence"),
        ("switchover by operator (uid 0)", "switchover"),
        ("the peer can no longer serve: the SIP core is not running", "peer_lost"),
        ("check options failed: 503", "check"),
        ("fault over: link eth0 is down", "fault_over"),
        ("something new", OTHER),
    ],
)
def test_a_reason_has_one_of_a_few_labels(reason: str, label: str) -> None:
    assert cause(reason) == label


@pytest.mark.parametrize("start", CAUSES)
def test_each_beginning_of_a_reason_is_said_somewhere_in_the_agent(start: str) -> None:
    texts: set[str] = set()
    for path in (ROOT / "haagent").rglob("*.py"):
        if path.name != "cause.py":
            nodes = ast.walk(ast.parse(path.read_text()))
            texts |= {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    assert any(text.startswith(start) for text in texts)


def test_a_histogram_puts_a_bound_itself_into_its_bucket_and_the_longest_into_the_last() -> None:
    histogram = Histogram()
    for seconds in (0.0, -1.0, BOUNDS[0], BOUNDS[1], 99.0):
        histogram.add(seconds)
    assert (histogram.counts[0], histogram.counts[1], histogram.counts[-1]) == (3, 1, 1)


def test_jitter_is_the_distance_from_the_interval_and_begins_anew_with_another_master() -> None:
    gaps = Gaps()
    gaps.heard(1, 0.1, 10.0)
    gaps.heard(1, 0.1, 10.1)  # in time
    gaps.heard(1, 0.1, 10.4)  # 200 ms late
    gaps.heard(2, 0.1, 10.5)
    gaps.forget()
    gaps.heard(2, 0.1, 90.0)
    assert sum(gaps.jitter.counts) == 2
    assert gaps.jitter.counts[BOUNDS.index(0.25)] == 1
