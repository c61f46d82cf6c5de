"""IO shell: docs/performance.md and its picture, written from what bench.figures measured.

python -m bench.figures.report build/figures/figures.json docs/performance.md
"""

import json
import sys
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.figures.targets import TARGETS, Samples, Target, met, p99, summarize

NAMES = {"haagent": "haagent", "keepalived": "keepalived 2.2.7"}
COLOURS = {"haagent": "#3566a8", "keepalived": "#c9772b"}
PICTURE = "performance.png"
SETTING = """Both agents in the same laboratory and run, with real-time priority 50, locked memory and the
priorities 254 and 253, so that the RFC's skew is 1 % of an interval; the faults strike at phases spread over
the advertisement interval. Median (worst). A gap is the longest hole between answers that a client sees that
asks every millisecond."""
NOTES = """
How to read them:

- "met": the median keeps the target, and the worst round does, too; "met, worst not": the median does. Counts
  (owners, lost probes, takeovers) must be kept by every round.
- A planned switchover of keepalived is the end of its daemon: it has no command for it.
- keepalived's service crash is a `track_script` every second, the shortest that 2.2.7 takes, with `fall 2`.
- keepalived's frozen or killed node goes on answering: no gap, two owners.
- False takeovers: {soak_seconds:g} s, both pairs at the same time under the same eight busy loops.
- The hellos are an option of ours (`peer.hello`); keepalived has none.
"""
Result = dict[str, Any]


def table(result: Result) -> Table:
    """For the terminal."""
    out = Table("figure", "target", *NAMES.values(), "")
    for target in TARGETS:
        if samples := result["samples"].get(target.key):
            out.add_row(target.title, _limit(target), *_cells(target, samples), _verdict(target, samples))
    return out


def page(result: Result, picture: str) -> str:
    """The page in Markdown."""
    about = result["about"]
    where = f"Linux {about['kernel']}, {about['cpus']} cores, Python {about['python']}"
    lines = [
        "# Failover figures\n\nWritten by a program from what it measured; nothing here is typed by hand:\n",
        f"    {about['command']}",
        "    python -m bench.figures.report build/figures/figures.json docs/performance.md\n",
        f"{about['date']}, {where}, load {about['load']} at the start; {about['rounds']} rounds each.",
        f"{SETTING}\n",
        f"| figure | target | {' | '.join(NAMES.values())} | |",
        f"|---|---|{'---|' * len(NAMES)}---|",
    ]
    for target in TARGETS:
        samples = result["samples"].get(target.key, {})
        cells = [target.title, _limit(target), *_cells(target, samples), _verdict(target, samples)]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", f"![Every round of every figure in milliseconds]({picture})", ""]
    return "\n".join(lines) + NOTES.format(**about)


def draw(result: Result, path: Path) -> None:
    """One strip per figure in milliseconds; the line is the target."""
    from matplotlib import pyplot

    shown = [t for t in TARGETS if t.unit == "ms" and result["samples"].get(t.key)]
    figure, axis = pyplot.subplots(figsize=(9, 0.8 + 0.5 * len(shown)))
    for row, target in enumerate(reversed(shown)):
        for offset, name in ((0.15, "haagent"), (-0.15, "keepalived")):
            values = [v for v in result["samples"][target.key].get(name, []) if v is not None]
            known = [max(value, 0.1) for value in values]
            label = NAMES[name] if row == len(shown) - 1 else None
            axis.plot(
                known,
                [row + offset] * len(known),
                "o",
                markersize=4,
                alpha=0.5,
                color=COLOURS[name],
                label=label,
            )
        if target.limit is not None:
            axis.plot([target.limit] * 2, [row - 0.35, row + 0.35], color="black", linewidth=1.5)
    axis.set_yticks(range(len(shown)), [target.title for target in reversed(shown)], fontsize=8)
    axis.set(xscale="log", xlabel="ms (0.1: none); the black line is the target")
    axis.grid(visible=True, axis="x", alpha=0.3)
    axis.legend(loc="lower right", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _cells(target: Target, samples: dict[str, Samples]) -> list[str]:
    return [_cell(target, samples.get(name, [])) for name in NAMES]


def _cell(target: Target, samples: Samples) -> str:
    verdict = summarize(samples)
    if not verdict.count:
        return "-" if target.ours_only else ""
    if verdict.median is None or verdict.worst is None:
        return f"never in {verdict.never}"
    if verdict.count == 1:
        return f"{verdict.median:g}"
    never = f", {verdict.never} never" if verdict.never else ""
    if target.most:
        most = p99([value for value in samples if value is not None])
        return f"{_short(most)} ({_short(verdict.worst)}) of {verdict.count}"
    if target.key == "heal_dead":
        return f"{sum(v or 0 for v in samples):g} of {verdict.count}"
    return f"{_short(verdict.median)} ({_short(verdict.worst)}){never}"


def _short(value: float) -> str:
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def _verdict(target: Target, samples: dict[str, Samples]) -> str:
    return met(target, samples.get("haagent", []))


def _limit(target: Target) -> str:
    return "" if target.limit is None else f"at most {target.limit:g} {target.unit}".strip()


def main() -> None:
    """Write the page and its picture (into img/ beside it)."""
    result: Result = json.loads(Path(sys.argv[1]).read_text())
    target = Path(sys.argv[2])
    (target.parent / "img").mkdir(exist_ok=True)
    draw(result, target.parent / "img" / PICTURE)
    target.write_text(page(result, f"img/{PICTURE}"))


if __name__ == "__main__":
    main()
