"""IO shell: `python -m bench.faults`: injects the fault list and judges. Exit code 1: an invariant failed."""

import argparse
import ctypes
import json
import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.contender import Settings
from bench.faults.campaign import Campaign, Trial, as_json
from bench.faults.catalogue import ELSEWHERE, FAULTS, Fault
from bench.keepalived import KEEPALIVED
from haagent.lab import kernel
from haagent.lab.demo import accounts, keep_logs
from haagent.lab.errors import LabError
from haagent.lab.namespaces import become_root, require_nftables

USERS = 20
CLONE_NEWNS = 0x00020000
MS_REC, MS_PRIVATE = 0x4000, 1 << 18


def main() -> None:
    """Play the fault list on our pair and, where it can, on keepalived's."""
    arguments = _arguments()
    console = Console(width=None if sys.stdout.isatty() else 160, emoji=False)
    try:
        become_root()
        require_nftables()
        _own_mounts()
        trials = run(arguments, console)
    except LabError as error:
        console.print(f"[red]{escape(str(error))}[/red]")
        sys.exit(2)
    rows = [as_json(trial) for trial in trials]
    arguments.output.mkdir(parents=True, exist_ok=True)
    result = {"advert": arguments.advert, "hello": arguments.hello, "strategy": arguments.strategy,
              "trials": rows, "elsewhere": ELSEWHERE}  # fmt: skip
    (arguments.output / "faults.json").write_text(json.dumps(result, indent=1) + "\n")
    if arguments.plots:
        from bench.faults.report import write

        write(result, arguments.output)
        console.print(f"report: {arguments.output / 'faults.md'}")
    judged = [trial for trial in trials if trial.contender == "haagent" or arguments.strict]
    bad = sum(not trial.held for trial in judged)
    console.print(f"[bold]{len(judged) - bad} faults survived, {bad} not.[/bold]")
    sys.exit(1 if bad else 0)


def run(arguments: argparse.Namespace, console: Console) -> list[Trial]:
    """All that was asked for, contender by contender."""
    chosen = [fault for fault in FAULTS if _is_wanted(fault, arguments)]
    plan = {name: [f for f in chosen if name == "haagent" or f.control] for name in arguments.contender}
    settings = Settings(
        advert=arguments.advert, fall=2, strategy=arguments.strategy, hello=arguments.hello,
        users=accounts(USERS), allow_peer_only=True,
    )  # fmt: skip
    trials: list[Trial] = []
    columns = TextColumn("{task.description:40}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    folder = tempfile.TemporaryDirectory(prefix="haagent-faults-")
    with folder as base, Progress(*columns, console=console) as bar:
        task = bar.add_task("faults", total=sum(map(len, plan.values())))
        for name, faults in plan.items():
            for trial in Campaign(name, Path(base), settings).play(faults):
                trials.append(trial)
                bar.update(task, advance=1, description=f"{name}: {trial.fault.name}")
                _tell(trial, console)
        keep_logs(Path(base), arguments.logs)
    return trials


def _tell(trial: Trial, console: Console) -> None:
    verdict = "[green]held[/green]" if trial.held else "[red]FAILED[/red]"
    console.print(
        f"{trial.contender:10} {trial.fault.id} {trial.fault.name:22} {verdict} {trial.seconds:.1f} s"
    )
    if trial.broken:
        console.print(f"    [red]{escape(trial.broken)}[/red]", highlight=False)
    for finding in trial.findings:
        if not finding.held:
            console.print(
                f"    [red]not: {escape(finding.says)}: {escape(finding.seen)}[/red]", highlight=False
            )


def _is_wanted(fault: Fault, arguments: argparse.Namespace) -> bool:
    if arguments.fault:
        return fault.name in arguments.fault or fault.id in arguments.fault
    return fault.quick or not arguments.quick


def _arguments() -> argparse.Namespace:
    names = [fault.name for fault in FAULTS] + [fault.id for fault in FAULTS]
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--fault", nargs="+", choices=names, metavar="FAULT", help=f"of: {', '.join(names)}")
    contenders = ["haagent", "keepalived"] if os.access(KEEPALIVED, os.X_OK) else ["haagent"]
    parser.add_argument("--contender", nargs="+", choices=["haagent", "keepalived"], default=contenders)
    parser.add_argument("--quick", action="store_true", help="the short list")
    parser.add_argument("--advert", type=float, default=0.1, help="seconds")
    parser.add_argument("--hello", type=float, default=0.0, help="seconds; 0: no fast hello")
    parser.add_argument("--strategy", choices=["on-master", "on-both"], default="on-master")
    parser.add_argument("--output", type=Path, default=Path("build/faults"), help="folder of the report")
    parser.add_argument(
        "--no-plots", dest="plots", action="store_false", help="JSON alone; no matplotlib needed"
    )
    parser.add_argument("--strict", action="store_true", help="exit code 1 also for a control that fails")
    parser.add_argument("--logs", type=Path, help="copy logs and configs to this folder")
    return parser.parse_args()


def _own_mounts() -> None:
    """A mount namespace of our own: what is mounted here is gone when we are."""
    kernel.unshare(CLONE_NEWNS)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        raise LabError(f"mounts cannot be made private: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    main()
