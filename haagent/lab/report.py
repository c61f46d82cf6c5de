"""Sans-IO: what the laboratory shows at the end: timeline and tables."""

from collections.abc import Mapping, Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from haagent.lab.outcome import Outcome
from haagent.lab.plan import Line
from haagent.lab.tally import Tally, at_most, spread

MOST_FINDINGS = 20
ROWS = (
    ("power", "power", ""),
    ("role", "agent", "role"),
    ("epoch", "agent", "epoch"),
    ("because", "agent", "reason"),
    ("guard", "agent", "guard_pid"),
    ("control", "agent", "pid"),
    ("SIP core", "core", "pid"),
    ("SIP core's role", "core", "role"),
    ("in sync", "core", "synced"),
    ("contacts", "core", "contacts"),
    ("dialogs", "core", "dialogs"),
)


def demo(outcome: Outcome) -> Group:
    """The end of `haagent lab demo`."""
    good = outcome.is_good
    verdict = "Nothing was lost." if good else "Something was lost."
    text = Text(f"{verdict} ({outcome.seconds:g} s)", style="bold green" if good else "bold red")
    return Group(_timeline(outcome), _figures(outcome), text)


def campaign(tally: Tally) -> Group:
    """The end of `haagent lab campaign`."""
    bad_ones = tally.bad()
    parts: list[Table | Text] = [_calls(tally), _faults(tally)]
    parts += (Text(text, "red") for text in bad_ones[:MOST_FINDINGS])
    if len(bad_ones) > MOST_FINDINGS:
        parts.append(Text(f"and {len(bad_ones) - MOST_FINDINGS} more, in the report", "red"))
    style = "bold red" if bad_ones else "bold green"
    return Group(*parts, Text("Something was lost." if bad_ones else "Nothing was lost.", style=style))


def upgrade(steps: Sequence[Line], users: Line, bad: Sequence[str]) -> Group:
    """The end of `haagent lab upgrade`."""
    table = Table(title="A live pair, upgraded", title_justify="left")
    for name in ("step", "took", "wire", "calls up", "unknown", "VIP gap", "SIP gap"):
        table.add_column(name)
    for step in steps:
        unknown = step.get("unknown_calls", [])
        assert isinstance(unknown, list)
        shown = [_ms(step["icmp_gap_ms"]), _ms(step["sip_gap_ms"])]
        known = (str(step["wire"]), str(step.get("calls_up", "-")), _alarm(len(unknown)))
        table.add_row(str(step["step"]), f"{step['seconds']} s", *known, *shown)
    lost = users["lost"]
    assert isinstance(lost, dict)
    counts = f"{users['calls']} calls, {len(lost)} lost; {users['registers']} registrations"
    verdict = "Something was lost." if bad else "Nothing was lost."
    findings = [Text(text, "red") for text in bad[:MOST_FINDINGS]]
    return Group(table, Text(counts), *findings, Text(verdict, style="bold red" if bad else "bold green"))


def _ms(value: object) -> str:
    return _gap(value if isinstance(value, float) else None)


def _calls(tally: Tally) -> Table:
    calls = Table(title=f"{tally.count} faults", title_justify="left")
    for name in (
        "strategy",
        "phones",
        "calls",
        "lost",
        "rang twice",
        "records",
        "bad records",
        "in both files",
    ):
        calls.add_column(name)
    for key, group in tally.groups.items():
        bad = _alarm(len(group.records_bad))
        counts = (
            str(group.calls),
            _alarm(len(group.lost)),
            _alarm(group.duplicates),
            str(group.records),
            bad,
        )
        calls.add_row(*key, *counts, str(group.records_repeated))
    return calls


def _faults(tally: Tally) -> Table:
    faults = Table(title="Gaps in ms: median / p95 / worst", title_justify="left")
    for name in ("fault", "rounds", "calls asked for", "unknown", "at most, 95 %", "wrong registrations"):
        faults.add_column(name)
    faults.add_column("VIP gap")
    faults.add_column("SIP gap")
    for fault, found in sorted(tally.by_fault().items()):
        unknown = len(found.unknown_calls)
        faults.add_row(
            fault, str(found.rounds), str(found.calls_up), _alarm(unknown), at_most(unknown, found.calls_up),
            _alarm(len(found.wrong_registrations)), spread(found.icmp_gaps_ms), spread(found.sip_gaps_ms),
        )  # fmt: skip
    return faults


def _timeline(outcome: Outcome) -> Table:
    table = Table("ms", "who", "what", title="What happened", title_justify="left")
    table.columns[0].justify = "right"
    for at, source, text in outcome.timeline:
        table.add_row(f"{at:+.1f}", source, text)
    return table


def _figures(outcome: Outcome) -> Table:
    options = outcome.options
    every = f"advertisements every {options.advert * 1e3:g} ms"
    title = f"{options.fault} fault at {outcome.old}, {options.strategy}, {every}"
    table = Table("what", "value", title=title, title_justify="left", min_width=len(title))
    table.add_row("VIP gap seen by the client (ICMP)", _gap(outcome.icmp_gap_ms))
    table.add_row("SIP gap seen by the client (OPTIONS)", _gap(outcome.sip_gap_ms))
    table.add_row("nodes that own the VIP afterwards", ", ".join(outcome.owners) or "[red]none[/]")
    table.add_row("registrations before, after", _both(outcome.registrations))
    table.add_row("calls before, after", _both(outcome.calls))
    for method, counts in outcome.answers.items():
        shown = ", ".join(f"{count} x {status}" for status, count in sorted(counts.items())) or "none"
        table.add_row(f"{method} after the fault", shown)
    table.add_row("OPTIONS answered, asked", _both(outcome.options_answered))
    table.add_row("calls placed", str(outcome.placed))
    table.add_row("calls lost", _alarm(len(outcome.lost)))
    for name, missing in list(outcome.lost.items())[:10]:
        table.add_row(f"  {name}", f"[red]no {', no '.join(missing)}[/]")
    table.add_row("registrations lost", _alarm(len(outcome.lost_registrations)))
    table.add_row("duplicate INVITEs", _alarm(outcome.duplicates))
    return table


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)


def _gap(value: float | None) -> str:
    return "[red]never came back[/]" if value is None else f"{value:.1f} ms"


def _both(pair: tuple[int, int]) -> str:
    text = f"{pair[0]}, {pair[1]}"
    return text if pair[0] == pair[1] else f"[red]{text}[/]"


def _alarm(count: int) -> str:
    return f"[red]{count}[/]" if count else "0"


def laboratory(title: str, nodes: Mapping[str, Mapping[str, object]]) -> Table:
    """The table of `haagent lab status`; of each node: its power, its agent's and its core's status."""
    table = Table("", *(f"node {name}" for name in nodes), title=title, title_justify="left")
    for label, part, key in ROWS:
        table.add_row(label, *(_word(_pick(node[part], key)) for node in nodes.values()))
    return table


def _pick(part: object, key: str) -> object:
    if not key:
        return part
    return part.get(key) if isinstance(part, dict) else None
