"""IO shell: a campaign: groups of rounds side by side, each in a process with a laboratory of its own.

Every round is written to a record as it ends. A campaign that was cut off goes on where its record ends.
"""

import json
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from queue import Queue

from rich.console import Console

from haagent.lab.demo import bars
from haagent.lab.errors import LabError
from haagent.lab.namespaces import stop
from haagent.lab.plan import Group, Line, Plan, finished, plan_line, unfinished
from haagent.lab.tally import Tally

ROUND_SECONDS = 90.0  # what a round may take at the very most
GROUP_SECONDS = 180.0  # and what comes before and after all of them
TICKS = (5, 10, 20, 50, 100, 200, 500, 1000, 2000)  # of the picture, ms
ATTEMPTS = 2  # of a group whose laboratory could not be built


class Record:
    """A file of JSON lines: the plan, then every round and every end of a group."""

    def __init__(self, path: Path | None, plan: Plan) -> None:
        self.lines: list[Line] = []
        self._path = path
        if path is not None and path.exists():
            self.lines = list(_read(path))
        try:
            self.left = unfinished(plan, self.lines)
        except ValueError as error:
            raise LabError(f"{path}: {error}: name another file, or remove it") from error
        if not self.lines:
            self.add(plan_line(plan))

    def add(self, line: Line) -> None:
        """One more line."""
        self.lines.append(line)
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps(line) + "\n")


def run(plan: Plan, console: Console, *, record: Path | None, jobs: int, logs: Path | None) -> Tally:
    """Play what is left of the plan, `jobs` groups at a time."""
    book = Record(record, plan)
    before = len(finished(book.lines))
    with bars(console) as progress:
        task = progress.add_task("rounds", total=plan.rounds)
        progress.advance(task, sum(line["kind"] == "round" for line in finished(book.lines)))
        for line in _play(book.left, jobs, logs):
            book.add(line)
            if line["kind"] == "round":
                progress.advance(task)
                if line["problems"] or line["unknown_calls"] or line["wrong_registrations"]:
                    progress.update(task, description=f"rounds, something is lost in group {line['group']}")
    errors = [line for line in book.lines[before:] if line["kind"] == "error"]
    done = {line["group"] for line in book.lines if line["kind"] == "group"}
    for line in errors:
        if line["group"] not in done:
            raise LabError(f"group {line['group']}: {line['error']}")
    return Tally(finished(book.lines))


def _play(groups: list[Group], jobs: int, logs: Path | None) -> Iterator[Line]:
    """The lines of all groups as they come."""
    waiting = deque((group, ATTEMPTS) for group in groups)
    running = 0
    lines: Queue[tuple[Group, int, Line | None]] = Queue()
    while waiting or running:
        while waiting and running < jobs:
            group, attempts = waiting.popleft()
            running += 1
            threading.Thread(target=_follow, args=(group, attempts, lines, logs), daemon=True).start()
        group, attempts, line = lines.get()
        if line is None:
            running -= 1
            continue
        yield {"group": group.number, **line}
        if line["kind"] == "error" and attempts > 1:
            waiting.append((group, attempts - 1))


def _follow(
    group: Group, attempts: int, lines: "Queue[tuple[Group, int, Line | None]]", logs: Path | None
) -> None:
    """Run one group in a process of its own; its lines, and None at the end."""
    argv = [sys.executable, "-m", "haagent.lab.rounds", json.dumps(asdict(group))]
    if logs is not None:
        argv.append(str(logs / f"group-{group.number}"))
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    limit = GROUP_SECONDS + ROUND_SECONDS * len(group.faults)
    watchdog = threading.Timer(limit, process.kill)
    watchdog.daemon = True
    watchdog.start()
    begin = time.monotonic()
    said_end = False
    assert process.stdout is not None
    try:
        for text in process.stdout:
            line: Line = json.loads(text)
            said_end = said_end or line["kind"] in ("group", "error")
            lines.put((group, attempts, line))
        if not said_end:
            seconds = time.monotonic() - begin
            error = f"it ended after {seconds:.0f} s without a word (of at most {limit:.0f} s)"
            lines.put((group, attempts, {"kind": "error", "error": error}))
    finally:
        watchdog.cancel()
        stop(process)
        lines.put((group, attempts, None))


def _read(path: Path) -> Iterator[Line]:
    for text in path.read_text().splitlines():
        try:
            yield json.loads(text)
        except ValueError:  # the line that was being written when it was cut off
            continue


def plot(tally: Tally, path: Path) -> bool:
    """The gaps of all rounds by fault; False without matplotlib."""
    try:
        from matplotlib import pyplot
    except ImportError:
        return False
    kinds = sorted({key[:2] for key in tally.rounds})
    figure, axes = pyplot.subplots(1, len(kinds), figsize=(4 * len(kinds), 4), sharey=True, squeeze=False)
    for axis, kind in zip(axes[0], kinds, strict=True):
        for fault, found in sorted((key[2], found) for key, found in tally.rounds.items() if key[:2] == kind):
            gaps = sorted(found.sip_gaps_ms)
            shares = [number / len(gaps) for number in range(len(gaps) + 1)]
            axis.step([*gaps[:1], *gaps], shares, where="post", label=f"{fault} ({len(gaps)})")
        axis.set(title=", ".join(kind), xscale="log", xlabel="gap of SIP service, ms", ylim=(0, 1.02))
        axis.set_xticks(TICKS, [f"{tick}" for tick in TICKS])
        axis.set_xticks([], minor=True)
        axis.grid(alpha=0.3)
        axis.legend(loc="lower right", fontsize=8)
    axes[0][0].set_ylabel("share of the rounds")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return True
