"""IO shell: the agent's status as Prometheus metrics."""

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

ROLES = ("INIT", "BACKUP", "MASTER", "FAULT")


def render(status: dict[str, Any]) -> bytes:
    """The text form (version 0.0.4) of one status."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_StatusCollector(status))
    return generate_latest(registry)


class _StatusCollector(Collector):
    def __init__(self, status: dict[str, Any]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status
        role = GaugeMetricFamily("haagent_role", "1 for the role that the node has.", labels=["role"])
        for name in ROLES:
            role.add_metric([name], float(status["role"] == name))
        yield role
        yield GaugeMetricFamily(
            "haagent_epoch", "Number of takeovers that the node knows of.", status["epoch"]
        )
        yield GaugeMetricFamily(
            "haagent_guard_up", "1 while the guard runs.", float(bool(status["guard_pid"]))
        )
        peer, core = status["peer"], status["core"]
        if peer is not None:
            yield GaugeMetricFamily(
                "haagent_peer_connected", "1 while the peer channel is up.", float(peer["connected"])
            )
        if core is not None:
            yield GaugeMetricFamily(
                "haagent_core_ready", "1 while the SIP core is ready.", float(core["ready"])
            )
        yield from self._routers()
        yield from self._realtime()
        yield from self._checks()

    def _routers(self) -> Iterator[Metric]:
        priority = GaugeMetricFamily("haagent_router_priority", "Effective priority.", labels=["router"])
        present = GaugeMetricFamily(
            "haagent_vips_present", "1 while this node has the VIPs.", labels=["router"]
        )
        counters = CounterMetricFamily(
            "haagent_vrrp_events", "VRRP by kind of event.", labels=["router", "event"]
        )
        for router in self._status["routers"]:
            name = router["name"]
            priority.add_metric([name], router["effective_priority"])
            present.add_metric([name], float(router["vips_present"]))
            for event, count in router["counters"].items():
                counters.add_metric([name, event], count)
        yield from (priority, present, counters)

    def _checks(self) -> Iterator[Metric]:
        """A check that knows nothing has no sample of `up`."""
        labels = ["check", "kind"]
        up = GaugeMetricFamily("haagent_check_up", "1 while the check is up.", labels=labels)
        took = GaugeMetricFamily("haagent_check_duration_seconds", "Time of the last run.", labels=labels)
        weight = GaugeMetricFamily("haagent_check_weight", "Configured weight; 0: fault.", labels=labels)
        runs = CounterMetricFamily("haagent_check_runs", "Runs by result.", labels=[*labels, "result"])
        for check in self._status.get("checks", []):
            where = [check["name"], check["kind"]]
            if check["verdict"] != "unknown":
                up.add_metric(where, float(check["verdict"] == "up"))
            if check["duration_ms"] is not None:
                took.add_metric(where, check["duration_ms"] / 1000)
            weight.add_metric(where, check["weight"])
            late = check["timeouts"]
            runs.add_metric([*where, "good"], check["runs"] - check["failures"])
            runs.add_metric([*where, "bad"], check["failures"] - late)
            runs.add_metric([*where, "timeout"], late)
        yield from (up, took, weight, runs)

    def _realtime(self) -> Iterator[Metric]:
        granted = GaugeMetricFamily("haagent_realtime", "1 where the kernel granted it.", labels=["what"])
        for name, value in self._status["realtime"].items():
            if isinstance(value, bool):
                granted.add_metric([name], float(value))
        yield granted
