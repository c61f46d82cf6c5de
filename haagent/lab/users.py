"""IO shell: the users of a run: they call and register while something is done to the pair, and judge."""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from haagent.control.client import AgentUnreachableError, RefusedError
from haagent.lab import judge
from haagent.lab.errors import LabError
from haagent.lab.ledger import Call
from haagent.lab.pair import Node, Pair
from haagent.lab.phones import Phones
from haagent.lab.plan import Line
from haagent.lab.traffic import EXPIRES, Traffic

# A request lost just before the cut is repeated for 32 s (timers B and F of RFC 3261); then it is lost.
PATIENCE = 34.0
RECORDS = 5.0  # how long the last records may take to be written
TICK = 0.01
MOVERS = 5  # one user in five comes and goes and is never called
LONGEST = 180.0  # that something may take while users call


class Users:
    """Everybody on the phones of the client host."""

    def __init__(
        self, pair: Pair, phones: Phones, names: list[str], rng: random.Random, *, rate: float
    ) -> None:
        self._pair, self._phones = pair, phones
        self.ledger = phones.ledger
        edge = len(names) // MOVERS
        self._called = names[edge:]
        self._traffic = Traffic(
            phones, self._called, rng, rate=rate, register_rate=rate / 2, movers=names[:edge]
        )

    def register(self) -> None:
        """Everybody who is to be called registers."""
        for user in self._called:
            self._phones.do("register", user=user, expires=EXPIRES)
            time.sleep(0.002)
        known = self.ledger.registered
        if not self._phones.wait(lambda: len(known) >= len(self._called), 20):
            raise LabError(f"only {len(known)} of {len(self._called)} users could register")

    def begin(self, prefix: str) -> None:
        """The ids of the calls begin with this from now on."""
        self._traffic.begin(prefix, time.monotonic())

    def go_on(self, seconds: float) -> None:
        """Call and register for so long."""
        self.until(lambda: False, seconds)

    def until(self, done: Callable[[], bool], limit: float, *, placing: bool = True) -> bool:
        """Call and register until it is done; False: it was not within the limit."""
        end = time.monotonic() + limit
        while not done():
            now = time.monotonic()
            if now >= end:
                return False
            self._traffic.step(now, placing=placing)
            time.sleep(TICK)
        return True

    @contextmanager
    def meanwhile(self) -> Iterator[None]:
        """Call and register while something is done; in a thread, since pyroute2 must stay in this one."""
        done = threading.Event()
        thread = threading.Thread(target=self.until, args=(done.is_set, LONGEST), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def look(self, master: Node) -> Line:
        """Does it know what the phones were told before it was asked?"""
        calls, told = judge.up(self.ledger), judge.settled(self.ledger)
        try:
            dialogs, contacts = master.core.get("/v1/dialogs"), master.core.get("/v1/location")
        except (AgentUnreachableError, RefusedError) as error:
            return {"problems": [f"node {master.name} does not say what it knows: {error}"]}
        return {
            "calls_up": len(calls),
            "registrations": len(told),
            "unknown_calls": judge.unknown_calls(calls, dialogs),
            "wrong_registrations": judge.wrong_registrations(told, contacts),
        }

    def finish(self) -> Line:
        """Let every call come to its end, and judge all of them."""
        ledger = self.ledger
        self.until(lambda: self._traffic.is_idle, PATIENCE, placing=False)
        self._traffic.forget()
        calls = list(ledger.calls.values())
        end = time.monotonic() + RECORDS
        while (records := judge.judge_records(calls, self._records())).missing and time.monotonic() < end:
            time.sleep(0.2)
        lost = ledger.lost()
        return {
            "calls": len(calls),
            "answered": sum(call.has("answered", "200") for call in calls),
            "registers": sum(found.answered for found in ledger.registrations.values()),
            "lost": lost,
            "lost_seen": {call.id: _story(call) for call in ledger.select(lost)},
            "duplicates": ledger.duplicates,
            "errors": ledger.errors[:20],
            "records": records.calls,
            "records_missing": records.missing,
            "records_twice": records.twice,
            "records_wrong": records.wrong,
            "records_repeated": records.repeated,
            "records_recovered": records.recovered,
        }

    def _records(self) -> list[dict[str, Any]]:
        rows = []
        for node in self._pair.nodes.values():
            lines = node.records.read_text().splitlines() if node.records.exists() else []
            rows += [json.loads(line) for line in lines]
        return rows


def _story(call: Call) -> list[str]:
    """What the phones saw of a call, with the time of each."""
    seen = sorted(call.seen.items(), key=lambda item: item[1])
    told = [f"{at:.6f} {name} {detail}".strip() for (name, detail), at in seen]
    return [f"{call.wish} {call.caller} {call.callee} {call.call_id}", *told]
