"""IO shell: the core's status as Prometheus metrics; docs/reference/metrics.md lists them."""

from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4"
Json = Mapping[str, Any]

_GAUGES = {
    "epoch": "Number of takeovers that the core knows of.",
    "ready": "1 while the core listens and can serve.",
    "synced": "1 while the core has what its peer has.",
    "contacts": "Registered contacts.",
    "dialogs": "Dialogs, those that it holds for its peer too.",
    "transactions": "Transactions, those that it holds for its peer too.",
    "bans": "Sources on the ban list.",
    "cdrs_waiting": "Call detail records that are on no disk yet, those held for the peer too.",
    "traces": "Watchers of messages: traces and capture servers.",
}
_BY_LABEL = {
    "requests_received": ("method", "Requests, each time they came."),
    "responses_received": ("class", "Responses, each time they came."),
    "responses_sent": ("class", "Responses that server transactions sent, each time."),
    "parse_errors": ("reason", "Messages that were refused by the parser."),
}
_COUNTERS = {
    "retransmissions_received": "Requests that came again.",
    "retransmissions_sent": "Messages that were sent again because no answer came.",
}
_HISTOGRAMS = {
    "batch_seconds": "Time for one batch of messages, in which nothing else is served.",
    "batch_messages": "Messages in one batch.",
}
_OF_PEER = {
    "connected": "1 while the link to this peer is up.",
    "synced": "1 while this node has what the peer has.",
    "peer_synced": "1 while the peer has what this node has.",
    "lag_events": "Changes that the peer has not acknowledged.",
    "lag_ms": "Age of the oldest of them, in milliseconds.",
    "unacked_bytes": "Bytes that the peer has not acknowledged.",
    "heard_ms_ago": "Milliseconds since the peer was heard.",
    "sync_progress": "Part of the full sync that the peer has, 0 to 1.",
    "snapshots": "Full syncs that were begun.",
    "last_match_ms_ago": "Milliseconds since both nodes were known to hold the same.",
    "divergent_keys": "Keys that were different in the last comparison.",
    "repaired_keys": "Keys that this node had repaired since the link is up.",
    "comparisons": "Comparisons since the link is up.",
    "sent_ratio": "Bytes that one byte of a compressed frame stands for, as sent.",
    "received_ratio": "Bytes that one byte of a compressed frame stands for, as received.",
}

_OF_KIND = {
    "lag_events": "Changes of a kind that the peer has not acknowledged.",
    "divergent_keys": "Keys of a kind that were different in the last comparison.",
}


def render(status: Json, replication: Json) -> bytes:
    """The text form (version 0.0.4) of one status."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_StatusCollector(status, replication))
    return generate_latest(registry)


_OF_STORE = {
    "calls": "Calls to a key-value store.",
    "errors": "Calls that a store could not carry out.",
    "timeouts": "Calls that a store did not answer within the budget.",
    "failures": "Calls that did not reach a store.",
    "rejected": "Calls that were not made: breaker open, or too many waiting.",
}


class _StatusCollector(Collector):
    def __init__(self, status: Json, replication: Json) -> None:
        self._status = status
        self._replication = replication

    def collect(self) -> Iterator[Metric]:
        status = self._status
        role = GaugeMetricFamily("sipcore_role", "1 for the role that the core has.", labels=["role"])
        for name in ("BACKUP", "MASTER"):
            role.add_metric([name], float(status["role"] == name))
        yield role
        for name, text in _GAUGES.items():
            yield GaugeMetricFamily(f"sipcore_{name}", text, float(status[name]))
        yield GaugeMetricFamily("sipcore_uptime_seconds", "Seconds since the start.", status["uptime"])
        yield _labelled(
            GaugeMetricFamily("sipcore_connections", "Open connections.", labels=["transport"]),
            status["connections"],
        )
        yield from self._traffic()
        states = GaugeMetricFamily("sipcore_dialogs_by_state", "Calls that are led here.", labels=["state"])
        yield _labelled(states, status["dialog_states"])
        ended = CounterMetricFamily("sipcore_dialogs_ended", "Calls that have ended.", labels=["reason"])
        yield _labelled(ended, status["dialogs_ended"])
        events = CounterMetricFamily("sipcore_events", "By kind of event.", labels=["event"])
        yield _labelled(events, status["counters"])
        yield from self._links()
        yield from self._stores()

    def _traffic(self) -> Iterator[Metric]:
        traffic = self._status["traffic"]
        for name, (label, text) in _BY_LABEL.items():
            yield _labelled(CounterMetricFamily(f"sipcore_{name}", text, labels=[label]), traffic[name])
        for name, text in _COUNTERS.items():
            yield CounterMetricFamily(f"sipcore_{name}", text, traffic[name])
        for name, text in _HISTOGRAMS.items():
            yield _histogram(f"sipcore_{name}", text, traffic[name])

    def _stores(self) -> Iterator[Metric]:
        stores = self._status["stores"]
        for name, text in _OF_STORE.items():
            family = CounterMetricFamily(f"sipcore_cachedb_{name}", text, labels=["store"])
            yield _labelled(family, {store["id"]: store.get(name, 0) for store in stores})
        usable = GaugeMetricFamily("sipcore_cachedb_usable", "1 while a store is asked.", labels=["store"])
        yield _labelled(usable, {store["id"]: store.get("breaker", "CLOSED") == "CLOSED" for store in stores})

    def _links(self) -> Iterator[Metric]:
        link = self._replication
        if not link.get("configured"):
            return
        for name, text in _OF_PEER.items():
            family = GaugeMetricFamily(f"sipcore_replication_{name}", text, labels=["peer"])
            known = {peer: row[name] for peer, row in link["peers"].items() if row.get(name) is not None}
            yield _labelled(family, known)
        for name, text in _OF_KIND.items():
            family = GaugeMetricFamily(f"sipcore_replication_kind_{name}", text, labels=["peer", "kind"])
            for peer, row in link["peers"].items():
                for kind, values in row.get("kinds", {}).items():
                    if values[name] is not None:
                        family.add_metric([peer, kind], float(values[name]))
            yield family
        events = CounterMetricFamily("sipcore_replication_events", "By kind of event.", labels=["event"])
        yield _labelled(events, link["counters"])
        yield GaugeMetricFamily(
            "sipcore_semi_sync_held", "Answers that wait for a standby.", link["semi_sync"]["held"]
        )
        waits = CounterMetricFamily(
            "sipcore_semi_sync_answers", "Answers that waited for a standby, by how it ended.", labels=["end"]
        )
        ends = ("acknowledged", "released", "dropped")
        yield _labelled(waits, {end: link["semi_sync"][end] for end in ends})


def _labelled(
    family: CounterMetricFamily | GaugeMetricFamily, values: Mapping[str, float]
) -> CounterMetricFamily | GaugeMetricFamily:
    for name, value in values.items():
        family.add_metric([name], float(value))
    return family


def _histogram(name: str, text: str, rows: Json) -> HistogramMetricFamily:
    bounds = [*(f"{bound:g}" for bound in rows["bounds"]), "+Inf"]
    buckets = list(zip(bounds, accumulate(rows["counts"]), strict=True))
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=rows["sum"])
