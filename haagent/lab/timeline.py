"""Sans-IO: the timeline of a takeover: what the agents, the probe and the phones say happened when."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from haagent.lab.ledger import Ledger
from haagent.lab.sight import Sight, Sort

Record = Mapping[str, object]
# The phases of a record of the agent's history, in milliseconds after the cause was detected.
PHASES = {
    "decided_ms": "decided to take over",
    "vip_ms": "virtual IP there",
    "announced_ms": "announced to the LAN",
    "core_told_ms": "SIP core is MASTER",
}
FIRSTS = (
    ("established", "callee", "first ACK of a waiting call reaches its callee"),
    ("cancel_answered", "200", "first CANCEL answered"),
    ("bye_answered", "200", "first BYE answered"),
)


@dataclass(slots=True, order=True)
class Moment:
    """Something that happened: monotonic seconds, who says so, what."""

    at: float
    source: str
    text: str


def takeover(records: Sequence[Record], node: str, fault: float) -> list[Moment]:
    """What the new master's history says of its takeover after the fault."""
    for record in records:
        at = record.get("monotonic")
        if record.get("role") != "MASTER" or not isinstance(at, float) or at < fault:
            continue
        moments = [Moment(at, node, f"noticed: {record.get('reason')}")]
        phases = record.get("phases")
        for name, text in PHASES.items():
            value = phases.get(name) if isinstance(phases, dict) else None
            if isinstance(value, int | float):
                moments.append(Moment(at + value / 1e3, node, text))
        return moments
    return []


def seen_by_client(sight: Sight, ledger: Ledger, fault: float, until: float, old: str) -> list[Moment]:
    """What the client saw: the old node's last answer, the new one's first, what its calls waited for."""
    moments = []
    for sort in (Sort.ICMP, Sort.SIP):
        switched = sight.switched(sort, fault, old)
        last = sight.last(sort, old, switched or until)
        if last is not None:
            moments.append(Moment(last, "client", f"last {sort.name} answer of {old}"))
        if switched is not None:
            moments.append(Moment(switched, "client", f"first {sort.name} answer of its peer"))
    for name, detail, text in FIRSTS:
        times = [
            at
            for call in ledger.calls.values()
            for key, at in call.seen.items()
            if key == (name, detail) and at >= fault
        ]
        if times:
            moments.append(Moment(min(times), "phones", text))
    return moments


def rows(moments: Iterable[Moment], fault: float) -> list[tuple[float, str, str]]:
    """The moments in order, as milliseconds after the fault."""
    return [(round((m.at - fault) * 1e3, 2), m.source, m.text) for m in sorted(moments)]
