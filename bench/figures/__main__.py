"""IO shell: `python -m bench.figures`: measures the figures of a failover beside keepalived's.

python -m bench.figures --rounds 20 --soak 300
python -m bench.figures --only soak --soak 600
python -m bench.figures.report build/figures/figures.json docs/performance.md
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bench.arena import CONTENDERS
from bench.figures.report import table
from bench.figures.rounds import SESSIONS, play
from bench.figures.soak import routers, soak
from haagent.lab.errors import LabError
from haagent.lab.namespaces import become_root, require_nftables

KEYS = (*(key for session in SESSIONS for key in session.keys), "routers", "soak")
ROUTERS_SECONDS = 15.0
Result = dict[str, Any]


def main() -> None:
    """Measure; write the JSON even when a part fails."""
    arguments = _arguments()
    console = Console(width=None if sys.stdout.isatty() else 160, emoji=False)
    result: Result = {"about": _about(arguments), "samples": {}, "broken": []}
    old = arguments.output / "figures.json"
    if arguments.merge and old.exists():
        result["samples"] = json.loads(old.read_text())["samples"]
    try:
        become_root()
        require_nftables()
    except LabError as error:
        console.print(f"[red]{escape(str(error))}[/red]")
        sys.exit(2)
    columns = TextColumn("{task.description:40}"), BarColumn(), TimeElapsedColumn()
    try:
        with Progress(*columns, console=console) as progress:
            _measure(arguments, result, progress)
    finally:
        arguments.output.mkdir(parents=True, exist_ok=True)
        old.write_text(json.dumps(result, indent=1) + "\n")
    console.print(table(result))
    for text in result["broken"]:
        console.print(f"[red]{escape(text)}[/red]")
    sys.exit(1 if result["broken"] else 0)


def _measure(arguments: argparse.Namespace, result: Result, progress: Progress) -> None:
    fresh: set[str] = set()

    def take(figure: str, name: str, value: float | None) -> None:
        if f"{figure} {name}" not in fresh:  # a merge replaces what is measured again
            fresh.add(f"{figure} {name}")
            result["samples"].setdefault(figure, {})[name] = []
        result["samples"][figure][name].append(value)

    steps = [(session, name) for session in SESSIONS for name in arguments.contender]
    task = progress.add_task("figures", total=_total(arguments))
    for session, name in steps:
        keys = tuple(key for key in session.keys if key in arguments.only)
        if not keys or (session.hello and name != "haagent"):
            continue
        try:
            for samples in play(session, name, keys, arguments.rounds):
                for figure, value in samples:
                    take(figure, name, value)
                progress.update(task, advance=1, description=f"{name}: {samples[0][0]}")
        except LabError as error:
            result["broken"].append(f"{name} {', '.join(keys)}: {str(error)[-800:]}")
    for figure, name, value in _long(arguments, result, lambda: progress.update(task, advance=1)):
        take(figure, name, value)


def _long(arguments: argparse.Namespace, result: Result, tick: Any) -> Iterator[tuple[str, str, float]]:
    """Under busy loops, and with a hundred virtual routers; steps of a second."""
    for key, measure, seconds in (("routers", routers, ROUTERS_SECONDS), ("soak", soak, arguments.soak)):
        if key in arguments.only:
            try:
                yield from measure(arguments.contender, seconds, tick)
            except LabError as error:
                result["broken"].append(f"{key}: {str(error)[-800:]}")


def _total(arguments: argparse.Namespace) -> float:
    """Rounds, and seconds of what lasts."""
    count = 0.0
    for session in SESSIONS:
        names = 1 if session.hello else len(arguments.contender)
        count += names * arguments.rounds * sum(key in arguments.only for key in session.keys)
    count += arguments.soak * ("soak" in arguments.only)
    count += ROUTERS_SECONDS * len(arguments.contender) * ("routers" in arguments.only)
    return float(count)


def _about(arguments: argparse.Namespace) -> Result:
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "kernel": platform.release(), "python": platform.python_version(), "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2), "rounds": arguments.rounds, "soak_seconds": arguments.soak,
        "command": "python -m bench.figures " + " ".join(sys.argv[1:]),
    }  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--soak", type=float, default=300, help="seconds under busy loops")
    parser.add_argument("--only", nargs="+", choices=KEYS, default=list(KEYS))
    parser.add_argument("--contender", nargs="+", choices=list(CONTENDERS), default=list(CONTENDERS))
    parser.add_argument("--output", type=Path, default=Path("build/figures"), help="folder of figures.json")
    parser.add_argument("--merge", action="store_true", help="keep what an earlier run measured besides")
    return parser.parse_args()


if __name__ == "__main__":
    main()
