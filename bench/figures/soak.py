"""IO shell: both pairs at once under busy loops, and a hundred virtual routers at rest."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.arena import CONTENDERS, Arena
from bench.contender import Settings
from bench.faults.proc import cpu_seconds
from bench.figures.many import MANY
from haagent.lab.topology import NODES, Lan
from haagent.lab.watch import Watch

HOGS = 8
Tick = Callable[[], None]


def soak(names: list[str], seconds: float, tick: Tick) -> Iterator[tuple[str, str, float]]:
    """False takeovers of each at 10 ms; the pairs share the machine and the busy loops."""
    settings = Settings(advert=0.01, fall=2, strategy="on-master")
    with ExitStack() as stack:
        pairs = {}
        for name in names:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="haagent-soak-"))
            lan = stack.enter_context(Lan())
            contender = CONTENDERS[name](lan, Path(folder), settings)
            stack.callback(contender.stop_all)
            with Watch(lan.hosts["client"]) as watch:
                Arena(lan, contender, watch, settings).start()
            pairs[name] = contender
        before = {name: sum(map(pair.takeovers, NODES)) for name, pair in pairs.items()}
        for _ in range(HOGS):
            hog = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
            stack.callback(_end, hog)
        _wait(seconds, tick)
        for name, pair in pairs.items():
            yield "soak_false", name, float(sum(map(pair.takeovers, NODES)) - before[name])


def routers(names: list[str], seconds: float, tick: Tick) -> Iterator[tuple[str, str, float]]:
    """CPU of the master's agent with a hundred virtual routers at 100 ms; takeovers after it has settled."""
    for name in names:
        with tempfile.TemporaryDirectory(prefix="haagent-many-") as folder, Lan() as lan:
            many = MANY[name](lan, Path(folder))
            try:
                many.start()
                before, pids = many.takeovers(), many.agent("a")
                used, begin = sum(map(cpu_seconds, pids)), time.monotonic()
                _wait(seconds, tick)
                share = (sum(map(cpu_seconds, pids)) - used) / (time.monotonic() - begin)
                yield "routers_cpu", name, round(share * 100, 2)
                yield "routers_false", name, float(many.takeovers() - before)
            finally:
                many.stop()


def _wait(seconds: float, tick: Tick) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(1)
        tick()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
