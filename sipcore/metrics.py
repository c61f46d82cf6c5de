"""IO shell: the core's status as Prometheus metrics."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4"
_NOT_IN_A_NAME = re.compile(r"\W")


def render(status: Mapping[str, Any], replication: Mapping[str, Any]) -> bytes:
    """The text form (version 0.0.4) of one status."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_StatusCollector(status, replication))
    return generate_latest(registry)


class _StatusCollector(Collector):
    def __init__(self, status: Mapping[str, Any], replication: Mapping[str, Any]) -> None:
        self._status = status
        self._replication = replication

    def collect(self) -> Iterator[Metric]:
        status = self._status
        gauge = GaugeMetricFamily
        role = gauge("sipcore_role", "1 for the role that the core has.", labels=["role"])
        for name in ("BACKUP", "MASTER"):
            role.add_metric([name], float(status["role"] == name))
        yield role
        yield gauge("sipcore_epoch", "Number of takeovers that the core knows of.", status["epoch"])
        yield gauge("sipcore_ready", "1 while the core listens and can serve.", float(status["ready"]))
        yield gauge("sipcore_synced", "1 while the core has what its peer has.", float(status["synced"]))
        yield gauge("sipcore_uptime_seconds", "Seconds since the start.", status["uptime"])
        for name in ("contacts", "dialogs", "transactions"):
            yield gauge(f"sipcore_{name}", f"How many {name} the core holds.", status[name])
        events = CounterMetricFamily("sipcore_events", "By kind of event.", labels=["event"])
        for name, count in status["counters"].items():
            events.add_metric([name], count)
        yield events
        yield from self._peers()

    def _peers(self) -> Iterator[Metric]:
        for name, value in self._replication.items():
            if isinstance(value, int | float):
                metric = f"sipcore_replication_{_NOT_IN_A_NAME.sub('_', name)}"
                yield GaugeMetricFamily(metric, f"Replication: {name.replace('_', ' ')}.", float(value))
