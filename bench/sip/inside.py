"""IO shell: python -m bench.sip.inside: what the SIP core alone takes per call or REGISTER: no socket.

It runs on virtual time in this process, so that a change in the core shows within a second and without noise
of the kernel. With --replication it packs, encodes and closes what a standby would be sent. With --profile it
shows the functions; with --memory what a contact weighs when its transaction is over.
"""

import argparse
import cProfile
import gc
import tempfile
import time
from collections import deque
from pathlib import Path
from statistics import median

from rich.console import Console

from bench.sip.calls import Calls
from bench.sip.load import Load
from bench.sip.profile import rows, show
from bench.sip.registers import Registers
from bench.sip.servers import HOST, write_config
from bench.sip.usage import memory
from sipcore.auth.replica import NonceReplica
from sipcore.files import load_config
from sipcore.location.replica import LocationReplica
from sipcore.replication.frame import FrameType, FrameWriter
from sipcore.replication.wire import batch_head
from sipcore.role import Role
from sipcore.server.assemble import Parts, assemble
from sipcore.transport.layer import Hop

USERS, BATCH = 2000, 50
CALLER, CALLEE, PHONE = 40001, 40002, 40003
PER_SECOND = 2000  # how many begin in a second of the virtual time


class Inside:
    """A core whose wire is a queue; `spent` is the CPU time in it, in seconds."""

    def __init__(self, folder: Path, users: int = USERS, *, replicates: bool = False) -> None:
        loaded = load_config(write_config(folder, port=5060, users=users, digest=True))
        self.now = 1000.0
        self.parts: Parts = assemble(loaded, self.now)
        self._writer = FrameWriter(bytes(32)) if replicates else None
        if replicates:
            self.parts.journal.register(LocationReplica(self.parts.location))
            self.parts.journal.register(NonceReplica(self.parts.auth.nonces))
        else:
            self.parts.journal.clear()  # as without peers
        self.core = self.parts.core
        self.core.on_role(Role.MASTER, 1, self.now)
        self.spent = 0.0
        self.profile: cProfile.Profile | None = None
        self._wire: deque[tuple[bytes, Hop]] = deque()
        self._ports = {number: _Port(number, self._wire) for number in (CALLER, CALLEE, PHONE)}
        self.calls = Calls(self._ports[CALLER], self._ports[CALLEE], users, "inside")
        self.registers = Registers(self._ports[PHONE], users, CALLEE, digest=True)

    def run(self, load: Load, count: int) -> float:
        """Carry out `count` of them, 50 at a time; microseconds of the core for each."""
        spent, before, launched = self.spent, load.done, 0
        while load.done - before < count:
            while launched < min(count, load.done - before + BATCH):
                load.launch()
                launched += 1
                self.now += 1 / PER_SECOND
            for data, hop in self._step():
                load.on_data(self._ports[hop.port], data)
        return (self.spent - spent) * 1e6 / count

    def _step(self) -> list[tuple[bytes, Hop]]:
        """What a batch of datagrams costs the core, with the timers that are due."""
        core, now = self.core, self.now
        batch = [self._wire.popleft() for _ in range(len(self._wire))]
        assert batch, "a message was lost in the core"
        if self.profile is not None:
            self.profile.enable()
        begin = time.process_time()
        for data, source in batch:
            core.feed(data, source, now)
        sends = core.take()
        deadline = core.deadline
        if deadline is not None and deadline <= now:
            core.on_timer(now)
            sends += core.take()
        if self._writer is not None:  # what the link does for one peer, but for the socket
            while (flushed := self.parts.journal.flush(now)) is not None:
                self._writer.frame(FrameType.RECORDS, batch_head(flushed[0], 1, 0.0), flushed[1])
        self.spent += time.process_time() - begin
        if self.profile is not None:
            self.profile.disable()
        return [(send.data, send.hop) for send in sends]


class _Port:
    def __init__(self, number: int, wire: deque[tuple[bytes, Hop]]) -> None:
        self.number = number
        self._wire, self._hop = wire, Hop(HOST, number)

    def send(self, data: bytes) -> None:
        self._wire.append((data, self._hop))


def weigh(folder: Path, count: int) -> float:
    """Bytes per contact of a server that holds `count` of them, when all transactions are over."""
    inside = Inside(folder, count)
    inside.run(inside.registers, count // 2)  # its transactions leave room for those of the others
    _rest(inside)
    before = memory(), inside.parts.location.contacts
    inside.run(inside.registers, count - count // 2)
    _rest(inside)
    return (memory() - before[0]) / (inside.parts.location.contacts - before[1])


def _rest(inside: Inside) -> None:
    """Let the timers of all transactions pass."""
    for _ in range(100):
        inside.now += 1.0
        inside.core.on_timer(inside.now)
    gc.collect()


def main() -> None:
    """Measure in rounds; show the median, or the functions."""
    parser = argparse.ArgumentParser(prog="python -m bench.sip.inside", description=__doc__)
    parser.add_argument("scenario", nargs="?", choices=("call", "register"), default="call")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--replication", action="store_true", help="with the log for a standby")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--rows", type=int, default=45)
    parser.add_argument("--memory", action="store_true")
    arguments = parser.parse_args()
    console = Console(width=140)
    with tempfile.TemporaryDirectory(prefix="sipcore-inside-") as folder:
        if arguments.memory:
            console.print(f"{weigh(Path(folder) / 'core', 100_000):.0f} bytes per contact")
            return
        inside = Inside(Path(folder) / "core", replicates=arguments.replication)
        inside.run(inside.registers, USERS)
        load: Load = inside.calls if arguments.scenario == "call" else inside.registers
        gc.disable()
        if arguments.profile:
            inside.profile = cProfile.Profile()
            inside.run(load, arguments.count)
            inside.profile.dump_stats(out := Path(folder) / "profile")
            console.print(show(rows(out, arguments.count)[: arguments.rows], arguments.scenario))
            return
        costs = [inside.run(load, arguments.count) for _ in range(arguments.rounds)]
        spread = f"({min(costs):.1f}..{max(costs):.1f})"
        console.print(f"{median(costs):.1f} us per {arguments.scenario} {spread}, core alone")


if __name__ == "__main__":
    main()
