"""The metrics: well-formed, and each of them is in docs/reference/metrics.md."""

import re
from pathlib import Path
from typing import Any

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from sipcore.metrics import render
from sipcore.server.histogram import Histogram
from sipcore.transaction.traffic import Traffic

DOC = Path(__file__).parents[3] / "docs/reference/metrics.md"


def status() -> dict[str, Any]:
    traffic = Traffic()
    traffic.requests[b"INVITE"] = 3
    traffic.responses[2] = 2
    traffic.sent[4] = 1
    traffic.on_unreadable('Bad "Via"\n')
    batch = Histogram((1.0, 4.0))
    for value in (1.0, 2.0, 5.0):
        batch.observe(value)
    return {
        "role": "MASTER", "epoch": 7, "ready": True, "synced": True, "uptime": 1.5, "contacts": 2,
        "dialogs": 1, "transactions": 4, "bans": 0, "traces": 0, "cdrs_waiting": 0, "connections": {"tcp": 1},
        "stores": [{"id": "redis:location", "calls": 3, "breaker": "OPEN"}, {"id": "local"}],
        "counters": {"received": 9}, "dialog_states": {"early": 1}, "dialogs_ended": {"bye": 2},
        "traffic": {**traffic.rows(), "batch_seconds": batch.rows(), "batch_messages": batch.rows()},
    }  # fmt: skip


def replication() -> dict[str, Any]:
    peer = {
        "connected": True, "node": "b", "synced": True, "peer_synced": False, "lag_events": 1, "lag_ms": 0.5,
        "unacked_bytes": 10, "sync_progress": 1.0, "snapshots": 1, "heard_ms_ago": 3.0,
        "last_match_ms_ago": 40, "divergent_keys": 3, "repaired_keys": 4, "comparisons": 5,
        "sent_ratio": 4.5, "received_ratio": 4.0,
        "kinds": {
            "contact": {"lag_events": 1, "divergent_keys": 3},
            "nonce": {"lag_events": 0, "divergent_keys": None},
        },
    }  # fmt: skip
    return {
        "configured": True,
        "peers": {"10.0.0.2:5070": peer, "10.0.0.3:5070": {"connected": False}},
        "counters": {"refused": 2},
        "semi_sync": {"held": 0, "acknowledged": 5, "released": 1, "dropped": 0},
    }


def families() -> dict[str, Metric]:
    text = render(status(), replication()).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(name: str, **labels: str) -> float:
    (found,) = (
        sample.value
        for family in families().values()
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    )
    return float(found)


def test_what_was_counted_is_what_is_told() -> None:
    assert value("sipcore_role", role="MASTER") == 1
    assert value("sipcore_requests_received_total", method="INVITE") == 3
    assert value("sipcore_responses_received_total", **{"class": "2xx"}) == 2
    assert value("sipcore_responses_sent_total", **{"class": "4xx"}) == 1
    assert value("sipcore_parse_errors_total", reason='Bad "Via"\n') == 1
    assert value("sipcore_replication_connected", peer="10.0.0.3:5070") == 0
    assert value("sipcore_semi_sync_answers_total", end="released") == 1
    assert value("sipcore_replication_kind_divergent_keys", peer="10.0.0.2:5070", kind="contact") == 3
    assert value("sipcore_cachedb_calls_total", store="redis:location") == 3
    assert value("sipcore_cachedb_usable", store="redis:location") == 0


def test_a_histogram_has_growing_buckets_and_a_sum() -> None:
    buckets = [value("sipcore_batch_messages_bucket", le=bound) for bound in ("1", "4", "+Inf")]
    assert buckets == [1, 2, 3]
    assert value("sipcore_batch_messages_sum") == 8
    assert value("sipcore_batch_messages_count") == 3


def test_without_a_peer_there_is_no_replication() -> None:
    assert b"sipcore_replication" not in render(status(), {"configured": False})


def test_the_page_lists_each_metric_with_its_kind_and_labels_and_no_other() -> None:
    listed = set(
        re.findall(r"^\| `(sipcore_\w+)(?:\{([\w,]+)\})?` \| (\w+) \|", DOC.read_text(), re.MULTILINE)
    )
    told = set()
    for family in families().values():
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        name = f"{family.name}_total" if family.type == "counter" else family.name
        told.add((name, ",".join(sorted(labels)), family.type))
    assert told == listed


def test_reasons_are_bounded() -> None:
    traffic = Traffic()
    for number in range(100):
        traffic.on_unreadable(f"reason {number}")
    reasons = traffic.rows()["parse_errors"]
    assert isinstance(reasons, dict)
    assert (len(reasons), reasons["other"]) == (65, 36)
