"""Sans-IO: what the command line shows of the SIP core, as rich tables."""

from collections.abc import Mapping, Sequence

from rich.markup import escape
from rich.table import Column, Table

Json = Mapping[str, object]

_TRAFFIC = {
    "requests": "requests_received",
    "responses": "responses_received",
    "answers sent": "responses_sent",
    "unreadable": "parse_errors",
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
