"""IO shell: what a registered contact costs in memory: `python -m bench.memory [CONTACTS]`.

Real REGISTERs through the registrar into a location table, as phones write them, each of another user.
Counted is what the interpreter has allocated (tracemalloc) and what the process has grown by (RSS), per
contact, with all that belongs to it: AOR, strings, expiry, for contacts behind NAT also where they were seen
and their ping.
"""

import gc
import sys
import tracemalloc
from collections.abc import Callable
from functools import partial

from sipcore.location.gruu import Gruus
from sipcore.location.table import LocationTable
from sipcore.message import Request, parse
from sipcore.nat.keepalive import Keepalive, KeepaliveSettings
from sipcore.registrar import Registrar, RegistrarSettings
from sipcore.replication.journal import Journal
from sipcore.role import Role, RoleGate
from sipcore.timers import TimerWheel
from sipcore.transport.layer import Hop

CONTACTS = 100_000
PEERS = "Kamailio 5.6.3: 1,144 bytes, OpenSIPS 4.1-dev: 1,520 bytes (their own counting)"


class Sink:
    """Takes answers and pings, and drops them."""

    def respond(self, data: bytes, status: int, now: float, hold: bool = False) -> None:
        """The answer to a REGISTER."""
        assert status == 200

    def originate(self, *_: object) -> None:
        """A ping; none is due while nothing advances the clock."""


def registered(contacts: int, *, nat: bool) -> tuple[LocationTable, Keepalive]:
    """A table with so many users, one contact each."""
    gate = RoleGate("bench")
    wheel = TimerWheel()
    table = LocationTable(gate, wheel, Journal(gate), gruus=Gruus(b"bench"))
    keepalive = Keepalive(KeepaliveSettings(), table, wheel, Sink(), [])
    gate.change(Role.MASTER, 1)
    table.on_role(Role.MASTER, 0.0)
    keepalive.on_role(Role.MASTER, 0.0)
    registrar = Registrar(RegistrarSettings(frozenset({b"example.test"})), table, None)
    sink = Sink()
    for number in range(contacts):
        request = register(number)
        host = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        source = Hop("198.51.100.7", 1024 + number % 60000) if nat else Hop(host, 5060)
        registrar.on_request(request, source, sink, number / contacts * 1800)
    assert table.contacts == contacts
    return table, keepalive


def register(number: int) -> Request:
    """The REGISTER of one phone."""
    host = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    user = f"user{number:06d}"
    request = parse(
        (
            "REGISTER sip:example.test SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:5060;branch=z9hG4bK-{number:x}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:{user}@example.test>;tag={number:x}\r\nTo: <sip:{user}@example.test>\r\n"
            f"Call-ID: {number:032x}@{host}\r\nCSeq: 1 REGISTER\r\n"
            f"Contact: <sip:{user}@{host}:5060>\r\nUser-Agent: Phone {number % 20}.1\r\nExpires: 3600\r\n"
            "Content-Length: 0\r\n\r\n"
        ).encode()
    )
    assert isinstance(request, Request)
    return request


def traced(build: Callable[[], object], contacts: int) -> float:
    """Bytes per contact that the interpreter has allocated."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = build()
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del kept
    return (after - before) / contacts


def grown(build: Callable[[], object], contacts: int) -> float:
    """Bytes per contact that the process has grown by."""
    gc.collect()
    before = _rss()
    kept = build()
    gc.collect()
    after = _rss()
    del kept
    return (after - before) / contacts


def _rss() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) * 1024


def main() -> None:
    """Print the table."""
    contacts = int(sys.argv[1]) if len(sys.argv) > 1 else CONTACTS
    out = sys.stdout.write
    registered(2000, nat=True)  # what is loaded once
    for name, nat in (("direct", False), ("behind NAT, pinged", True)):
        build = partial(registered, contacts, nat=nat)
        process, allocated = grown(build, contacts), traced(build, contacts)
        out(f"{name:20} {contacts} contacts: {allocated:6.0f} bytes each, process {process:6.0f}\n")
    out(f"{PEERS}\n")


if __name__ == "__main__":
    main()
