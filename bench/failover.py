"""IO shell: the takeover of haagent beside keepalived's: same laboratory, probe, phases and run."""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.contender import Contender, Settings
from bench.keepalived import Keepalived
from bench.ours import Ours
from bench.sniff import Adverts
from haagent.lab import faults
from haagent.lab.errors import LabError
from haagent.lab.namespaces import become_root, require_nftables
from haagent.lab.outcome import Fault
from haagent.lab.sight import Sight, Sort
from haagent.lab.topology import NODES, Lan
from haagent.lab.watch import Watch, wait_until

CONTENDERS: dict[str, Callable[[Lan, Path, Settings], Contender]] = {
    "keepalived": Keepalived,
    "haagent": Ours,
}
FAULTS = (Fault.POWER, Fault.LINK, Fault.SWITCHOVER, Fault.CORE, Fault.AGENT, Fault.FREEZE)


@dataclass(slots=True)
class Round:
    """What one fault did. Times in milliseconds; None: it did not come back while we looked."""

    contender: str
    fault: str
    advert_ms: float
    phase: float
    gap_ms: float | None
    sip_gap_ms: float | None
    switch_ms: float | None
    owners: int
    double_ms: float
    stall_ms: float
    """For how long the probe itself was kept from looking: the machine's noise, in every other figure."""


class Arena:
    """One contender in one laboratory at one advertisement interval."""

    def __init__(self, lan: Lan, contender: Contender, watch: Watch, settings: Settings) -> None:
        self._lan, self._contender, self._watch, self._settings = lan, contender, watch, settings
        self._master = "a"

    def start(self) -> None:
        """Start the pair, a first."""
        since = time.monotonic()
        for node in NODES:
            self._contender.start(node)
            self._await_ready(node)
        self._watch.wait_answer(Sort.SIP, after=since, timeout=10 + 4 * self._settings.advert)

    def play(self, fault: Fault, phase: float) -> Round:
        """Let a fault strike the master at a phase of its advertisements; look; mend."""
        advert, old = self._settings.advert, self._find_master()
        with Adverts(self._lan, old) as adverts:
            seen = adverts.wait(2 + 4 * advert)
            time.sleep(max(0.0, seen + phase * advert - time.monotonic()))
            at = self._strike(fault, old)
        new = "b" if old == "a" else "a"
        sight = self._watch.sight
        # A crashed service is noticed by a check of up to 1 s, and is told after `fall` of them.
        patience = 2 + 5 * advert + (self._settings.fall + 1 if fault is Fault.CORE else 0)
        wait_until(lambda: new in sight.who(Sort.ARP, at, at + patience), patience)
        switched = sight.moved(at, old)
        end = max(at, switched or at) + 0.5
        time.sleep(max(0.0, end + 0.05 - time.monotonic()))
        result = self._judge(fault, phase, at, end, old)
        self._mend(old)
        return result

    def _strike(self, fault: Fault, node: str) -> float:
        contender = self._contender
        if fault is Fault.POWER:
            return faults.power(self._lan, node)
        if fault is Fault.LINK:
            return faults.link(self._lan, node)
        if fault is Fault.SWITCHOVER:
            at = time.monotonic()
            contender.switchover(node)
            return at
        if fault is Fault.CORE:
            at = faults.kill(contender.core(node))
            contender.reap(node)
            return at
        pids = contender.agent(node)
        return faults.kill(pids) if fault is Fault.AGENT else faults.freeze(pids)

    def _judge(self, fault: Fault, phase: float, at: float, end: float, old: str) -> Round:
        sight = self._watch.sight
        switched = sight.moved(at, old)
        later = (switched or at) + 0.1
        return Round(
            contender=self._contender.name,
            fault=fault,
            advert_ms=self._settings.advert * 1e3,
            phase=phase,
            gap_ms=_ms(sight.gap(Sort.ICMP, at, end).length),
            sip_gap_ms=_ms(sight.gap(Sort.SIP, at, end).length),
            switch_ms=_ms(None if switched is None else switched - at),
            owners=len(sight.who(Sort.ARP, later, later + 0.1)),
            double_ms=_double(sight, switched, old, end) * 1e3,
            stall_ms=sight.stalled(at, end) * 1e3,
        )

    def _mend(self, node: str) -> None:
        self._contender.stop(node)
        self._lan.reboot(node)
        self._contender.start(node)
        self._await_ready(node)

    def _await_ready(self, node: str) -> None:
        if not wait_until(lambda: self._contender.ready(node), 10 + 5 * self._settings.advert):
            raise LabError(f"{self._contender.name} on node {node} is not ready after 10 s")

    def _find_master(self) -> str:
        now = time.monotonic()
        self._watch.wait_answer(Sort.ARP, after=now)
        return self._watch.sight.owners[Sort.ARP][-1]


def _double(sight: Sight, switched: float | None, old: str, end: float) -> float:
    """For how long both nodes answered, in seconds."""
    if switched is None:
        return 0.0
    pairs = zip(sight.times[Sort.ARP], sight.owners[Sort.ARP], strict=False)
    late = [t for t, owner in pairs if owner == old and switched < t <= end]
    return late[-1] - switched if late else 0.0


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 2)


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
