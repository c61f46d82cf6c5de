"""Sans-IO: what the command line shows of the SIP core, as rich tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Column, Table

Json = Mapping[str, object]

_TRAFFIC = {
    "requests": "requests_received",
    "responses": "responses_received",
    "answers sent": "responses_sent",
    "unreadable": "parse_errors",
}
_PEER = {
    "node": "node",
    "role": "role",
    "in sync": "synced",
    "it too": "peer_synced",
    "lag": "lag_events",
    "lag ms": "lag_ms",
    "ratio": "sent_ratio",
    "bytes unacked": "unacked_bytes",
    "match ms ago": "last_match_ms_ago",
    "keys differ": "divergent_keys",
    "sync": "sync_progress",
    "heard ms ago": "heard_ms_ago",
}
_COLOURS = {"MASTER": "bold green", "BACKUP": "cyan"}


def status(state: Json) -> Table:
    """The table of `sipcore status`."""
    table = Table(title=f"SIP core {escape(str(state['node']))}", show_header=False, title_justify="left")
    role = str(state["role"])
    table.add_row("role", f"[{_COLOURS.get(role, 'bold')}]{role}[/], epoch {state['epoch']}")
    table.add_row("ready", _word(state["ready"]))
    table.add_row("in sync", _word(state["synced"]) + (" (no peer)" if state.get("alone") else ""))
    for name in ("contacts", "dialogs", "transactions"):
        table.add_row(name, str(state[name]))
    connections, bans = _counted(state.get("connections")), state.get("bans")
    if connections or bans:
        table.add_row("connections", f"{connections or 'none'}; sources banned: {bans}")
    table.add_row("process", f"{state['pid']}, up {state['uptime']} s, message form: {state['form']}")
    traffic = state.get("traffic")
    if isinstance(traffic, dict):
        for title, name in _TRAFFIC.items():
            table.add_row(title, _counted(traffic[name]))
    counters = state["counters"]
    table.add_row("counters", _counted(counters, "\n"))
    return table


def _counted(counts: object, between: str = ", ") -> str:
    """What is not zero."""
    if not isinstance(counts, dict):
        return "-"
    found = [f"{escape(str(name).replace('_', ' '))} {count}" for name, count in counts.items() if count]
    return between.join(found) or "none"


def rows(records: Sequence[Json], columns: Sequence[str]) -> Table:
    """One row per record, with the columns that a screen has room for; `--json` has them all."""
    table = Table(*(Column(name.replace("_", " "), overflow="fold") for name in columns))
    for record in records:
        table.add_row(*(_cell(record.get(name)) for name in columns))
    return table


def fields(record: Json) -> Table:
    """One object: a row per field."""
    table = Table("what", "value", show_header=False)
    for name, value in record.items():
        table.add_row(escape(name.replace("_", " ")), _cell(value))
    return table


def replication(state: Mapping[str, Any]) -> Group:
    """The links to the peers: a table of them, one of the kinds, and what else was counted."""
    if not state.get("configured"):
        return Group("no [replication] is configured")
    peers = Table(title=f"replication of node {escape(state['node'])}", title_justify="left")
    kinds = Table("peer", "kind", "lag", "keys that differ")
    for name in ("peer", *_PEER):
        peers.add_column(name)
    for address, row in state["peers"].items():
        peers.add_row(escape(address), *(_cell(row.get(field)) for field in _PEER.values()))
        for kind, values in row.get("kinds", {}).items():
            kinds.add_row(escape(address), kind, _cell(values["lag_events"]), _cell(values["divergent_keys"]))
    rest = fields({name: state[name] for name in ("synced", "sequence", "semi_sync", "counters")})
    return Group(peers, kinds, rest)


def verified(found: Mapping[str, Any]) -> Group:
    """What `verify` found: a line per peer, and the keys that differ."""
    lines: list[RenderableType] = ["the same everywhere" if found["equal"] else "[bold red]not the same[/]"]
    if "reason" in found:
        lines.append(escape(found["reason"]))
    for peer, row in found["peers"].items():
        differ = ", ".join(f"{kind} {count}" for kind, count in row.get("divergent", {}).items() if count)
        lines.append(f"{escape(peer)}: {escape(row.get('reason') or differ or 'equal')}")
        if row.get("differing"):
            lines.append(rows(row["differing"], ("kind", "key", "here", "there")))
    for kind, count in found.get("records", {}).items():
        wrong = found["wrong_sums"][kind]
        lines.append(f"{kind}: {count} records" + (f", [bold red]{wrong} wrong sums[/]" if wrong else ""))
    return Group(*lines)


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{escape(str(name))} {_cell(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return "\n".join(_cell(item) for item in value)
    return escape(_word(value))


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return "-" if value is None else str(value)
