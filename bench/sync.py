"""IO shell: full sync, lag and memory of the hot standby: `python -m bench.sync [CONTACTS] [DIALOGS]`.

Two processes on loopback, one core each: a master with so many contacts and dialogs and 1,000 changes per
second, and a standby that begins with nothing. Measured by the master's clock from the connection on until
the standby has confirmed the last chunk; by both nodes' digests that they hold the same; by the
acknowledgement of each change how long an answer that waits for it is held. CPU time is each process's own.
"""

import argparse
import asyncio
import gc
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sipcore.dialog.dialog import Dialog, Leg, State
from sipcore.dialog.replica import DialogReplica
from sipcore.dialog.table import DialogTable
from sipcore.location.binding import Binding
from sipcore.location.replica import LocationReplica
from sipcore.location.table import LocationTable
from sipcore.replication.journal import Journal
from sipcore.replication.link import LinkCallbacks, LinkSettings, ReplicationLink
from sipcore.replication.session import ReplicationSession
from sipcore.role import Role, RoleGate
from sipcore.timers import TimerWheel
from sipcore.transport.layer import Hop

KEY = b"a key for the benchmark alone"
ADDRESSES = ("127.0.81.1", "127.0.81.2")
RATE = 1000  # changes per second
PHASE = 5.0  # seconds of traffic after the sync, for the lag


class Node:
    """The tables of one node and its link."""

    def __init__(self, name: str, port: int) -> None:
        mine, other = ADDRESSES if name == "a" else ADDRESSES[::-1]
        now = time.monotonic()
        self.gate = RoleGate(name)
        self.wheel = TimerWheel(now=now)
        self.journal = Journal(self.gate, incarnation=time.time_ns())
        self.location = LocationTable(self.gate, self.wheel, self.journal)
        self.dialogs = DialogTable(self.wheel, self.journal)
        self.held = DialogReplica(self.gate, self.dialogs)
        self.journal.register(LocationReplica(self.location))
        self.journal.register(self.held)
        self.lags: list[float] = []
        settings = LinkSettings(name, KEY, (mine, port), ((other, port),), budget=1.0)
        self.link: ReplicationLink[float] = ReplicationLink(
            settings, self.journal, LinkCallbacks(self._on_release, lambda epoch: None)
        )

    def _on_release(self, sent: list[float]) -> None:
        now = time.monotonic()
        self.lags += [now - at for at in sent]

    def register(self, number: int, now: float) -> None:
        """A phone registers, or again."""
        binding = Binding(
            b"sip:user%d@10.%d.%d.%d:5060" % (number, number >> 16, number >> 8 & 255, number & 255),
            call_id=b"%dab3f@10.0.0.1" % number,
            cseq=1,
            expires_at=now + 3600,
            received=Hop("198.51.100.7", 1024 + number % 60000) if number % 2 else None,
            user_agent=b"Phone 1.2",
        )
        self.location.save(b"sip:user%d@example.test" % number, binding, now)

    def call(self, number: int, now: float) -> None:
        """A call that was answered."""
        dialog = Dialog(b"%d-call@10.0.0.1 tag%d" % (number, number), b"tag%d" % number, now, now + 43200)
        dialog.from_uri, dialog.to_uri = b"sip:alice@example.test", b"sip:bob@example.test"
        dialog.contact, dialog.cseq, dialog.answered_at = b"sip:alice@10.1.1.1:5060", 1, now
        leg = Leg(b"totag%d" % number, State.CONFIRMED)
        leg.contact = b"sip:bob@10.2.2.2:5060"
        dialog.legs, dialog.state = (leg,), State.CONFIRMED
        self.dialogs.adopt(dialog, now)
        self.dialogs.touch(dialog)

    @property
    def session(self) -> ReplicationSession | None:
        """That with the other node, once it has said its name."""
        return next((c.session for c in self.link.connections if c.node), None)


