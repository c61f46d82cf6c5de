"""IO shell: the rounds of the comparison: each server in turn, each scenario at each rate."""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.sip.calls import Calls
from bench.sip.load import Load, Outcome, UdpPort, run
from bench.sip.registers import Registers
from bench.sip.servers import HOST, PATIENCE, ROOT, Server, ServerError, kamailio, sipcore
from bench.sip.standby import PAIRS, kamailio_dmq, sipcore_standby

SERVERS = ("kamailio", "sipcore")
SERVER_CORE, OWN_CORE = 0, 1
SETTLE = 0.15  # seconds that a server has to end what it does after the last answer


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured: rates per second (0: closed loop), seconds and counts of a round."""

    servers: tuple[str, ...] = SERVERS
    call_rates: tuple[float, ...] = (200, 1000, 2000, 0)
    register_rates: tuple[float, ...] = (1000, 0)
    rounds: int = 5
    seconds: float = 3.0
    closed: int = 5000  # calls of a closed loop; REGISTERs: each user once
    outstanding: int = 50
    users: int = 20_000
    warm_up: int = 1000
    replication: bool = False  # each server with a standby as well
    weigh: bool = True  # how much a contact of ours weighs, which takes a while


@dataclass(frozen=True, slots=True)
class Sample:
    """One scenario of one round on one server; CPU in microseconds per call or REGISTER."""

    server: str
    scenario: str
    rate: float
    round: int
    count: int
    failed: int
    wrong: dict[str, int]
    per_second: float
    cpu_us: float
    user_us: float
    system_us: float
    server_busy: float
    generator_busy: float


@dataclass(frozen=True, slots=True)
class Weight:
    """Bytes per contact of a server's processes, from the difference that registering many made."""

    server: str
    bytes_per_contact: float


@dataclass(slots=True)
class Contender:
    """A server with the loads that it gets: calls and digest on one, REGISTER without digest on the other."""

    name: str
    server: Server
    calls: Calls
    digest: Registers
    plain: tuple[Server, Registers] | None

    def loads(self) -> dict[str, tuple[Server, Load]]:
        """By scenario."""
        found: dict[str, tuple[Server, Load]] = {"call": (self.server, self.calls)}
        if self.plain is not None:
            found["REGISTER"] = self.plain
        found["REGISTER digest"] = (self.server, self.digest)
        return found


