"""IO shell: faults at phases of the advertisements, reloads and heals: `rounds` times each, on one pair."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.arena import AROUND, CONTENDERS, Arena, Round, lost_probes
from bench.contender import Contender, Settings
from bench.faults.proc import resident_mb, shared_mb
from bench.faults.wire import Filter
from bench.ours import Ours
from haagent.lab.outcome import Fault
from haagent.lab.sight import Sort
from haagent.lab.topology import Lan
from haagent.lab.watch import Watch, wait_until

Sample = tuple[str, float | None]
HELLO = 0.003
PARTED = 1.5
HEALED = 1.5


@dataclass(frozen=True)
class Session:
    """One pair and what is done to it."""

    advert: float
    keys: tuple[str, ...]
    hello: float = 0.0


SESSIONS = (
    Session(0.1, ("memory", "switchover", "agent", "core", "link", "freeze", "heal", "reload")),
    Session(1.0, ("switchover_1s",)),
    Session(0.01, ("power_10ms",)),
    Session(0.1, ("power_hello", "freeze_hello"), hello=HELLO),
)
FAULTS: dict[str, Fault] = {
    "switchover": Fault.SWITCHOVER, "switchover_1s": Fault.SWITCHOVER, "agent": Fault.AGENT,
    "core": Fault.CORE, "link": Fault.LINK, "freeze": Fault.FREEZE, "power_10ms": Fault.POWER,
    "power_hello": Fault.POWER, "freeze_hello": Fault.FREEZE,
}  # fmt: skip
FIGURES: dict[str, Callable[[Round], list[Sample]]] = {
    "switchover": lambda r: [("switchover_gap", r.gap_ms), ("switchover_lost", r.lost)],
    "switchover_1s": lambda r: [("switchover_gap_1s", r.gap_ms)],
    "agent": lambda r: [("agent_moved", r.switch_ms), ("agent_owners", r.owners)],
    "core": lambda r: [("core_gap", r.sip_gap_ms), ("core_moved", r.switch_ms)],
    "link": lambda r: [("link_gap", r.gap_ms)],
    "power_10ms": lambda r: [("power_gap_10ms", r.gap_ms)],
    "power_hello": lambda r: [("power_gap_hello", r.gap_ms)],
    "freeze": lambda r: [
        ("freeze_owners", r.owners), ("freeze_double", r.double_ms), ("freeze_gap", r.gap_ms),
    ],
    "freeze_hello": lambda r: [("freeze_gap_hello", r.gap_ms), ("freeze_double_hello", r.double_ms)],
}  # fmt: skip


def play(session: Session, name: str, keys: tuple[str, ...], rounds: int) -> Iterator[list[Sample]]:
    """A pair of the contender; after each round what it has shown."""
    settings = Settings(advert=session.advert, fall=2, strategy="on-master", hello=session.hello)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="haagent-figures-"))
        lan = stack.enter_context(Lan())
        contender = CONTENDERS[name](lan, Path(folder), settings)
        stack.callback(contender.stop_all)
        watch = stack.enter_context(Watch(lan.hosts["client"], sip_every=1))
        arena = Arena(lan, contender, watch, settings)
        arena.start()
        for key in keys:
            yield from _do(key, arena, _Parts(lan, contender, watch), rounds)
        if isinstance(contender, Ours) and (actions := contender.actions()):
            yield [("announce", value) for value in actions]


@dataclass(frozen=True)
class _Parts:
    lan: Lan
    contender: Contender
    watch: Watch


def _do(key: str, arena: Arena, parts: _Parts, rounds: int) -> Iterator[list[Sample]]:
    if key == "memory":
        yield _memory(parts.contender, arena.find_master())
        return
    for index in range(rounds):
        if key == "heal":
            yield _heal(arena, parts)
        elif key == "reload":
            yield _reload(arena, parts)
        else:
            yield FIGURES[key](arena.play(FAULTS[key], (index + 0.5) / rounds))


def _memory(contender: Contender, node: str) -> list[Sample]:
    """Our guard alone is real-time and must be small; keepalived's two processes do what it does."""
    pids = contender.agent(node)
    if isinstance(contender, Ours):
        pids = [(contender.pair.nodes[node].agent_status() or {})["guard_pid"]]
    return [
        (key, round(sum(map(of, pids)), 1)) for key, of in (("memory", shared_mb), ("resident", resident_mb))
    ]


def _reload(arena: Arena, parts: _Parts) -> list[Sample]:
    time.sleep(AROUND)
    at = time.monotonic()
    parts.contender.reload(arena.find_master())
    time.sleep(0.5)
    end = time.monotonic() - 0.05
    return [("reload_lost", lost_probes(parts.watch.sight, at - AROUND, end))]


def _heal(arena: Arena, parts: _Parts) -> list[Sample]:
    """Both are master for a while; then there must be one, and the client must find it."""
    filters, sight = Filter(parts.lan), parts.watch.sight
    filters.drop_between()
    filters.drop_between(wire="sync")
    time.sleep(PARTED)
    at = time.monotonic()
    filters.clear()
    time.sleep(HEALED)
    end = time.monotonic() - 0.05
    gap = sight.gap(Sort.ICMP, at, end)
    dead = gap.length is None or gap.length > HEALED / 2
    wait_until(lambda: len(sight.who(Sort.ARP, time.monotonic() - 0.3, time.monotonic())) == 1, 10)
    wait_until(lambda: all(parts.contender.ready(node) for node in ("a", "b")), 10)
    return [("heal_dead", float(dead)), ("heal_gap", None if dead else round((gap.length or 0) * 1e3, 2))]