async def standby(port: int) -> None:
    """Holds what it is told, until it is ended; prints what it cost, on each line that it reads."""
    node = Node("b", port)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    gc.freeze()
    gc.disable()
    await node.link.start()
    rss, cpu = _rss(), time.process_time()
    while await reader.readline():
        row = {"rss": _rss() - rss, "cpu": time.process_time() - cpu}
        row |= {"contacts": node.location.contacts, "dialogs": len(node.held)}
        print(json.dumps(row), flush=True)  # noqa: T201 - for the master's process


async def measure(contacts: int, dialogs: int, rate: int, port: int) -> dict[str, object]:
    """One sync and the traffic after it."""
    node = Node("a", port)
    node.gate.change(Role.MASTER, 1)
    rss = _rss()
    now = time.monotonic()
    for number in range(contacts):
        node.register(number, now)
    for number in range(dialogs):
        node.call(number, now)
    node.link.send_batch(now)
    filled = _rss() - rss
    gc.freeze()
    gc.disable()
    await node.link.start()
    argv = [sys.executable, "-m", "bench.sync", "--standby", str(port)]
    child = await asyncio.create_subprocess_exec(
        *argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]
    )
    try:
        await _until(lambda: node.session is not None)
        session = node.session
        assert session is not None
        began, cpu = time.monotonic(), time.process_time()
        traffic = asyncio.create_task(_traffic(node, contacts, rate))
        await _until(lambda: session.sender.synced)
        took, own = time.monotonic() - began, time.process_time() - cpu
        there = await _tell(child)
        await _until(lambda: session.comparison.matched_at is not None)
        matched = time.monotonic() - began
        node.lags.clear()
        await asyncio.sleep(PHASE)
        traffic.cancel()
        lags = sorted(node.lags)
        verified = await node.link.verify()
        records = contacts + dialogs
        return {
            "contacts": contacts,
            "dialogs": dialogs,
            "sync_s": round(took, 3),
            "master_cpu_s": round(own, 3),
            "standby_cpu_s": round(there["cpu"], 3),
            "digests_equal_after_s": round(matched, 3),
            "verify_equal": verified["equal"],
            "events_per_s": rate,
            "lag_ms_median": round(lags[len(lags) // 2] * 1000, 3) if lags else None,
            "lag_ms_p99": round(lags[len(lags) * 99 // 100] * 1000, 3) if lags else None,
            "standby_bytes_per_record": there["rss"] // max(records, 1),
            "master_bytes_per_record": filled // max(records, 1),
        }
    finally:
        child.terminate()
        await child.wait()
        await node.link.stop()


async def _until(condition: Callable[[], bool]) -> None:
    """Nobody is there to tell it: look each millisecond."""
    met = asyncio.Event()

    def look() -> None:
        if condition():
            met.set()
        else:
            loop.call_later(0.001, look)

    loop = asyncio.get_running_loop()
    look()
    await met.wait()


async def _tell(child: asyncio.subprocess.Process) -> dict[str, int]:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(b"\n")
    while not (line := await child.stdout.readline()).startswith(b"{"):
        pass  # its log
    row: dict[str, int] = json.loads(line)
    return row


async def _traffic(node: Node, contacts: int, rate: int) -> None:
    """So many refreshes per second, in batches of 5 ms at most; each answer waits for the standby."""
    began, done = time.monotonic(), 0
    while rate:
        now = time.monotonic()
        due = int((now - began) * rate)
        for number in range(done, due):
            node.register(number * 7919 % max(contacts, 1000), now)
        if due > done:
            node.link.send_batch(now)
            node.link.hold([now] * (due - done), now)
        done = due
        await asyncio.sleep(0.001)


def _rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def main() -> None:
    """Print one object per size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contacts", nargs="?", type=int, default=100_000)
    parser.add_argument("dialogs", nargs="?", type=int, default=0)
    parser.add_argument("--rate", type=int, default=RATE)
    parser.add_argument("--port", type=int, default=5870)
    parser.add_argument("--standby", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.standby:
        asyncio.run(standby(given.standby))
        return
    result = asyncio.run(measure(given.contacts, given.dialogs, given.rate, given.port))
    print(json.dumps(result, indent=2))  # noqa: T201 - the figures are asked for


if __name__ == "__main__":
    main()
