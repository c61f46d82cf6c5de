"""Sans-IO: what the command line shows of the SIP core, as rich tables."""

from collections.abc import Mapping, Sequence

from rich.markup import escape
from rich.table import Column, Table

Json = Mapping[str, object]

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
    table.add_row("process", f"{state['pid']}, up {state['uptime']} s, message form: {state['form']}")
    counters = state["counters"]
    if isinstance(counters, dict):
        table.add_row(
            "counters", "\n".join(f"{name.replace('_', ' ')} {n}" for name, n in counters.items() if n)
        )
    return table


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
