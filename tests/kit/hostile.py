"""IO shell: a live server among enemies: mutated and cunning messages; all that it sends is looked at.

python -m tests.kit.hostile [--seed N] [--count N]: in a network namespace of its own; prints JSON.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.sip.usage import memory
from bench.torture.wire import PHONE, SERVER, Packet, Wire, enter_namespace
from tests.kit.sip_live import CoreProcess, LivePhones
from tests.kit.sip_messages import INVITE_880, OK_760, request

CONFORMANCE = Path(__file__).parents[1] / "conformance"
BATCH = 25
VICTIMS = (
    b"192.0.2.66", b"255.255.255.255", b"224.0.1.75", b"198.51.100.255", b"[2001:db8::66]", b"[ff02::1]",
)  # fmt: skip
METHODS = (b"OPTIONS", b"INVITE", b"REGISTER", b"MESSAGE", b"BYE", b"ACK", b"CANCEL", b"NOTIFY")
SPICE = (b"\0", b"\r\n", b"\n", b'"', b"<", b",", b";", b"\xff\xfe")
PHONES = "127.0.0.4"
_PLACES = (
    b"Via: SIP/2.0/UDP %b:5060;branch=z9hG4bK%d",
    b"Via: SIP/2.0/UDP %b:5060;rport;branch=z9hG4bK%d",
    b"Via: SIP/2.0/UDP 127.0.0.2:5060;maddr=%b;branch=z9hG4bK%d",
    b"Via: SIP/2.0/UDP 127.0.0.2;received=%b;branch=z9hG4bK%d",
    b"Via: SIP/2.0/UDP 127.0.0.2;received=%b;rport=5060;branch=z9hG4bK%d;rport",
    b"Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bKv%d;ttl=255;maddr=%b",
)


def cunning(dice: random.Random) -> bytes:
    """A request (or a response) that wants something sent to a victim."""
    victim, number = dice.choice(VICTIMS), dice.randrange(10**9)
    to_victim = b"<sip:x@%b:5060>" % victim
    place = dice.choice(_PLACES)
    via = place % ((number, victim) if place.endswith(b"%b") else (victim, number))
    method = dice.choice(METHODS)
    uri = b"sip:" + dice.choice(
        [b"bob@example.test", b"example.test", b"nobody@example.test", b"x@" + victim]
    )
    uri += dice.choice([b"", b"", b";maddr=" + victim.strip(b"[]"), b";transport=udp"])
    headers = [
        header
        for header in (
            (b"Route", b"<sip:%b;lr>" % victim),
            (b"Route", b"<sip:127.0.0.1:5060;lr>, <sip:%b;lr>" % victim),
            (b"Record-Route", b"<sip:%b;lr>" % victim),
            (b"Path", b"<sip:%b;lr>" % victim),
            (b"Contact", to_victim),
            (b"Expires", b"3600"),
            (b"Reply-To", to_victim),
        )
        if dice.random() < 0.3
    ]
    to = b"<sip:bob@example.test>" + dice.choice([b"", b";tag=b1"])
    data = request(method, uri, via=via[5:], to=to, call_id=b"hostile-%d" % number, headers=headers)
    return data if dice.random() < 0.9 else _as_response(data, victim, number)


def _as_response(data: bytes, victim: bytes, number: int) -> bytes:
    """A response whose top Via is the server's, as if it had to be passed on to the victim."""
    _, _, rest = data.partition(b"\r\n")
    own = b"Via: SIP/2.0/UDP %b:%d;branch=z9hG4bKdeadbeef.%d" % (SERVER[0].encode(), SERVER[1], number)
    next_via = b"Via: SIP/2.0/UDP %b;branch=z9hG4bKx" % victim
    return b"\r\n".join((b"SIP/2.0 200 OK", own, next_via, rest))


def corpus() -> list[bytes]:
    """Torture messages and call flows, half of them moved to our domain."""
    folders = (CONFORMANCE / rfc / "data" for rfc in ("rfc4475", "rfc5118", "rfc3665"))
    found = [path.read_bytes() for folder in folders for path in sorted(folder.rglob("*.*"))]
    return [INVITE_880, OK_760, *found, *(data.replace(b"example.com", b"example.test") for data in found)]


def mutated(dice: random.Random, data: bytes) -> bytes:
    """The message with one to four small accidents."""
    for _ in range(dice.randint(1, 4)):
        at, end = sorted(dice.choices(range(len(data) + 1), k=2))
        end = min(end, at + dice.choice([1, 8, 64, 60000]))
        data = dice.choice(
            [
                data[:at],
                data[:at] + data[end:],
                data[:end] + data[at:],
                data[:at] + data[at:end] * dice.randint(2, 40) + data[end:],
                data[:at] + bytes([dice.randrange(256)]) + data[at + 1 :],
                data[:at] + dice.choice(SPICE) + data[at:],
                data.replace(b"\r\n", b"\n", 1),
                data.replace(b":", b": " * dice.randint(1, 20), 1),
                data.replace(b"127.0.0.1", dice.choice(VICTIMS)),
            ]
        )[:60000]
    return data


def datagrams(dice: random.Random, count: int) -> Iterator[bytes]:
    """What is thrown at the server."""
    base = corpus()
    for _ in range(count):
        kind = dice.random()
        if kind < 0.4:
            yield cunning(dice)
        elif kind < 0.9:
            yield mutated(dice, dice.choice(base))
        else:
            yield mutated(dice, cunning(dice))


def attack(core: CoreProcess, dice: random.Random, count: int) -> list[Packet]:
    """Throw so many datagrams; what went to somebody else than the attacker."""
    wire = Wire()
    foreign: list[Packet] = []
    try:
        waiting = list(datagrams(dice, count))
        while waiting:
            batch, waiting = waiting[:BATCH], waiting[BATCH:]
            foreign += [packet for packet in wire.throw(batch) if packet.host != PHONE]
    finally:
        wire.close()
    return foreign


def main() -> None:
    """Attack a server with two registered phones, then see whether it is well."""
    parser = argparse.ArgumentParser(prog="python -m tests.kit.hostile", description=__doc__)
    parser.add_argument("--seed", type=int, default=3261)
    parser.add_argument("--count", type=int, default=2000)
    options = parser.parse_args()
    enter_namespace()
    dice = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        print(json.dumps(campaign(Path(folder), dice, options.count)))  # noqa: T201 - this is the output


def campaign(folder: Path, dice: random.Random, count: int) -> dict[str, object]:
    """The attack, and how the server is before and after it."""
    with (
        CoreProcess(folder, port=SERVER[1]) as core,
        LivePhones(SERVER, "alice", "bob", local=PHONES) as phones,
    ):
        phones.register("alice", "bob")
        attack(core, dice, 500)  # caches fill up
        assert core.process is not None
        before = memory(core.process.pid)
        foreign = attack(core, dice, count)
        grown = memory(core.process.pid) - before
        phones.idle(0.5)
        phones.phone.call("after", b"alice", b"bob", time.monotonic())
        works = phones.until("ringing", call="after")["event"]
        counters = core.counters()
        return {
            "foreign": [
                [host, port, data.decode("latin-1")] for host, port, data in foreign if host != PHONES
            ],
            "grown": grown,
            "after": works,
            "counters": counters,
            "log": core.log() if counters["failures"] else "",
        }


if __name__ == "__main__":
    main()
