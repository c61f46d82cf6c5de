"""IO shell: users who call all the time and act at random moments; what a campaign cuts the power under."""

import heapq
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

from haagent.lab.ledger import Call, Wish
from haagent.lab.phones import Phones

WISHES = (Wish.TALK, Wish.TALK, Wish.TALK, Wish.CANCEL, Wish.REJECT)
VERBS = {Wish.TALK: "answer", Wish.CANCEL: "cancel", Wish.REJECT: "reject"}


@dataclass(slots=True)
class _Open:
    """A call that is under way, and how far its users have got."""

    call: Call
    decided: bool = False
    hung_up: bool = False


class Traffic:
    """Places calls at a rate and carries each through; `step` does what is due."""

    def __init__(self, phones: Phones, users: Sequence[str], rng: random.Random, *, rate: float) -> None:
        self._phones, self._users, self._rng, self._rate = phones, list(users), rng, rate
        self._ids = itertools.count()
        self._due: list[tuple[float, int, str, Call]] = []
        self._open: dict[str, _Open] = {}
        self._next = 0.0
        self._prefix = ""

    def begin(self, prefix: str, now: float) -> None:
        """Start a round; its calls' ids begin with the prefix."""
        self._prefix, self._next = prefix, now

    def step(self, now: float, *, placing: bool) -> None:
        """Place what is due (if `placing`), follow the calls, do what their users do now."""
        while placing and self._next <= now:
            self._next += self._rng.expovariate(self._rate)
            self._place()
        for entry in list(self._open.values()):
            self._follow(entry, now)
        while self._due and self._due[0][0] <= now:
            _, _, verb, call = heapq.heappop(self._due)
            self._act(verb, call)

    @property
    def is_idle(self) -> bool:
        """Whether every call has gone as its users wished."""
        return not self._open

    def forget(self) -> None:
        """Give up what is still open: it is lost, and the ledger says so."""
        self._open.clear()
        self._due.clear()

    def _place(self) -> None:
        number = next(self._ids)
        caller, callee = self._rng.sample(self._users, 2)
        call = Call(f"{self._prefix}-{number}", caller, callee, self._rng.choice(WISHES))
        self._open[call.id] = _Open(self._phones.ledger.place(call))
        self._phones.do("call", id=call.id, to=callee, **{"from": caller})

    def _follow(self, entry: _Open, now: float) -> None:
        call = entry.call
        if call.is_over:
            del self._open[call.id]
        elif not entry.decided and call.is_ringing:
            entry.decided = True
            self._later(now + self._rng.uniform(0, 0.3), VERBS[call.wish], call)
        elif not entry.hung_up and call.is_up:
            entry.hung_up = True
            self._later(now + self._rng.uniform(0, 1.0), "bye", call)

    def _later(self, at: float, verb: str, call: Call) -> None:
        heapq.heappush(self._due, (at, next(self._ids), verb, call))

    def _act(self, verb: str, call: Call) -> None:
        if verb == "bye":
            self._phones.do("bye", id=call.id, by=self._rng.choice(("caller", "callee")))
        elif verb == "reject":
            self._phones.do("reject", id=call.id, status=486)
        else:
            self._phones.do(verb, id=call.id)
