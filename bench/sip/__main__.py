"""IO shell: python -m bench.sip: the SIP core's CPU time per call and per REGISTER beside Kamailio's.

With --limit the exit code is 1 when a call costs more than that many times Kamailio's.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.sip import report
from bench.sip.compare import SERVERS, Comparison, Plan, Sample
from bench.sip.servers import ServerError


def main() -> None:
    """Measure, show, write."""
    arguments = _arguments()
    # A file is as wide as the table needs.
    console = Console(width=None if sys.stdout.isatty() else 150)
    plan = Plan(
        servers=tuple(arguments.server),
        call_rates=tuple(arguments.rate),
        register_rates=tuple(arguments.register_rate),
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        closed=arguments.closed,
        outstanding=arguments.outstanding,
        users=arguments.users,
        replication=arguments.replication,
    )
    try:
        samples = _measure(plan, console, arguments.json)
    except ServerError as error:
        console.print(str(error), style="red", markup=False)
        sys.exit(2)
    if arguments.plot:
        report.plot(samples, arguments.plot)
    slow = [ratio for key, ratio in report.ratios(samples, "sipcore").items() if key[0] == "call"]
    if arguments.limit and any(ratio > arguments.limit for ratio in slow):
        console.print(
            f"[red]a call costs {max(slow):.2f} times Kamailio's, more than {arguments.limit:g}[/red]"
        )
        sys.exit(1)


def _measure(plan: Plan, console: Console, json: Path | None) -> list[Sample]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting", total=None)
        with Comparison(plan, lambda text: progress.update(task, description=text)) as comparison:
            progress.update(task, total=comparison.steps)
            samples: list[Sample] = []
            for sample in comparison.samples():
                samples.append(sample)
                progress.advance(task)
    console.print(report.table(samples))
    if plan.replication:
        console.print(report.replication(samples))
    console.print(report.weights(comparison.weights))
    for note in (*report.notes(), *comparison.notes):
        console.print(f"- {note}", style="dim", markup=False)
    if json:
        report.write_json(samples, comparison.weights, json)
    return samples


def _arguments() -> argparse.Namespace:
    plan = Plan()
    parser = argparse.ArgumentParser(prog="python -m bench.sip", description=__doc__)
    parser.add_argument("--server", nargs="+", choices=SERVERS, default=list(SERVERS))
    parser.add_argument(
        "--rate", nargs="*", type=float, default=plan.call_rates, help="calls/s; 0: closed loop"
    )
    parser.add_argument("--register-rate", nargs="*", type=float, default=plan.register_rates)
    parser.add_argument("--rounds", type=int, default=plan.rounds)
    parser.add_argument("--seconds", type=float, default=plan.seconds, help="of a round at a rate")
    parser.add_argument("--closed", type=int, default=plan.closed, help="calls of a round in closed loop")
    parser.add_argument("--outstanding", type=int, default=plan.outstanding, help="at a time in closed loop")
    parser.add_argument("--users", type=int, default=plan.users)
    parser.add_argument(
        "--replication", action="store_true", help="each server with a standby as well: Kamailio by DMQ"
    )
    parser.add_argument("--limit", type=float, help="times Kamailio's CPU per call that are too much")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, help="PNG; needs matplotlib")
    return parser.parse_args()


if __name__ == "__main__":
    main()
