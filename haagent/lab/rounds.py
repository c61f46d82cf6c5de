"""IO shell: one group of a campaign: a laboratory, users who call all the time, fault after fault.

`python -m haagent.lab.rounds` reads a group as JSON and prints a line of JSON for each round and for the end.
"""

import json
import random
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from haagent.lab import faults
from haagent.lab.demo import accounts, keep_logs, strike
from haagent.lab.errors import LabError
from haagent.lab.outcome import Fault
from haagent.lab.pair import Pair, Settings
from haagent.lab.phones import Phones
from haagent.lab.plan import Group, Line
from haagent.lab.sight import Sort
from haagent.lab.topology import Lan
from haagent.lab.users import Users
from haagent.lab.watch import Watch

TAKEOVER = 10.0
SETTLE = 0.3  # after the takeover, before the broken node is mended


class Rounds:
    """Plays the rounds; the node that was broken is mended while calls go on, and is the next standby."""

    def __init__(self, group: Group, lan: Lan, pair: Pair, watch: Watch, users: Users) -> None:
        self._group, self._lan, self._pair = group, lan, pair
        self._watch, self._users = watch, users
        self._rng = random.Random(f"{group.seed} {group.number} moments")  # noqa: S311 - repeatable

    def play(self, index: int) -> Line:
        """One round: a fault at a random moment, a look into the new master, everything mended."""
        begin = time.monotonic()
        fault, users = Fault(self._group.faults[index]), self._users
        placed = len(users.ledger.calls)
        old = self._pair.master()
        new = self._pair.nodes["b" if old == "a" else "a"]
        users.begin(f"g{self._group.number}r{index}")
        users.go_on(self._rng.uniform(0.2, 0.8))
        line: Line = {
            "kind": "round", "group": self._group.number, "round": index, "fault": fault.value,
            "strategy": self._group.strategy, "transport": self._group.transport, "node": old,
            "unknown_calls": [], "wrong_registrations": [],
        }  # fmt: skip
        problems: list[str] = []
        at = strike(fault, self._lan, self._pair.nodes[old])
        taken = users.until(new.leads, TAKEOVER)
        line |= {
            "at": round(at, 6),
            "takeover_ms": round((time.monotonic() - at) * 1e3, 1) if taken else None,
        }
        if taken:
            line |= users.look(new)
        else:
            problems.append(f"node {new.name} has not taken over within {TAKEOVER:g} s")
        users.go_on(SETTLE)
        users.until(lambda: _is_back(self._watch, at), TAKEOVER)
        line |= gaps(self._watch, at)
        mended = time.monotonic()
        with users.meanwhile():
            problems += self._heal(fault, old)
        now = time.monotonic()
        line |= {"placed": len(users.ledger.calls) - placed, "mend_s": round(now - mended, 2)}
        known = line.get("problems", [])
        assert isinstance(known, list)
        return line | {"problems": [*known, *problems], "seconds": round(now - begin, 2)}

    def finish(self) -> Line:
        """Let every call come to its end, and judge all of the group."""
        return {
            "kind": "group", "group": self._group.number, "strategy": self._group.strategy,
            "transport": self._group.transport, "rounds": len(self._group.faults), **self._users.finish(),
        }  # fmt: skip

    def _heal(self, fault: Fault, name: str) -> list[str]:
        """Undo the fault; what went wrong."""
        node = self._pair.nodes[name]
        try:
            if fault is Fault.POWER:
                self._pair.revive(name)
            else:
                faults.thaw(self._lan.hosts[name].processes())
                self._lan.plug(name, "lan", "sync")
                node.start()
            self._pair.wait_ready()
        except LabError as error:
            problem = [f"after {fault}: {str(error).partition(chr(10))[0]}"]
            try:
                self._pair.revive(name)
                self._pair.wait_ready()
            except LabError as again:
                problem.append(str(again))
            return problem
        return []


def _is_back(watch: Watch, at: float) -> bool:
    return None not in gaps(watch, at).values()


def gaps(watch: Watch, at: float) -> Line:
    """The longest holes in the service since this moment, in ms; None: it has not come back."""
    now = time.monotonic()
    found = {sort: watch.sight.gap(sort, at, now).length for sort in (Sort.ICMP, Sort.SIP)}
    return {
        f"{sort.name.lower()}_gap_ms": None if gap is None else round(gap * 1e3, 2)
        for sort, gap in found.items()
    }


def play(group: Group, say: Callable[[Line], None], logs: Path | None = None) -> None:
    """Build the laboratory, play the group, take everything away."""
    run = uuid.uuid4().hex[:12]
    begin = time.monotonic()
    names = accounts(group.users)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="haagent-campaign-")))
        stack.callback(keep_logs, folder, logs)
        lan = stack.enter_context(Lan())
        pair = Pair(lan, folder, Settings(group.strategy, group.advert, names))
        stack.callback(pair.stop)
        pair.start()
        client = lan.hosts["client"]
        watch = stack.enter_context(Watch(client))
        watch.wait_answer(Sort.SIP)
        phones = stack.enter_context(Phones(client, folder, names, group.transport))
        rng = random.Random(f"{group.seed} {group.number} users")  # noqa: S311 - repeatable
        users = Users(pair, phones, [user for user, _ in names], rng, rate=group.rate)
        users.register()
        rounds = Rounds(group, lan, pair, watch, users)
        for index in range(len(group.faults)):
            say({**rounds.play(index), "run": run})
        end = rounds.finish()
        say({**end, "run": run, "seconds": round(time.monotonic() - begin, 1)})


def main() -> int:
    """Play the group of the first argument; the second, if any, is where the logs go."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    logs = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    try:
        play(Group.of(json.loads(sys.argv[1])), _say, logs)
    except LabError as error:
        _say({"kind": "error", "error": str(error)})
        return 2
    return 0


def _say(line: Line) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
