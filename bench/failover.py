"""IO shell: the takeover of haagent beside keepalived's: same laboratory, probe, phases and run."""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.arena import CONTENDERS, Arena, Round
from bench.contender import Contender, Settings
from haagent.lab.errors import LabError
from haagent.lab.namespaces import become_root, require_nftables
from haagent.lab.outcome import Fault
from haagent.lab.topology import Lan
from haagent.lab.watch import Watch

FAULTS = (Fault.POWER, Fault.LINK, Fault.SWITCHOVER, Fault.CORE, Fault.AGENT, Fault.FREEZE)


def compare(arguments: argparse.Namespace, console: Console) -> list[Round]:
    """Every fault, interval and contender, `rounds` times; the contenders take turns at each interval."""
    results: list[Round] = []
    total = len(arguments.advert) * len(arguments.contender) * len(arguments.fault) * arguments.rounds
    with Progress(console=console) as progress:
        task = progress.add_task("faults", total=total)
        for advert in arguments.advert:
            settings = Settings(advert=advert, fall=arguments.fall, strategy=arguments.strategy)
            for name in arguments.contender:
                for result in _match(CONTENDERS[name], settings, arguments):
                    results.append(result)
                    text = f"{name} {advert:g} s {result.fault}"
                    progress.update(task, description=text, advance=1)
    return results


def _match(
    make: Callable[[Lan, Path, Settings], Contender], settings: Settings, arguments: argparse.Namespace
) -> Iterator[Round]:
    """All faults for one contender at one interval."""
    with tempfile.TemporaryDirectory(prefix="haagent-bench-") as folder, Lan() as lan:
        contender = make(lan, Path(folder), settings)
        with Watch(lan.hosts["client"]) as watch:
            arena = Arena(lan, contender, watch, settings)
            try:
                arena.start()
                for fault in arguments.fault:
                    for index in range(arguments.rounds):
                        yield arena.play(fault, (index + 0.5) / arguments.rounds)
            except LabError:
                _show_logs(Path(folder))
                raise
            finally:
                contender.stop_all()


def _show_logs(folder: Path) -> None:
    """Show the end of what the daemons said: the folder is about to go."""
    for log in sorted(folder.rglob("*.log")):
        sys.stderr.write(
            f"--- {log}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-25:]) + "\n"
        )


def table(results: list[Round]) -> Table:
    """Median and worst by fault and interval, the contenders side by side."""
    out = Table(title="What a client sees of the VIP, ms: median (worst)")
    for column in ("fault", "advert", "agent", "n", "VIP gap", "service gap", "moved after"):
        out.add_column(column)
    out.add_column("owners 100 ms after the move")
    out.add_column("two owners for")
    out.add_column("noise")
    keys = dict.fromkeys((r.fault, r.advert_ms, r.contender) for r in results)
    for key in sorted(keys, key=lambda k: (FAULTS.index(Fault(k[0])), -k[1], k[2])):
        rows = [r for r in results if (r.fault, r.advert_ms, r.contender) == key]
        owners = [r.owners for r in rows]
        out.add_row(
            key[0], f"{key[1]:g}", key[2], str(len(rows)),
            _cell([r.gap_ms for r in rows]), _cell([r.sip_gap_ms for r in rows]),
            _cell([r.switch_ms for r in rows]),
            f"{statistics.median(owners):g} ({max(owners)})", _cell([r.double_ms for r in rows]),
            _cell([r.stall_ms for r in rows]),
        )  # fmt: skip
    return out


def _cell(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    never = len(values) - len(known)
    text = f"{statistics.median(known):.1f} ({max(known):.1f})" if known else ""
    return f"{text} {never} never".strip() if never else text


def plot(results: list[Round], path: Path) -> None:
    """One panel per fault: every round's service gap, logarithmic."""
    from matplotlib import pyplot

    names = list(dict.fromkeys(r.contender for r in results))
    kinds = [fault for fault in FAULTS if any(r.fault == fault for r in results)]
    figure, axes = pyplot.subplots(1, len(kinds), figsize=(3 * len(kinds), 4), sharey=True, squeeze=False)
    adverts = sorted({r.advert_ms for r in results})
    for axis, fault in zip(axes[0], kinds, strict=True):
        for offset, name in enumerate(names):
            rows = [r for r in results if r.fault == fault and r.contender == name and r.sip_gap_ms]
            where = [adverts.index(r.advert_ms) + 0.2 * offset for r in rows]
            axis.plot(where, [r.sip_gap_ms for r in rows], "o", alpha=0.5, label=name)
        axis.set(
            title=str(fault), yscale="log", xticks=range(len(adverts)), xlabel="advertisement interval, ms"
        )
        axis.set_xticklabels([f"{advert:g}" for advert in adverts])
    axes[0][0].set_ylabel("service gap seen by the client, ms")
    axes[0][0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Compare takeovers in the laboratory."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--contender", nargs="+", choices=list(CONTENDERS), default=list(CONTENDERS))
    parser.add_argument("--fault", nargs="+", type=Fault, choices=FAULTS, default=list(FAULTS))
    parser.add_argument("--advert", nargs="+", type=float, default=[1.0, 0.1, 0.01], help="seconds")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--fall", type=int, default=2, help="keepalived's failed checks until it acts")
    parser.add_argument("--strategy", choices=["on-master", "on-both"], default="on-master")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, help="PNG; needs matplotlib")
    arguments = parser.parse_args()
    # A file is as wide as the table needs.
    console = Console(width=None if sys.stdout.isatty() else 160)
    try:
        become_root()
        require_nftables()
        results = compare(arguments, console)
    except LabError as error:
        console.print(f"[red]{error}[/red]")
        sys.exit(2)
    console.print(table(results))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(r) for r in results], indent=1))
    if arguments.plot:
        plot(results, arguments.plot)


if __name__ == "__main__":
    main()
