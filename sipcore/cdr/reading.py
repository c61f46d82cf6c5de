"""Sans-IO: call detail records as they stand in the files: read back, each call once."""

import csv
import io
import json
from collections.abc import Iterable

COLUMNS = (
    "id", "call_id", "caller", "callee", "answered_by", "start", "answer", "end", "duration", "setup",
    "cause", "status", "node", "epoch", "recovered", "from_tag", "to_tag", "values",
)  # fmt: skip


def read_rows(text: str) -> list[dict[str, object]]:
    """The records of a file in either form; a line that is cut short is left out."""
    if text.startswith(COLUMNS[0] + ","):
        return [dict(found) for found in csv.DictReader(io.StringIO(text)) if found.get("from_tag")]
    rows = []
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and "id" in found:
            rows.append(found)
    return rows


def merge(rows: Iterable[dict[str, object]]) -> list[dict[str, object]]:
    """Each call once, by its end: what both nodes have written counts once, the first writer's word."""
    chosen: dict[object, dict[str, object]] = {}
    for found in rows:
        known = chosen.get(found["id"])
        if known is None or str(known["recovered"]).lower() == "true":
            chosen[found["id"]] = found
    return sorted(chosen.values(), key=lambda found: str(found["end"]))
