"""IO shell: the report of the fault list: a page in Markdown, one picture per fault.

Written again without a laboratory: python -m bench.faults.report build/faults/faults.json
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matplotlib import pyplot
from matplotlib.axes import Axes

LANES = {"a": 2, "b": 1, "client": 0}
COLOURS = {"a": "#3566a8", "b": "#c9772b", "client": "#4b9950"}
HOW = """A probe on the client asks for the virtual IP all the time (ICMP every ms, ARP every 10 ms); 20
phones call each other meanwhile. keepalived 2.2.7, with an echo service, is struck by the same faults where
it can be, and judged by the same functions without those about calls. In the pictures the solid line is the
fault, the dotted one its end; M, B and F are the roles that the agents gave themselves."""
Row = dict[str, Any]


def write(result: dict[str, Any], folder: Path) -> None:
    """faults.md and faults-NAME.png in the folder."""
    rows: list[Row] = result["trials"]
    parts = [_head(result, rows), _summary(rows)]
    for name in dict.fromkeys(row["fault"] for row in rows):
        same = [row for row in rows if row["fault"] == name]
        drawn = [row for row in same if "owned" in row]
        picture = f"faults-{name}.png"
        if drawn:
            draw(drawn, folder / picture)
        parts.append(_section(same, picture if drawn else None))
    parts.append(_elsewhere(result["elsewhere"]))
    (folder / "faults.md").write_text("\n\n".join(parts) + "\n")


def draw(rows: list[Row], path: Path) -> None:
    """Who answered for the virtual IP when, what the agents said of themselves, and the client's side."""
    figure, axes = pyplot.subplots(
        len(rows), 1, figsize=(9, 1.1 + 1.3 * len(rows)), sharex=True, squeeze=False
    )
    for axis, row in zip(axes[:, 0], rows, strict=True):
        _lanes(axis, row)
    axes[-1][0].set_xlabel("seconds after the fault")
    figure.suptitle(f"{rows[0]['id']}  {rows[0]['title']}", fontsize=10, x=0.01, ha="left")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _lanes(axis: Axes, row: Row) -> None:
    bars = {**row["owned"], "client": row["served"]}
    for lane, stretches in bars.items():
        spans = [(begin, max(end - begin, 0.004)) for begin, end in stretches]
        axis.broken_barh(spans, (LANES[lane] - 0.35, 0.7), color=COLOURS[lane])
    for name, at in row["marks"].items():
        axis.axvline(at, color="black", linestyle="-" if name == "fault" else ":", linewidth=1)
    for change in row["changes"]:
        if change["node"] in LANES and change["role"] != "INIT":
            at, lane = change["at"], LANES[change["node"]]
            axis.plot([at, at], [lane - 0.45, lane + 0.45], color="black", linewidth=1)
            axis.annotate(
                change["role"][0], (at, lane + 0.3), fontsize=7, ha="left", xytext=(2, 0),
                textcoords="offset points",
            )  # fmt: skip
    axis.set_yticks(list(LANES.values()), [f"{node} answers" for node in ("a", "b")] + ["client is served"])
    axis.tick_params(labelsize=7)
    axis.set_xlim(row["begin"], row["end"])
    axis.set_ylim(-0.6, 2.6)
    verdict = "held" if row["held"] else "failed"
    axis.set_title(f"{row['contender']}: {verdict}", fontsize=8, loc="left")


def _head(result: dict[str, Any], rows: list[Row]) -> str:
    ours = [row for row in rows if row["contender"] == "haagent"]
    hello = f"hellos every {result['hello'] * 1e3:g} ms" if result["hello"] else "no fast hello"
    every = f"advertisements every {result['advert'] * 1e3:g} ms, {hello}, strategy {result['strategy']}"
    held = f"{sum(row['held'] for row in ours)} of {len(ours)} faults held every invariant; {every}."
    return f"# The fault list\n\n{held} {HOW}"


def _summary(rows: list[Row]) -> str:
    names = list(dict.fromkeys(row["contender"] for row in rows))
    lines = [f"| id | fault | {' | '.join(names)} |", f"|---|---|{'---|' * len(names)}"]
    for fault in dict.fromkeys(row["fault"] for row in rows):
        same = {row["contender"]: row for row in rows if row["fault"] == fault}
        first = next(iter(same.values()))
        cells = [_cell(same.get(name)) for name in names]
        lines.append(f"| {first['id']} | [{first['title']}](#{fault}) | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(row: Row | None) -> str:
    if row is None:
        return "-"
    if row["broken"]:
        return "**could not be played**"
    failed = [finding for finding in row["invariants"] if not finding["held"]]
    return "**failed**: " + "; ".join(finding["seen"] for finding in failed) if failed else "held"


def _section(rows: list[Row], picture: str | None) -> str:
    lines = [f'<a id="{rows[0]["fault"]}"></a>', "", f"## {rows[0]['id']} {rows[0]['title']}", ""]
    if picture:
        lines += [f"![{rows[0]['fault']}]({picture})", ""]
    lines += ["| | invariant | seen |", "|---|---|---|"]
    for row in rows:
        if row["broken"]:
            lines.append(f"| {row['contender']} | could not be played | {_escape(row['broken'])} |")
        for finding in row["invariants"]:
            mark = "held" if finding["held"] else "**failed**"
            lines.append(f"| {row['contender']}: {mark} | {finding['says']} | {_escape(finding['seen'])} |")
    lines += _changes(rows)
    return "\n".join(lines)


def _changes(rows: list[Row]) -> Iterable[str]:
    changes = [(row["contender"], change) for row in rows for change in row.get("changes", [])]
    if not changes:
        return []
    lines = ["", "| seconds | agent | role | because |", "|---|---|---|---|"]
    for contender, change in changes:
        reason = _escape(change["reason"])
        lines.append(f"| {change['at']:+.3f} | {contender} {change['node']} | {change['role']} | {reason} |")
    return lines


def _elsewhere(reasons: dict[str, str]) -> str:
    lines = ["## Not injected here", "", "| id | why, or where instead |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {reason} |" for name, reason in sorted(reasons.items()))])


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> None:
    """Write the page that belongs to a faults.json."""
    path = Path(sys.argv[1])
    write(json.loads(path.read_text()), path.parent)


if __name__ == "__main__":
    main()
