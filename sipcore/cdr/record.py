"""Sans-IO: a call detail record, and the two forms in which it is written: a line of JSON, a line of CSV."""

import csv
import io
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from hashlib import blake2b

import msgspec

from sipcore.cdr.reading import COLUMNS
from sipcore.dialog.dialog import CONFIRMED_NA, Dialog, EndReason


class Cdr(msgspec.Struct, array_like=True, gc=False):
    """One call, as it stands on the replication channel; new fields go to the end, with a default.

    Times are those of the wall clock of the node on which the call ended: a record may be written much later,
    by another node. `answer` 0: the call was missed, and `status` says how.
    """

    call_id: bytes
    from_tag: bytes
    to_tag: bytes
    caller: bytes
    callee: bytes
    answered_by: bytes
    start: float
    answer: float
    end: float
    cause: EndReason
    status: int
    node: str
    epoch: int
    values: dict[str, str] = {}


def cdr_id(dialog: Dialog) -> bytes:
    """The same on every node; another one when the caller tries again with the same Call-ID and tag."""
    return blake2b(b"%b %d" % (dialog.key, dialog.invite_cseq), digest_size=8).hexdigest().encode()


def record(
    dialog: Dialog, reason: EndReason, status: int, now: float, *, wall: float, node: str, epoch: int
) -> Cdr:
    """The record of a dialog that ends now; `wall` is what the wall clock shows."""
    offset = wall - now
    leg = next((leg for leg in dialog.legs if leg.state >= CONFIRMED_NA), None)
    leg = leg or (dialog.legs[0] if dialog.legs else None)
    answered = dialog.answered_at
    return Cdr(
        call_id=dialog.call_id,
        from_tag=dialog.from_tag,
        to_tag=leg.tag if leg is not None else b"",
        caller=dialog.from_uri,
        callee=dialog.to_uri,
        answered_by=leg.contact if leg is not None and answered else b"",
        start=dialog.started_at + offset,
        answer=answered + offset if answered else 0.0,
        end=wall,
        cause=reason,
        status=200 if answered else status,
        node=node,
        epoch=epoch,
        values=dialog.more.values.copy() if dialog.more is not None else {},
    )


def row(key: bytes, cdr: Cdr, *, recovered: bool) -> dict[str, object]:
    """The fields of a record by name, in the order of COLUMNS."""
    talked = max(cdr.end - cdr.answer, 0.0) if cdr.answer else 0.0
    return {
        "id": key.decode(),
        "call_id": _text(cdr.call_id),
        "caller": _text(cdr.caller),
        "callee": _text(cdr.callee),
        "answered_by": _text(cdr.answered_by),
        "start": _instant(cdr.start),
        "answer": _instant(cdr.answer) if cdr.answer else "",
        "end": _instant(cdr.end),
        "duration": round(talked, 3),
        "setup": round(max((cdr.answer or cdr.end) - cdr.start, 0.0), 3),
        "cause": cdr.cause.name.lower(),
        "status": cdr.status,
        "node": cdr.node,
        "epoch": cdr.epoch,
        "recovered": recovered,
        "from_tag": _text(cdr.from_tag),
        "to_tag": _text(cdr.to_tag),
        "values": cdr.values,
    }


def json_line(fields: dict[str, object]) -> bytes:
    """One line of JSON; whatever a phone has sent, it holds no line end."""
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def csv_line(fields: dict[str, object]) -> bytes:
    """One line of CSV, RFC 4180; the values as JSON."""
    values = fields["values"]
    return _csv([*(fields[name] for name in COLUMNS[:-1]), json.dumps(values) if values else ""])


def csv_head() -> bytes:
    """The first line of a CSV file."""
    return _csv(COLUMNS)


def _csv(values: Iterable[object]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(values)
    return buffer.getvalue().encode("utf-8", "replace")


def _instant(seconds: float) -> str:
    """RFC 3339, in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


FORMS: dict[str, tuple[bytes, Callable[[dict[str, object]], bytes]]] = {
    "json": (b"", json_line),
    "csv": (csv_head(), csv_line),
}
