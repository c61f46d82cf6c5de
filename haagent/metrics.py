"""IO shell: the agent's status, and what it remembers of its events, as Prometheus metrics."""

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from haagent.telemetry.figures import Figures
from haagent.telemetry.histogram import BOUNDS

ROLES = ("INIT", "BACKUP", "MASTER", "FAULT")


def render(status: dict[str, Any], figures: Figures) -> bytes:
    """The text form (version 0.0.4)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_StatusCollector(status, figures))
    return generate_latest(registry)


class _StatusCollector(Collector):
    def __init__(self, status: dict[str, Any], figures: Figures) -> None:
        self._status = status
        self._figures = figures

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
        yield from self._pause()
        yield from self._peer()
        others = float(len(self._status.get("two_owners", ())))
        yield GaugeMetricFamily("haagent_two_owners", "VIPs that another host answers for, too.", others)
        yield from self._witness()
        yield from self._core()
        yield from self._routers()
        yield from self._jitter()
        yield from self._realtime()
        yield from self._checks()
        yield from self._hooks()
        yield from self._figures.collect()

    def _pause(self) -> Iterator[Metric]:
        pause = self._status.get("pause")
        yield GaugeMetricFamily("haagent_paused", "1 during maintenance.", float(pause is not None))
        if pause is not None and pause["left"] is not None:
            yield GaugeMetricFamily(
                "haagent_pause_left_seconds", "Until the maintenance ends by itself.", pause["left"]
            )

    def _peer(self) -> Iterator[Metric]:
        """The round trip has no sample while the channel is down."""
        peer = self._status["peer"]
        if peer is None:
            return
        up = float(peer["connected"])
        yield GaugeMetricFamily("haagent_peer_connected", "1 while the peer channel is up.", up)
        role = GaugeMetricFamily("haagent_peer_role", "1 for the role that the peer has.", labels=["role"])
        for name in ROLES:
            role.add_metric([name], float(bool(up) and peer["role"] == name))
        yield role
        ready = float(bool(up) and bool(peer["ready"]))
        yield GaugeMetricFamily("haagent_peer_ready", "1 while the peer could take over.", ready)
        yield CounterMetricFamily(
            "haagent_peer_connections", "How often the peer channel was made.", peer["connections"]
        )
        if peer["rtt_ms"] is not None:
            yield GaugeMetricFamily(
                "haagent_peer_rtt_seconds", "Round trip of the peer channel.", peer["rtt_ms"] / 1000
            )

    def _witness(self) -> Iterator[Metric]:
        witness = self._status.get("witness")
        if witness is None:
            return
        up, held = float(witness["answers"]), float(witness["held"])
        yield GaugeMetricFamily("haagent_witness_up", "1 while the witness answers.", up)
        yield GaugeMetricFamily("haagent_witness_held", "1 while this node holds its lock.", held)

    def _core(self) -> Iterator[Metric]:
        core = self._status["core"]
        if core is None:
            return
        yield GaugeMetricFamily("haagent_core_ready", "1 while the SIP core is ready.", float(core["ready"]))
        synced = float(bool(core.get("synced")))
        yield GaugeMetricFamily("haagent_core_synced", "1 while it holds the master's records.", synced)

    def _routers(self) -> Iterator[Metric]:
        priority = GaugeMetricFamily("haagent_router_priority", "Effective priority.", labels=["router"])
        present = GaugeMetricFamily(
            "haagent_vips_present", "1 while this node has the VIPs.", labels=["router"]
        )
        counters = CounterMetricFamily(
            "haagent_vrrp_events", "VRRP by kind of event.", labels=["router", "event"]
        )
        lease = GaugeMetricFamily(
            "haagent_lease_seconds", "After so long a dead agent is deaf; 0: off.", labels=["router"]
        )
        for router in self._status["routers"]:
            name = router["name"]
            priority.add_metric([name], router["effective_priority"])
            present.add_metric([name], float(router["vips_present"]))
            lease.add_metric([name], 0.0 if router["lease"] == "off" else router["lease"])
            for event, count in router["counters"].items():
                counters.add_metric([name, event], count)
        yield from (priority, present, counters, lease)

    def _jitter(self) -> Iterator[Metric]:
        jitter = HistogramMetricFamily(
            "haagent_advertisement_jitter_seconds",
            "sent: how late ours were; heard: how far a master's were from their interval.",
            labels=["router", "direction"],
        )
        for router in self._status["routers"]:
            for direction, found in (router["jitter"] or {}).items():
                sums = list(accumulate(found["counts"]))
                buckets = list(zip([*map(str, BOUNDS), "+Inf"], sums, strict=True))
                jitter.add_metric([router["name"], direction], buckets, found["total_s"])
        yield jitter

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

    def _hooks(self) -> Iterator[Metric]:
        labels = ["hook", "kind"]
        waiting = GaugeMetricFamily("haagent_hook_waiting", "Changes that wait to be told.", labels=labels)
        told = CounterMetricFamily(
            "haagent_hook_runs", "Changes by what came of it.", labels=[*labels, "result"]
        )
        for hook in self._status.get("hooks", []):
            where = [hook["name"], hook["kind"]]
            waiting.add_metric(where, hook["waiting"])
            for result in ("ok", "failed", "timeout", "dropped"):
                told.add_metric([*where, result], hook[result])
        yield from (waiting, told)

    def _realtime(self) -> Iterator[Metric]:
        granted = GaugeMetricFamily("haagent_realtime", "1 where the kernel granted it.", labels=["what"])
        for name, value in self._status["realtime"].items():
            if isinstance(value, bool):
                granted.add_metric([name], float(value))
        yield granted
        if "worst_late_ms" in self._status["realtime"]:
            yield GaugeMetricFamily(
                "haagent_guard_worst_late_seconds",
                "How much too late the guard's loop came round at worst.",
                self._status["realtime"]["worst_late_ms"] / 1000,
            )
            yield CounterMetricFamily(
                "haagent_guard_dropped_reports",
                "What the guard could not tell control.",
                self._status["realtime"]["records_dropped"],
            )
