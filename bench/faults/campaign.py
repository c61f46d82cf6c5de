"""IO shell: the whole list, one fault after the other on one laboratory; what was struck is mended."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.contender import Settings
from bench.faults.catalogue import Fault
from bench.faults.history import History
from bench.faults.judge import Finding, Invariant, judge
from bench.faults.sides import KeepalivedSide, OurSide, Side
from bench.faults.stage import Stage
from haagent.control.client import AgentUnreachableError, RefusedError
from haagent.lab.errors import LabError
from haagent.lab.topology import NODES, Lan
from haagent.lab.watch import Watch, wait_until

SIDES: dict[str, Callable[[Lan, Path, Settings], Side]] = {"haagent": OurSide, "keepalived": KeepalivedSide}
READY = 40.0  # seconds: also where others need the processor


@dataclass(slots=True)
class Trial:
    """One fault on one pair: what was recorded and found, or why it could not be played."""

    fault: Fault
    contender: str
    history: History | None = None
    findings: list[Finding] = field(default_factory=list)
    broken: str = ""
    seconds: float = 0.0

    @property
    def held(self) -> bool:
        """Whether every invariant did."""
        return not self.broken and all(finding.held for finding in self.findings)


class Campaign:
    """One contender's laboratory."""

    def __init__(self, name: str, folder: Path, settings: Settings) -> None:
        self._name, self._folder, self._settings = name, folder, settings
        self._stack = ExitStack()
        self._parts: tuple[Lan, Side, Watch] | None = None
        self._builds = 0

    def play(self, faults: Sequence[Fault]) -> Iterator[Trial]:
        """The trials, each as soon as it is judged."""
        try:
            for fault in faults:
                yield self._try(fault)
        finally:
            self._stack.close()

    def _try(self, fault: Fault) -> Trial:
        trial, begin = Trial(fault, self._name), time.monotonic()
        try:
            parts = self._parts or self._build()
            trial.history = self._trial(fault, *parts)
            trial.findings = judge(trial.history, self._invariants(fault))
        except (LabError, AgentUnreachableError, RefusedError, OSError) as error:
            trial.broken = f"{type(error).__name__}: {str(error).strip()[-1500:]}"
            self._tear_down()
        trial.seconds = time.monotonic() - begin
        return trial

    def _invariants(self, fault: Fault) -> list[Invariant]:
        """A control has no calls, and says nothing in our words."""
        return [each for each in fault.invariants if self._name == "haagent" or not each.ours]

    def _trial(self, fault: Fault, lan: Lan, side: Side, watch: Watch) -> History:
        stage = Stage(lan, side, watch, fault=fault.name, advert=self._settings.advert)
        try:
            side.begin(fault.name)
            fault.play(stage)
            history = stage.finish()
        finally:
            stage.close()
        self._mend(stage, lan, side)
        return history

    def _mend(self, stage: Stage, lan: Lan, side: Side) -> None:
        """Start what does not run; boot what was touched, or does not come back by itself."""
        for node in NODES:
            lan.plug(node, "lan", "sync")
        for node in NODES:
            if node not in stage.touched and side.agent(node) and side.core(node):
                continue
            side.stop(node)
            if node in stage.touched:
                lan.reboot(node)
            side.start(node)
        if not self._is_whole(side, READY):
            self._tear_down()

    def _is_whole(self, side: Side, patience: float) -> bool:
        return wait_until(
            lambda: (
                all(side.ready(n) for n in NODES) and sorted(side.roles().values()) == ["BACKUP", "MASTER"]
            ),
            patience,
            step=0.05,
        )

    def _build(self) -> tuple[Lan, Side, Watch]:
        self._builds += 1
        folder = self._folder / f"{self._name}-{self._builds}"
        folder.mkdir(parents=True)
        lan = self._stack.enter_context(Lan())
        side = SIDES[self._name](lan, folder, self._settings)
        self._stack.callback(side.close)
        for node in NODES:
            side.start(node)
            if not wait_until(lambda n=node: side.ready(n), READY):  # type: ignore[misc] # bound per round
                raise LabError(f"{self._name} on node {node} is not ready after {READY:g} s")
        watch = self._stack.enter_context(Watch(lan.hosts["client"]))
        if not self._is_whole(side, READY):
            raise LabError(f"{self._name} has no master and backup after {READY:g} s")
        self._parts = lan, side, watch
        return self._parts

    def _tear_down(self) -> None:
        """The next fault gets a laboratory of its own."""
        self._stack.close()
        self._stack = ExitStack()
        self._parts = None


def as_json(trial: Trial) -> dict[str, Any]:
    """For machines: the verdict, and what it rests on, in seconds after the fault."""
    history = trial.history
    row: dict[str, Any] = {
        "id": trial.fault.id, "fault": trial.fault.name, "title": trial.fault.title,
        "contender": trial.contender, "held": trial.held, "broken": trial.broken,
        "seconds": round(trial.seconds, 1),
        "invariants": [{"says": f.says, "held": f.held, "seen": f.seen} for f in trial.findings],
    }  # fmt: skip
    if history is None:
        return row
    zero = history.marks.get("fault", history.begin)
    row |= {
        "old": history.old, "advert": history.advert, "begin": round(history.begin - zero, 3),
        "end": round(history.end - zero, 3), "noise_ms": round(history.noise * 1e3, 1),
        "marks": {name: round(at - zero, 3) for name, at in history.marks.items()},
        "owned": {n: [[round(a - zero, 3), round(b - zero, 3)] for a, b in history.owned(n)] for n in NODES},
        "served": [[round(a - zero, 3), round(b - zero, 3)] for a, b in history.served()],
        "changes": [{"at": round(c.at - zero, 4), "node": c.node, "role": c.role, "reason": c.reason}
                    for c in history.changed(history.begin)],
        "roles": history.roles, "facts": history.facts,
        "calls": asdict(history.calls) if history.calls else None,
    }  # fmt: skip
    return row
