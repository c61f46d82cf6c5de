"""IO shell: one group of a campaign: a laboratory, users who call all the time, fault after fault.

`python -m haagent.lab.rounds` reads a group as JSON and prints a line of JSON for each round and for the end.
"""

import json
import random
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from haagent.control.client import AgentUnreachableError, RefusedError
from haagent.lab import faults, judge
from haagent.lab.demo import accounts, keep_logs, strike
from haagent.lab.errors import LabError
from haagent.lab.ledger import Call
from haagent.lab.outcome import Fault
from haagent.lab.pair import Pair, Settings
from haagent.lab.phones import Phones
from haagent.lab.plan import Group, Line
from haagent.lab.sight import Sort
from haagent.lab.topology import Lan
from haagent.lab.traffic import EXPIRES, Traffic
from haagent.lab.watch import Watch

# A request lost just before the cut is repeated for 32 s (timers B and F of RFC 3261); then it is lost.
PATIENCE = 34.0
TAKEOVER = 10.0
SETTLE = 0.3  # after the takeover, before the broken node is mended
TICK = 0.01
MOVERS = 5  # one user in five comes and goes and is never called


class Rounds:
    """Plays the rounds; the node that was broken is mended while calls go on, and is the next standby."""

    def __init__(self, group: Group, lan: Lan, pair: Pair, watch: Watch, phones: Phones) -> None:
        self._group, self._lan, self._pair = group, lan, pair
        self._watch, self._phones = watch, phones
        self._rng = random.Random(f"{group.seed} {group.number} users")  # noqa: S311 - repeatable
        users = [user for user, _ in accounts(group.users)]
        edge = len(users) // MOVERS
        self._users, self._movers = users[edge:], users[:edge]
        self._traffic = Traffic(
            phones, self._users, self._rng, rate=group.rate, register_rate=group.rate / 2, movers=self._movers
        )

    def register(self) -> None:
        """Everybody who is to be called registers."""
        for user in self._users:
            self._phones.do("register", user=user, expires=EXPIRES)
            time.sleep(0.002)
        known = self._phones.ledger.registered
        if not self._phones.wait(lambda: len(known) >= len(self._users), 20):
            raise LabError(f"only {len(known)} of {len(self._users)} users could register")

    def play(self, index: int) -> Line:
        """One round: a fault at a random moment, a look into the new master, everything mended."""
        begin = time.monotonic()
        fault, ledger = Fault(self._group.faults[index]), self._phones.ledger
        placed = len(ledger.calls)
        old = self._pair.master()
        new = "b" if old == "a" else "a"
        self._traffic.begin(f"g{self._group.number}r{index}", begin)
        self._drive(lambda: False, self._rng.uniform(0.2, 0.8))
        line: Line = {
            "kind": "round", "group": self._group.number, "round": index, "fault": fault.value,
            "strategy": self._group.strategy, "transport": self._group.transport, "node": old,
            "problems": [], "unknown_calls": [], "wrong_registrations": [],
        }  # fmt: skip
        at = strike(fault, self._lan, self._pair.nodes[old])
        taken = self._drive(lambda: self._leads(new), TAKEOVER)
        if not taken:
            line["problems"] = [f"node {new} has not taken over within {TAKEOVER:g} s"]
        line["at"] = round(at, 6)
        line["takeover_ms"] = round((time.monotonic() - at) * 1e3, 1) if taken else None
        line |= self._look(new) if taken else {}
        self._drive(lambda: False, SETTLE)
        line |= self._gaps(at)
        mended = time.monotonic()
        if problem := self._mend(fault, old):
            line["problems"] = [*line["problems"], problem]  # type: ignore[misc]
        now = time.monotonic()
        line |= {"placed": len(ledger.calls) - placed, "mend_s": round(now - mended, 2)}
        return line | {"seconds": round(now - begin, 2)}

    def finish(self) -> Line:
        """Let every call come to its end, and judge all of the group."""
        ledger = self._phones.ledger
        self._drive(lambda: self._traffic.is_idle, PATIENCE, placing=False)
        self._traffic.forget()
        calls = list(ledger.calls.values())
        records = judge.judge_records(calls, [])
        end = time.monotonic() + 5
        while time.monotonic() < end:
            records = judge.judge_records(calls, self._records())
            if not records.missing:
                break
            time.sleep(0.2)
        return {
            "kind": "group", "group": self._group.number, "strategy": self._group.strategy,
            "transport": self._group.transport, "rounds": len(self._group.faults), "calls": len(calls),
            "answered": sum(call.has("answered", "200") for call in calls),
            "registers": sum(found.answered for found in ledger.registrations.values()),
            "lost": ledger.lost(),
            "lost_seen": {call.id: _story(call) for call in ledger.select(ledger.lost())},
            "duplicates": ledger.duplicates, "errors": ledger.errors[:20],
            "records": records.calls, "records_missing": records.missing, "records_twice": records.twice,
            "records_wrong": records.wrong, "records_repeated": records.repeated,
            "records_recovered": records.recovered,
        }  # fmt: skip

    # Steps

    def _drive(self, done: Callable[[], bool], limit: float, *, placing: bool = True) -> bool:
        """Let the users go on until it is done; False: it was not within the limit."""
        end = time.monotonic() + limit
        while not done():
            now = time.monotonic()
            if now >= end:
                return False
            self._traffic.step(now, placing=placing)
            time.sleep(TICK)
        return True

    def _leads(self, name: str) -> bool:
        status = self._pair.nodes[name].core_status()
        return status is not None and status["role"] == "MASTER"

    def _look(self, new: str) -> Line:
        """Does the new master know what the phones were told before we asked it?"""
        ledger, core = self._phones.ledger, self._pair.nodes[new].core
        calls, told = judge.up(ledger), judge.settled(ledger)
        try:
            dialogs, contacts = core.get("/v1/dialogs"), core.get("/v1/location")
        except (AgentUnreachableError, RefusedError) as error:
            return {"problems": [f"node {new} does not say what it knows: {error}"]}
        return {
            "calls_up": len(calls),
            "registrations": len(told),
            "unknown_calls": judge.unknown_calls(calls, dialogs),
            "wrong_registrations": judge.wrong_registrations(told, contacts),
        }

    def _gaps(self, at: float) -> Line:
        sight, now = self._watch.sight, time.monotonic()
        gaps = {sort: sight.gap(sort, at, now).length for sort in (Sort.ICMP, Sort.SIP)}
        return {
            f"{sort.name.lower()}_gap_ms": None if gap is None else round(gap * 1e3, 2)
            for sort, gap in gaps.items()
        }

    def _mend(self, fault: Fault, name: str) -> str:
        """Undo the fault while calls go on; what went wrong."""
        problem: list[str] = []
        mended = threading.Event()
        # pyroute2 works only in the thread that opened its socket: so it is the users who get another one
        users = threading.Thread(target=self._drive, args=(mended.is_set, 120.0), daemon=True)
        users.start()
        try:
            self._heal(fault, name, problem)
        finally:
            mended.set()
            users.join()
        return "; ".join(problem)

    def _heal(self, fault: Fault, name: str, problem: list[str]) -> None:
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
            problem.append(f"after {fault}: {str(error).partition(chr(10))[0]}")
            try:
                self._pair.revive(name)
                self._pair.wait_ready()
            except LabError as again:
                problem.append(str(again))

    def _records(self) -> list[dict[str, Any]]:
        rows = []
        for node in self._pair.nodes.values():
            path = node.records
            lines = path.read_text().splitlines() if path.exists() else []
            rows += [json.loads(line) for line in lines]
        return rows


def _story(call: Call) -> list[str]:
    """What the phones saw of a call, with the time of each."""
    seen = sorted(call.seen.items(), key=lambda item: item[1])
    told = [f"{at:.6f} {name} {detail}".strip() for (name, detail), at in seen]
    return [f"{call.wish} {call.caller} {call.callee} {call.call_id}", *told]


def play(group: Group, say: Callable[[Line], None], logs: Path | None = None) -> None:
    """Build the laboratory, play the group, take everything away."""
    run = uuid.uuid4().hex[:12]
    begin = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="haagent-campaign-")))
        stack.callback(keep_logs, folder, logs)
        lan = stack.enter_context(Lan())
        pair = Pair(lan, folder, Settings(group.strategy, group.advert, accounts(group.users)))
        stack.callback(pair.stop)
        pair.start()
        client = lan.hosts["client"]
        watch = stack.enter_context(Watch(client))
        watch.wait_answer(Sort.SIP)
        users = accounts(group.users)
        rounds = Rounds(
            group, lan, pair, watch, stack.enter_context(Phones(client, folder, users, group.transport))
        )
        rounds.register()
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