class Comparison:
    """All servers up, all users registered; `samples` measures."""

    def __init__(self, plan: Plan, progress: Callable[[str], None]) -> None:
        self.plan = plan
        self.weights: list[Weight] = []
        self.notes: list[str] = []
        self._progress = progress
        self._stack = ExitStack()
        self._contenders: list[Contender] = []

    def __enter__(self) -> "Comparison":
        if len(os.sched_getaffinity(0)) > 1:
            os.sched_setaffinity(0, {OWN_CORE})
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="sipcore-bench-")))
        with self._stack:
            for name in self.plan.servers:
                self._contenders.append(self._contender(name, folder))
            for name in PAIRS if self.plan.replication else ():
                self._contenders.append(self._pair(name, folder))
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def samples(self) -> Iterator[Sample]:
        """Round by round; in every second round the servers take turns the other way round."""
        plan = self.plan
        for number in range(plan.rounds):
            order = self._contenders if number % 2 == 0 else self._contenders[::-1]
            for scenario in ("call", "REGISTER", "REGISTER digest"):
                for rate in plan.call_rates if scenario == "call" else plan.register_rates:
                    for contender in order:
                        yield from self._sample(contender, scenario, rate, number)

    @property
    def steps(self) -> int:
        """How many samples there will be."""
        rates = {"call": self.plan.call_rates}
        return self.plan.rounds * sum(
            len(rates.get(scenario, self.plan.register_rates))
            for contender in self._contenders
            for scenario in contender.loads()
        )

    def _sample(self, contender: Contender, scenario: str, rate: float, number: int) -> Iterator[Sample]:
        loads = contender.loads()
        if scenario not in loads:
            return
        self._progress(f"{contender.name}: {scenario}, {f'{rate:g}/s' if rate else 'closed loop'}")
        server, load = loads[scenario]
        closed = self.plan.closed if scenario == "call" else self.plan.users
        count = int(rate * self.plan.seconds) if rate else closed
        before = server.usage()
        outcome = run(load, count, rate=rate, outstanding=self.plan.outstanding)
        time.sleep(SETTLE)
        spent = server.usage().since(before)
        done = max(1, outcome.done)
        yield Sample(
            contender.name, scenario, rate, number, count, outcome.failed, dict(outcome.wrong),
            outcome.done / outcome.seconds, spent.total * 1e6 / done, spent.user * 1e6 / done,
            spent.system * 1e6 / done, spent.total / outcome.seconds, outcome.busy,
        )  # fmt: skip

    def _contender(self, name: str, folder: Path) -> Contender:
        start = {"sipcore": sipcore, "kamailio": kamailio}[name]
        plan, enter = self.plan, self._stack.enter_context
        server = enter(start(folder / name, core=SERVER_CORE, users=plan.users, digest=True))
        calls, digest = self._loads(server)
        held = server.memory()
        self._register(name, digest)
        # Kamailio keeps no transaction of a REGISTER: all that it holds more now is contacts. Ours does.
        if name != "sipcore":
            self.weights.append(Weight(name, (server.memory() - held) / plan.users))
        elif plan.weigh:
            self.weights.append(Weight(name, weigh_alone()))
        plain = None
        try:
            other = enter(start(folder / f"{name}-plain", core=SERVER_CORE, users=plan.users, digest=False))
        except ServerError as error:
            self.notes.append(f"{name} without digest: {str(error).splitlines()[-1]}")
        else:
            plain = (
                other,
                Registers(UdpPort((HOST, other.port)), plan.users, calls.contact_port, digest=False),
            )
            self._register(f"{name} without digest", plain[1])
        self._progress(f"{name}: warming up")
        self._check(name, run(calls, plan.warm_up, outstanding=plan.outstanding))
        return Contender(name, server, calls, digest, plain)

    def _pair(self, name: str, folder: Path) -> Contender:
        start = {"sipcore-standby": sipcore_standby, "kamailio-dmq": kamailio_dmq}[name]
        plan, cores = self.plan, {"core": SERVER_CORE, "standby_core": OWN_CORE}
        server, contacts = self._stack.enter_context(
            start(folder / name, users=plan.users, digest=True, **cores)
        )
        calls, digest = self._loads(server)
        self._register(name, digest)
        end = time.monotonic() + PATIENCE
        while (held := contacts()) < plan.users:
            if time.monotonic() > end:
                raise ServerError(f"{name}: the standby holds {held} of {plan.users} contacts")
            time.sleep(0.1)
        self._progress(f"{name}: warming up")
        self._check(name, run(calls, plan.warm_up, outstanding=plan.outstanding))
        return Contender(name, server, calls, digest, None)

    def _loads(self, server: Server) -> tuple[Calls, Registers]:
        proxy, users = (HOST, server.port), self.plan.users
        calls = Calls(UdpPort(proxy), UdpPort(proxy), users, secrets.token_hex(3))
        return calls, Registers(UdpPort(proxy), users, calls.contact_port, digest=True)

    def _register(self, name: str, load: Registers) -> None:
        self._progress(f"{name}: registering {self.plan.users} users")
        self._check(name, run(load, self.plan.users, outstanding=self.plan.outstanding))

    @staticmethod
    def _check(name: str, outcome: Outcome) -> None:
        if outcome.failed:
            raise ServerError(f"{name}: {outcome.failed} of {outcome.count} failed: {Counter(outcome.wrong)}")


def weigh_alone() -> float:
    """Bytes per contact of our core when the transactions are over, in a process of its own."""
    argv = [sys.executable, "-m", "bench.sip.inside", "--memory"]
    said = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True)
    return float(said.stdout.split()[-4])
