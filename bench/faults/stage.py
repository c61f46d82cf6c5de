"""IO shell: one fault on one pair: strike, look, heal, and the history of it."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from bench.faults.history import FAULT, HEALED, Change, History
from bench.faults.sides import OurSide, Side
from bench.faults.wire import Filter
from haagent.lab.errors import LabError
from haagent.lab.sight import Sight, Sort
from haagent.lab.topology import Lan
from haagent.lab.watch import Watch, wait_until

TICK = 0.005
BEFORE = 0.8  # seconds of calls before the fault
REST = 0.4
T = TypeVar("T")


class Stage:
    """What an injector sees of the laboratory; what it defers is undone after the trial."""

    def __init__(self, lan: Lan, side: Side, watch: Watch, *, fault: str, advert: float) -> None:
        self.lan, self.side, self._watch = lan, side, watch
        self.filter = Filter(lan)
        self._undo = ExitStack()
        self._undo.callback(self.filter.clear)
        self.defer = self._undo.callback
        self.touched: set[str] = set()
        """Nodes that must be booted anew afterwards."""
        self.old = self._find_master()
        self.new = "b" if self.old == "a" else "a"
        self.history = History(fault, side.name, advert, self.old, begin=time.monotonic())

    @property
    def ours(self) -> OurSide:
        """Our pair, for faults that only it can have."""
        assert isinstance(self.side, OurSide)
        return self.side

    def strike(self, deed: Callable[[], T]) -> T:
        """The fault itself, after some time of traffic."""
        self.look(BEFORE)
        self.history.marks[FAULT] = time.monotonic()
        return deed()

    def heal(self, deed: Callable[[], object] | None = None) -> None:
        """The end of the fault."""
        self.history.marks[HEALED] = time.monotonic()
        if deed is not None:
            deed()

    def look(self, seconds: float) -> None:
        """Let time pass, with calls."""
        self.until(lambda: False, seconds)

    def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Let time pass, with calls, until something is so."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            self.side.step(now)
            if condition():
                return True
            time.sleep(TICK)
        return False

    def answers(self, node: str, sort: Sort = Sort.ARP) -> bool:
        """Whether this node has answered in the last tenth of a second."""
        now = time.monotonic()
        return node in self._watch.sight.who(sort, now - 0.1, now)

    def wait_move(self, seconds: float) -> bool:
        """Until the peer answers, and a little longer."""
        at = self.history.marks[FAULT]
        moved = self.until(lambda: self._watch.sight.moved(at, self.old) is not None, seconds)
        self.look(REST)
        return moved

    def changes(self) -> list[Change]:
        """The changes of role so far."""
        return self.side.changes(self.history.begin)

    def restart(self, node: str) -> None:
        """Stop a node and start it again, until it is ready."""
        self.side.stop(node)
        self.side.start(node)
        if not wait_until(lambda: self.side.ready(node), 20):
            raise LabError(f"node {node} is not ready 20 s after its restart")

    def recast(self) -> None:
        """Restart the backup with what was prepared for it, and make it the master."""
        self.restart(self.new)
        self.side.switchover(self.old)
        self.until(lambda: self.answers(self.new) and not self.answers(self.old), 5)
        if not wait_until(lambda: self.side.ready(self.old), 10):
            raise LabError(f"node {self.old} is not ready 10 s after the switchover")
        self.old, self.new = self.new, self.old
        self.history.old, self.history.begin = self.old, time.monotonic()

    def fact(self, name: str, value: float) -> None:
        """Something that only this fault measures."""
        self.history.facts[name] = round(value, 3)

    def finish(self) -> History:
        """Complete the history."""
        history = self.history
        self.look(REST)
        history.end = time.monotonic() - 0.03  # the probe flushes its lines every 20 ms
        history.sight = _window(self._watch.sight, history.begin, history.end)
        history.changes = self.side.changes(history.begin)
        history.roles = self.side.roles()
        self.side.settle()
        history.calls = self.side.calls(self._find_master())
        history.said = self.side.said()
        return history

    def close(self) -> None:
        """Undo what was deferred."""
        self._undo.close()

    def _find_master(self) -> str:
        self._watch.wait_answer(Sort.ARP, after=time.monotonic(), timeout=5)
        return self._watch.sight.owners[Sort.ARP][-1]


def _window(sight: Sight, begin: float, end: float) -> Sight:
    """The answers of this time alone."""
    cut = Sight()
    for sort in Sort:
        for at, owner in zip(sight.times[sort], sight.owners[sort], strict=False):
            if begin <= at <= end:
                cut.add(sort, at, owner)
    return cut
