"""IO shell: users who call and register all the time and act at random moments; what a campaign breaks."""

import heapq
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

from haagent.lab.ledger import Call, Wish
from haagent.lab.phones import Phones

WISHES = (Wish.TALK, Wish.TALK, Wish.TALK, Wish.CANCEL, Wish.REJECT)
VERBS = {Wish.TALK: "answer", Wish.CANCEL: "cancel", Wish.REJECT: "reject"}
LONG_CALLS = 0.2  # of all: these go on over several faults
EXPIRES = 3600


@dataclass(slots=True)
class _Open:
    """A call that is under way, and how far its users have got."""

    call: Call
    decided: bool = False
    hung_up: bool = False


class Traffic:
    """Places calls and registrations at a rate and carries each through; `step` does what is due.

    `users` are registered and call each other; at `register_rate` one of them registers anew, or one of the
    `movers`, who come and go, does so or leaves.
    """

    def __init__(
        self,
        phones: Phones,
        users: Sequence[str],
        rng: random.Random,
        *,
        rate: float,
        register_rate: float = 0.0,
        movers: Sequence[str] = (),
    ) -> None:
        self._phones, self._rng, self._rate, self._register_rate = phones, rng, rate, register_rate
        self._users, self._movers = list(users), list(movers)
        self._halves = [[user for user in half if user in users] for half in phones.halves]
        self._ids = itertools.count()
        self._due: list[tuple[float, int, str, Call]] = []
        self._open: dict[str, _Open] = {}
        self._next = self._next_register = 0.0
        self._prefix = ""
        self._connections = phones.ledger.connections

    def begin(self, prefix: str, now: float) -> None:
        """Start a round; its calls' ids begin with the prefix."""
        self._prefix = prefix
        self._next = max(self._next, now)
        self._next_register = max(self._next_register, now)

    def step(self, now: float, *, placing: bool) -> None:
        """Place what is due (if `placing`), follow the calls, do what their users do now."""
        while placing and self._next <= now:
            self._next += self._rng.expovariate(self._rate)
            self._place()
        while placing and self._register_rate and self._next_register <= now:
            self._next_register += self._rng.expovariate(self._register_rate)
            self._register_one()
        if self._phones.ledger.connections != self._connections:
            self._connections = self._phones.ledger.connections
            self._register_all()
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
        caller, callee = self._pair()
        call = Call(f"{self._prefix}-{number}", caller, callee, self._rng.choice(WISHES))
        self._open[call.id] = _Open(self._phones.ledger.place(call))
        self._phones.do("call", id=call.id, to=callee, **{"from": caller})

    def _pair(self) -> tuple[str, str]:
        """Who calls whom: of two halves one user each."""
        if len(self._halves) == 1:
            caller, callee = self._rng.sample(self._users, 2)
            return caller, callee
        first, second = (self._rng.choice(half) for half in self._rng.sample(self._halves, 2))
        return first, second

    def _register_one(self) -> None:
        found = self._phones.ledger.registrations
        user = self._rng.choice(self._movers if self._movers and self._rng.random() < 0.5 else self._users)
        known = found.get(user)
        if known is not None and known.asked != known.answered:
            return
        leaves = user in self._movers and known is not None and known.expires > 0
        self._phones.do("register", user=user, expires=0 if leaves else EXPIRES)

    def _register_all(self) -> None:
        """Phones with a new connection must be found there (RFC 5626 section 4.5)."""
        for user in self._users:
            known = self._phones.ledger.registrations.get(user)
            if known is None or known.asked == known.answered:
                self._phones.do("register", user=user, expires=EXPIRES)

    def _follow(self, entry: _Open, now: float) -> None:
        call = entry.call
        if call.is_over:
            del self._open[call.id]
        elif not entry.decided and call.has("ringing"):  # its 180 may be lost, nobody repeats it
            entry.decided = True
            self._later(now + self._rng.uniform(0, 0.3), VERBS[call.wish], call)
        elif not entry.hung_up and call.is_up:
            entry.hung_up = True
            longest = 6.0 if self._rng.random() < LONG_CALLS else 1.0
            self._later(now + self._rng.uniform(0, longest), "bye", call)

    def _later(self, at: float, verb: str, call: Call) -> None:
        heapq.heappush(self._due, (at, next(self._ids), verb, call))

    def _act(self, verb: str, call: Call) -> None:
        if verb == "bye":
            call.ending = True
            self._phones.do("bye", id=call.id, by=self._rng.choice(("caller", "callee")))
        elif verb == "reject":
            self._phones.do("reject", id=call.id, status=486)
        else:
            self._phones.do(verb, id=call.id)
