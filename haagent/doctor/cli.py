"""IO shell: `haagent doctor`."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from haagent.config import AgentConfig, load
from haagent.doctor.judge_host import host_verdicts
from haagent.doctor.judge_lan import lan_verdicts
from haagent.doctor.pair import pair_verdicts
from haagent.doctor.verdict import Level, Verdict, worst
from haagent.errors import ConfigError

WRONG_USAGE = 2
COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}

out = Console(emoji=False)
errors = Console(emoji=False, stderr=True, soft_wrap=True)


def doctor(
    config: Annotated[Path, typer.Argument(help="haagent.toml")] = Path("/etc/haagent/haagent.toml"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0, help="How long to listen; 0: 3.5 intervals, at least 1 s.")
    ] = 0,
    other: Annotated[
        Path | None, typer.Option("--other", help="The other node's haagent.toml, to compare.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 for warnings too.")] = False,
) -> None:
    """Find what on this host or its LAN would stop a takeover; exit 1 if something would. Changes nothing."""
    from haagent.doctor.examine import examine, listen_seconds  # loads pyroute2

    ours = _load(config)
    theirs = _load(other) if other is not None else None
    facts = examine(ours, seconds or listen_seconds(ours))
    verdicts = [*host_verdicts(ours, facts), *lan_verdicts(ours, facts)]
    verdicts += pair_verdicts(ours, theirs) if theirs is not None else ()
    level = worst(verdicts)
    if as_json:
        answer = {"level": level.value, "checks": [verdict.as_json() for verdict in verdicts]}
        print(json.dumps(answer, indent=2))  # noqa: T201 - for other programs
    else:
        out.print(table(verdicts))
    if level is Level.FAIL or (strict and level is Level.WARN):
        raise typer.Exit(1)


def table(verdicts: list[Verdict]) -> Table:
    """What a terminal shows."""
    shown = Table("", "check", "seen, and what to do", show_lines=False)
    for verdict in verdicts:
        level = f"[{COLOURS[verdict.level]}]{verdict.level.value}[/]"
        do = f"\n[dim]→ {escape(verdict.do)}[/]" if verdict.do else ""
        shown.add_row(level, verdict.check, escape(verdict.seen) + do)
    return shown


def _load(path: Path) -> AgentConfig:
    try:
        return load(path.read_text(encoding="utf-8"))
    except (ConfigError, OSError, UnicodeDecodeError) as error:
        errors.print(f"haagent: {escape(f'{path}: {error}')}", highlight=False)
        raise typer.Exit(WRONG_USAGE) from error
