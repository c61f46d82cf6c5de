"""IO shell: what indexing, reading and editing one SIP message costs, in microseconds of CPU time.

python -m bench.message
"""

import time
from collections.abc import Callable
from statistics import median

from sipcore.message import Edit, NameAddr, Request, Uri, Via, build_response, parse
from sipcore.timers import TimerWheel
from tests.kit.sip_messages import INVITE_880, OK_760, parsed_request

ROUNDS, CALLS = 15, 4000


def work(data: bytes = INVITE_880) -> tuple[object, ...]:
    """What routing reads of a message."""
    message = parse(data)
    via = message.top_via
    read = (message.method, via.branch, via.host, via.port, message.from_tag, message.to_tag, message.call_id)
    if isinstance(message, Request):
        return (*read, message.cseq, message.max_forwards, message.uri)
    return (*read, message.cseq)


def forward() -> bytes:
    """What a proxy does to a request: parse, Via and Record-Route on top, one hop less."""
    request = parse(INVITE_880)
    edit = Edit(request)
    edit.replace(b"Max-Forwards", b"%d" % ((request.max_forwards or 70) - 1))
    edit.insert_first(b"Record-Route", b"<sip:10.88.0.100:5060;lr>")
    edit.insert_first(b"Via", b"SIP/2.0/UDP 10.88.0.100:5060;branch=z9hG4bK0123456789abcdef")
    return edit.build()


def backward() -> bytes:
    """What a proxy does to a response: parse, our Via off."""
    edit = Edit(parse(OK_760))
    edit.remove_first_value(b"Via")
    return edit.build()


REQUEST = parsed_request(INVITE_880)
CASES: dict[str, Callable[[], object]] = {
    "INVITE parse": lambda: parse(INVITE_880),
    "INVITE work": work,
    "200 parse": lambda: parse(OK_760),
    "200 work": lambda: work(OK_760),
    "forward a request": forward,
    "forward a response": backward,
    "build_response 100": lambda: build_response(REQUEST, 100),
    "Via.parse": lambda: Via.parse(b"SIP/2.0/UDP 10.88.0.7:5071;branch=z9hG4bK-1234-1-0;rport"),
    "NameAddr.parse": lambda: NameAddr.parse(b'"Bob" <sip:bob@example.test:5062;ob>;tag=as7d6f'),
    "Uri.parse and aor": lambda: Uri.parse(b"sip:bob@example.test:5062;ob").aor(),
}


def cost(call: Callable[[], object]) -> float:
    """Microseconds of CPU per call."""
    start = time.process_time_ns()
    for _ in range(CALLS):
        call()
    return (time.process_time_ns() - start) / CALLS / 1000


def timers(live: int = 100_000) -> float:
    """Microseconds per transaction: three starts, two cancels, one expiry, `live` transactions at a time."""
    wheel = TimerWheel()
    start = time.process_time_ns()
    for number in range(live):
        now = number / live
        for _ in range(2):
            wheel.cancel(wheel.schedule(now + 0.5, _nothing))
        wheel.schedule(now + 32.0, _nothing)
    wheel.advance(40.0)
    return (time.process_time_ns() - start) / live / 1000


def _nothing(now: float) -> None:
    pass


def main() -> None:
    """Print the median of interleaved rounds."""
    figures: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(ROUNDS):
        for name, call in CASES.items():
            figures[name].append(cost(call))
    for name, rounds in figures.items():
        print(f"{name:22} {median(rounds):6.2f} us")  # noqa: T201 - this is the output
    print(f"{'timers':22} {median(timers() for _ in range(5)):6.2f} us")  # noqa: T201 - this is the output


if __name__ == "__main__":
    main()
