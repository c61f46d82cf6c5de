"""IO shell: what the metrics remember beside what the status shows: counts and histograms of events."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Histogram, Metric
from prometheus_client.core import CounterMetricFamily

from haagent.telemetry.cause import cause
from haagent.telemetry.events import Event

ACTION_BOUNDS = (0.0001, 0.00025, 0.0005, 0.00075, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 1.0)  # seconds
PHASE_BOUNDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
PHASES = ("decided", "vip", "announced", "core_told")


class Figures:
    """Since the start of the control process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._events: Counter[str] = Counter()
        self._transitions: Counter[tuple[str, str, str]] = Counter()
        self._phases = Histogram(
            "haagent_takeover_phase_seconds",
            "Takeovers by this node: from the cause to the end of each step.",
            ["phase"],
            buckets=PHASE_BOUNDS,
            registry=self._registry,
        )
        self._action = Histogram(
            "haagent_takeover_decision_to_announced_seconds",
            "Takeovers by this node: from the decision to the first announcement. Target: p99 at most 1 ms.",
            buckets=ACTION_BOUNDS,
            registry=self._registry,
        )
        for phase in PHASES:
            self._phases.labels(phase)

    def on_event(self, name: str, data: Mapping[str, Any]) -> None:
        """One event of the log."""
        self._events[name] += 1
        if name == Event.ROLE_CHANGED:
            self._on_role(data)
        elif name == Event.CORE_TOLD and data["role"] == "MASTER" and data["core_told_ms"] is not None:
            self._phases.labels("core_told").observe(data["core_told_ms"] / 1000)

    def collect(self) -> Iterator[Metric]:
        """For the exposition."""
        yield from self._registry.collect()
        events = CounterMetricFamily("haagent_events", "Events of the log by name.", labels=["event"])
        for event in Event:
            events.add_metric([event], self._events[event])
        yield events
        transitions = CounterMetricFamily(
            "haagent_transitions", "Changes of role by cause.", labels=["from", "to", "cause"]
        )
        for labels, count in self._transitions.items():
            transitions.add_metric(labels, count)
        yield transitions

    def _on_role(self, data: Mapping[str, Any]) -> None:
        self._transitions[str(data["old"]), str(data["role"]), cause(str(data["reason"]))] += 1
        if data["role"] != "MASTER" or data["old"] == "MASTER":
            return
        for phase in PHASES[:3]:
            took = data["phases"][f"{phase}_ms"]
            if took is not None:
                self._phases.labels(phase).observe(took / 1000)
        if data["phases"]["action_ms"] is not None:
            self._action.observe(data["phases"]["action_ms"] / 1000)
