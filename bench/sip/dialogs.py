"""IO shell: python -m bench.sip.dialogs: what a held dialog weighs, and what following a call costs.

No socket and no proxy: the dialog table alone gets INVITE, 180, 200, ACK and BYE of phones with URIs, tags
and Call-IDs of usual length, parsed beforehand.
"""

import argparse
import gc
import time
from collections.abc import Callable
from statistics import median

from rich.console import Console

from bench.sip.usage import memory
from sipcore.dialog.settings import DialogSettings
from sipcore.dialog.table import DialogTable
from sipcore.message import Message, Request, Response, build_response, parse
from sipcore.replication.journal import Journal
from sipcore.role import Role, RoleGate
from sipcore.timers import TimerWheel
from tests.kit.sip_messages import INVITE_880

OWN_ROUTE = b"<sip:10.88.0.100:5060;lr>"
Step = Callable[[DialogTable], object]


def table() -> DialogTable:
    """An empty one, of a master without peers."""
    gate = RoleGate("a")
    gate.change(Role.MASTER, 1)
    found = DialogTable(TimerWheel(), Journal(gate), DialogSettings(max_dialogs=10_000_000))
    found.is_us = lambda uri: uri == OWN_ROUTE.strip(b"<>")
    return found


def call(number: int) -> tuple[Step, ...]:
    """INVITE, 180, 200, ACK, BYE of one call, each as what the table is told."""
    mark = b"%08d" % number
    invite = _request(
        INVITE_880.replace(b"3848276298220188511", b"38482762982" + mark).replace(b"9fxced76", mark)
    )
    headers = ((b"Record-Route", OWN_ROUTE), (b"Contact", b"<sip:bob@10.88.0.22:5071;transport=udp>"))
    ringing, answer = (
        _response(build_response(invite, status, to_tag=b"a6c8" + mark, headers=headers))
        for status in (180, 200)
    )
    ack, bye = (_inside(answer, method, cseq) for method, cseq in ((b"ACK", 1), (b"BYE", 2)))
    return (
        lambda table: table.on_invite(invite, 0.0),
        lambda table: table.on_response(ringing, 0.0, invite),
        lambda table: table.on_response(answer, 0.0, invite),
        lambda table: table.on_request(ack, 0.0),
        lambda table: table.on_request(bye, 0.0),
    )


def weigh(count: int) -> float:
    """Bytes per confirmed dialog."""
    found = table()
    for number in range(1000):
        _carry(found, call(number)[:4])
    gc.collect()
    before = memory()
    for number in range(1000, 1000 + count):
        _carry(found, call(number)[:4])
    gc.collect()
    return (memory() - before) / count


def cost(count: int) -> float:
    """Microseconds of CPU per whole call."""
    found = table()
    calls = [call(number) for number in range(count)]
    begin = time.process_time()
    for steps in calls:
        for step in steps:
            step(found)
    return (time.process_time() - begin) / count * 1e6


def _carry(found: DialogTable, steps: tuple[Step, ...]) -> None:
    for step in steps:
        step(found)


def _inside(answer: Response, method: bytes, cseq: int) -> Request:
    lines = {name: answer.first(name) or b"" for name in (b"from", b"to", b"call-id")}
    head = b"%b sip:bob@10.88.0.22 SIP/2.0\r\nVia: SIP/2.0/UDP 10.88.0.21;branch=z9hG4bKx\r\n" % method
    rest = b"".join(name + b": " + value + b"\r\n" for name, value in lines.items())
    return _request(head + rest + b"CSeq: %d %b\r\n\r\n" % (cseq, method))


def _request(data: bytes) -> Request:
    message: Message = parse(data)
    assert isinstance(message, Request)
    return message


def _response(data: bytes) -> Response:
    message: Message = parse(data)
    assert isinstance(message, Response)
    return message


def main() -> None:
    """Show both figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.sip.dialogs", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    arguments = parser.parse_args()
    console = Console(width=140)
    console.print(f"{weigh(arguments.count):.0f} bytes per dialog")
    gc.disable()
    costs = [cost(2000) for _ in range(9)]
    console.print(f"{median(costs):.1f} us per call ({min(costs):.1f}..{max(costs):.1f}), dialog table alone")


if __name__ == "__main__":
    main()
