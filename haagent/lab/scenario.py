"""IO shell: what the users of the demo do, step by step: register, call, and go on after the fault."""

import random
import time
from collections.abc import Callable, Sequence

from rich.progress import Progress

from haagent.lab.ledger import Call, Wish
from haagent.lab.phones import Phones

PACE = 0.004
SETUP_TIMEOUT = 15.0
# A request that was lost in the gap is repeated after 0.5, 1.5, 3.5 and 7.5 s (timers A and E of RFC 3261).
AFTER_TIMEOUT = 16.0


class Scenario:
    """The users' side of one run. Each step returns when its goal is reached or its time is up."""

    def __init__(self, phones: Phones, users: Sequence[str], rng: random.Random, progress: Progress) -> None:
        self._phones, self._users, self._rng, self._progress = phones, list(users), rng, progress
        self._ledger = phones.ledger

    def register(self) -> bool:
        """Register every user with digest authentication."""
        known = self._ledger.registered
        for user in self._users:
            self._phones.do("register", user=user, expires=3600)
            time.sleep(PACE)
        return self._reach("users registered", lambda: len(known), len(self._users), SETUP_TIMEOUT)

    def call(self, count: int) -> list[Call]:
        """Set calls up; about a third is left ringing, to be answered, cancelled or rejected later."""
        ringing = self._rng.sample(range(count), count // 3)
        wishes = {index: self._late_wish(place) for place, index in enumerate(ringing)}
        calls = [
            self._place(f"c{index}", 2 * index, 2 * index + 1, wishes.get(index, Wish.TALK))
            for index in range(count)
        ]
        self._reach(
            "calls ringing", lambda: sum(c.has("progress", "180") for c in calls), count, SETUP_TIMEOUT
        )
        talking = [call for index, call in enumerate(calls) if index not in wishes]
        for call in talking:
            self._do("answer", call)
        self._reach("calls up", lambda: sum(c.is_up for c in talking), len(talking), SETUP_TIMEOUT)
        return calls

    def finish_ringing(self, calls: Sequence[Call]) -> None:
        """Answer, cancel or reject what was left ringing: users do not wait for a takeover."""
        ringing = [call for call in calls if not call.has("answered")]
        verbs = {Wish.TALK: "answer", Wish.CANCEL: "cancel", Wish.REJECT: "reject"}
        for call in ringing:
            time.sleep(self._rng.uniform(0.0, 0.06))
            extra = {"status": 486} if call.wish is Wish.REJECT else {}
            self._do(verbs[call.wish], call, **extra)
        self._reach(
            "ringing calls decided",
            lambda: sum(c.is_up if c.wish is Wish.TALK else c.is_over for c in ringing),
            len(ringing),
            AFTER_TIMEOUT,
        )

    def call_again(self, count: int) -> list[Call]:
        """New calls by address of record between random users, all answered."""
        calls = []
        for index in range(count):
            caller, callee = self._rng.sample(range(len(self._users)), 2)
            calls.append(self._place(f"n{index}", caller, callee))
        self._reach(
            "new calls ringing", lambda: sum(c.has("progress", "180") for c in calls), count, AFTER_TIMEOUT
        )
        for call in calls:
            self._do("answer", call)
        self._reach("new calls up", lambda: sum(c.is_up for c in calls), count, AFTER_TIMEOUT)
        return calls

    def hang_up(self, calls: Sequence[Call]) -> None:
        """End every call that is up, caller and callee in turn."""
        up = [call for call in calls if call.has("answered")]
        for index, call in enumerate(up):
            self._do("bye", call, by=("caller", "callee")[index % 2])
        self._reach("calls ended", lambda: sum(c.is_over for c in up), len(up), AFTER_TIMEOUT)

    def ask_options(self, count: int) -> int:
        """OPTIONS from some users; how many were answered with 200."""
        options = self._ledger.options
        for index, user in enumerate(self._rng.sample(self._users, min(count, len(self._users)))):
            self._phones.do("options", user=user, id=f"o{index}")
        total = min(count, len(self._users))
        self._reach("OPTIONS answered", lambda: len(options), total, 5.0)
        return sum(status == 200 for status in options.values())

    def _late_wish(self, place: int) -> Wish:
        return (Wish.TALK, Wish.CANCEL, Wish.TALK, Wish.CANCEL, Wish.REJECT)[place % 5]

    def _place(self, call_id: str, caller: int, callee: int, wish: Wish = Wish.TALK) -> Call:
        size = len(self._users)
        call = Call(call_id, self._users[caller % size], self._users[callee % size], wish)
        self._ledger.place(call)
        self._phones.do("call", id=call.id, to=call.callee, **{"from": call.caller})
        time.sleep(PACE)
        return call

    def _do(self, command: str, call: Call, **extra: object) -> None:
        self._phones.do(command, id=call.id, **extra)
        time.sleep(PACE)

    def _reach(self, label: str, count: Callable[[], int], total: int, timeout: float) -> bool:
        """Show how far the users are until all have what they want."""
        task = self._progress.add_task(label, total=max(total, 1), completed=0 if total else 1)
        end = time.monotonic() + timeout
        while (now := count()) < total and time.monotonic() < end:
            self._progress.update(task, completed=now)
            self._phones.wait(lambda: count() >= total, 0.1)
        self._progress.update(task, completed=count() if total else 1)
        return count() >= total


def _rung(calls: Sequence[Call]) -> int:
    return sum(call.has("progress", "180") for call in calls)
