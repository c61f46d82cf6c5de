"""IO shell: the figures of the comparison as a table, as JSON, as a picture."""

import json
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from bench.sip.compare import Sample, Weight

BASELINE = "kamailio"
Key = tuple[str, float]

FAIRNESS = (
    "Kamailio: fast allocators (-x fm -X fm), one UDP worker; tm, rr, dialog, usrloc, registrar in memory;"
    " no sanity module, no log.",
    "sipcore: its defaults, alone (no standby, but in sipcore-standby: semi_sync as by default), one process,"
    " {python}.",
    "REGISTER without digest: Kamailio's config and a routing script of ours, each without authentication.",
    "kamailio-dmq: dmq with one worker, dmq_usrloc, dialog with enable_dmq; standbys run on the generator's"
    " core, and their CPU is not counted.",
    "CPU is user and system time of all processes of the server, by the scheduler's count, with idle work.",
    "Server and generator have a core each; compare at equal rates, as one wake-up serves many messages"
    " when there is more to do.",
)


def table(samples: Sequence[Sample]) -> Table:
    """Median and spread by scenario and rate, one row per server."""
    out = Table(title="CPU of the server per call or REGISTER, in microseconds", title_justify="left")
    for column in ("scenario", "rate", "server", "median", "min..max", "user/sys", "x kamailio", "done/s"):
        out.add_column(column, justify="left" if column in ("scenario", "server") else "right")
    for column in ("server busy", "generator busy", "failed"):
        out.add_column(column, justify="right")
    for key in dict.fromkeys((s.scenario, s.rate) for s in samples):
        base = _median(samples, key, BASELINE)
        for name in dict.fromkeys(s.server for s in samples):
            if rows := _rows(samples, key, name):
                out.add_row(*_cells(rows, base))
        out.add_section()
    return out


def replication(samples: Sequence[Sample]) -> Table:
    """What a standby costs the master, from the same run."""
    out = Table(title="CPU of the master that its standby costs, in microseconds", title_justify="left")
    for column in ("scenario", "rate", "server", "alone", "with standby", "more"):
        out.add_column(column, justify="left" if column in ("scenario", "server") else "right")
    for key in dict.fromkeys((s.scenario, s.rate) for s in samples):
        for name, pair in (("kamailio", "kamailio-dmq"), ("sipcore", "sipcore-standby")):
            alone, both = _median(samples, key, name), _median(samples, key, pair)
            if alone and both:
                rate = f"{key[1]:g}/s" if key[1] else "closed"
                out.add_row(key[0], rate, name, f"{alone:.1f}", f"{both:.1f}", f"{both - alone:+.1f}")
    return out


def weights(found: Sequence[Weight]) -> Table:
    """Memory per contact."""
    out = Table(title="Memory per contact", title_justify="left")
    out.add_column("server")
    out.add_column("bytes", justify="right")
    for weight in found:
        out.add_row(weight.server, f"{weight.bytes_per_contact:.0f}")
    return out


def notes() -> list[str]:
    """What one should know before quoting a figure."""
    python = f"Python {platform.python_version()} ({sys.executable})"
    return [line.format(python=python) for line in FAIRNESS]


def ratios(samples: Sequence[Sample], name: str) -> dict[Key, float]:
    """How many times the baseline's CPU this server takes, by scenario and rate."""
    found: dict[Key, float] = {}
    for key in dict.fromkeys((s.scenario, s.rate) for s in samples):
        own, base = _median(samples, key, name), _median(samples, key, BASELINE)
        if own and base:
            found[key] = own / base
    return found


def write_json(samples: Sequence[Sample], found: Sequence[Weight], path: Path) -> None:
    """All samples, for other programs."""
    answer = {
        "host": {"machine": platform.machine(), "kernel": platform.release(), "notes": notes()},
        "samples": [asdict(sample) for sample in samples],
        "memory": [asdict(weight) for weight in found],
    }
    path.write_text(json.dumps(answer, indent=1) + "\n")


def plot(samples: Sequence[Sample], path: Path) -> None:
    """One panel per scenario; each round a dot, each median a bar."""
    from matplotlib import pyplot

    scenarios = list(dict.fromkeys(s.scenario for s in samples))
    names = list(dict.fromkeys(s.server for s in samples))
    figure, axes = pyplot.subplots(1, len(scenarios), figsize=(5 * len(scenarios), 4), squeeze=False)
    for axis, scenario in zip(axes[0], scenarios, strict=True):
        rates = list(dict.fromkeys(s.rate for s in samples if s.scenario == scenario))
        width = 0.8 / len(names)
        for index, name in enumerate(names):
            where = [at + (index - (len(names) - 1) / 2) * width for at in range(len(rates))]
            rows = [_rows(samples, (scenario, rate), name) for rate in rates]
            heights = [statistics.median(s.cpu_us for s in group) if group else 0.0 for group in rows]
            axis.bar(where, heights, width, label=name, alpha=0.6)
            for at, group in zip(where, rows, strict=True):
                axis.plot([at] * len(group), [s.cpu_us for s in group], "k.", markersize=3)
        axis.set(title=scenario, xticks=range(len(rates)), xlabel="per second", ylim=(0, None))
        axis.set_xticklabels([f"{rate:g}" if rate else "closed\nloop" for rate in rates])
    axes[0][0].set_ylabel("server CPU, microseconds each")
    axes[0][0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def _cells(rows: Sequence[Sample], base: float | None) -> list[str]:
    costs = [s.cpu_us for s in rows]
    first, middle = rows[0], statistics.median(costs)
    ratio = "" if base is None else f"{middle / base:.2f}"
    return [
        first.scenario,
        f"{first.rate:g}/s" if first.rate else "closed",
        first.server,
        f"{middle:.1f}",
        f"{min(costs):.1f}..{max(costs):.1f}",
        f"{statistics.median(s.user_us for s in rows):.0f}/"
        f"{statistics.median(s.system_us for s in rows):.0f}",
        ratio,
        f"{statistics.median(s.per_second for s in rows):.0f}",
        f"{statistics.median(s.server_busy for s in rows):.0%}",
        f"{statistics.median(s.generator_busy for s in rows):.0%}",
        str(sum(s.failed + sum(s.wrong.values()) for s in rows)),
    ]


def _rows(samples: Sequence[Sample], key: Key, name: str) -> list[Sample]:
    return [s for s in samples if (s.scenario, s.rate) == key and s.server == name]


def _median(samples: Sequence[Sample], key: Key, name: str) -> float | None:
    rows = _rows(samples, key, name)
    return statistics.median(s.cpu_us for s in rows) if rows else None
