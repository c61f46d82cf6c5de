"""Sans-IO: twice as much input costs at most about twice as much CPU, whatever it is made of."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from sipcore.auth.digest import parse_credentials
from sipcore.errors import ParseError
from sipcore.message import Edit, NameAddr, Uri, Via, build_response, parse
from sipcore.message.limits import configure
from sipcore.message.params import join_params, parse_params, split_values
from sipcore.message.sdp import Sdp, find
from sipcore.transport.framing import Framing
from tests.kit.sip_messages import SDP, parsed_request, request

FACTOR = 3.5  # quadratic is 4
MOST = 1 << 20
VIA = b"SIP/2.0/UDP h;branch=z9hG4bK1"
ROUTE = b"<sip:h;lr>"


@pytest.fixture(autouse=True)
def no_limits() -> Iterator[None]:
    """What the limits would refuse early is to be looked at whole."""
    configure(**dict.fromkeys(("message_bytes", "header_bytes", "header_lines", "vias"), MOST),
              **dict.fromkeys(("record_routes", "uri_bytes", "values", "params"), MOST))  # fmt: skip
    yield
    configure()


def whole(data: bytes) -> None:
    """A message, read as far as anybody reads it, and answered."""
    message = parse(data)
    for name in message.first_lines.keys() - {b":"}:
        message.values(name)
    Edit(message).build()
    build_response(parsed_request(data), 400, to_tag=b"t")


def with_header(
    name: bytes, value: Callable[[int], bytes]
) -> tuple[Callable[[bytes], object], Callable[[int], bytes]]:
    return whole, lambda n: request(headers=[(name, value(n))])


def piecemeal(data: bytes) -> None:
    framing = Framing(MOST, MOST)
    for at in range(len(data)):
        framing.feed(data[at : at + 1])


def multipart(data: bytes) -> None:
    find(b'multipart/mixed; boundary="x"', data)


def joined(data: bytes) -> None:
    join_params(parse_params(data))


def rewritten(data: bytes) -> None:
    Sdp.parse(data).with_address(b"192.0.2.1")


def edited(data: bytes) -> None:
    edit = Edit(parse(data))
    edit.remove(b"X-Any")
    edit.build()


Reader = Callable[[bytes], object]
Maker = Callable[[int], bytes]
CASES: dict[str, tuple[Reader, Maker]] = {
    "header lines": (whole, lambda n: request(headers=[(b"X-Any", b"y")] * n)),
    "names": (parse, lambda n: request(headers=[(b"X-%d" % k, b"y") for k in range(n)])),
    "Vias in lines": (whole, lambda n: request(headers=[(b"Via", VIA)] * n)),
    "Vias in one line": with_header(b"Via", lambda n: b", ".join([VIA] * n)),
    "Routes": (whole, lambda n: request(headers=[(b"Route", ROUTE)] * n)),
    "Record-Routes": with_header(b"Record-Route", lambda n: b",".join([ROUTE] * n)),
    "folds": with_header(b"Subject", lambda n: b"a" + b"\r\n b" * n),
    "a folded Via": (parse, lambda n: request(via=VIA + b"\r\n ;x=1" * n)),
    "white space": with_header(b"Subject", lambda n: b" \t" * 20 * n),
    "commas": with_header(b"Contact", lambda n: b"," * n),
    "quotes": with_header(b"Contact", lambda n: b'"' * n),
    "escapes": with_header(b"Contact", lambda n: b'"' + b'\\"' * n + b'" <sip:a@b>'),
    "open brackets": with_header(b"Contact", lambda n: b"<" * n),
    "long numbers": (parse, lambda n: request(headers=[(b"Content-Length", b"1" * 100 * n)])),
    "a long CSeq": (parse, lambda n: request().replace(b"CSeq: 1", b"CSeq: " + b"0" * 100 * n + b"1")),
    "a long From": (parse, lambda n: request(sender=b'"' + b"a\\" * 20 * n + b'" <sip:a@b>')),
    "removed lines": (edited, lambda n: request(headers=[(b"X-Any", b"y")] * n)),
    "URI: parameters": (Uri.parse, lambda n: b"sip:a@b" + b";p=1" * n),
    "URI: escapes": (lambda data: Uri.parse(data).aor(), lambda n: b"sip:" + b"%41" * n + b"@b"),
    "URI: at signs": (Uri.parse, lambda n: b"sip:" + b"@" * 20 * n),
    "URI: headers": (lambda d: Uri.parse(d).matches(Uri.parse(d)), lambda n: b"sip:a@b?" + b"a=b&" * n),
    "URI: digits": (Uri.parse, lambda n: b"tel:+" + b"1-" * 20 * n),
    "URI: an address": (Uri.parse, lambda n: b"sip:[" + b"::" * 20 * n + b"]"),
    "Via: parameters": (Via.parse, lambda n: VIA + b";p=1" * n),
    "Via: white space": (Via.parse, lambda n: b"SIP / 2.0 / UDP" + b" " * 100 * n + b"h" + b" ;x" * n),
    "Via: a host": (Via.parse, lambda n: b"SIP/2.0/UDP " + b"h." * 20 * n + b" x"),
    "address: display name": (NameAddr.parse, lambda n: b"a " * 20 * n + b"<sip:a@b>"),
    "address: quotes": (NameAddr.parse, lambda n: b'"' + b"\\" * 20 * n),
    "parameters": (joined, lambda n: b"".join(b";p%d=1" % k for k in range(n))),
    "quoted parameters": (parse_params, lambda n: b';p="\\";"' * n),
    "values": (split_values, lambda n: b'"," <,>,' * n),
    "credentials": (parse_credentials, lambda n: b"Digest " + b",".join(b'p%d="1"' % k for k in range(n))),
    "credentials: quotes": (parse_credentials, lambda n: b"Digest " + b'a="' * n),
    "credentials: spaces": (parse_credentials, lambda n: b"Digest " + b" " * 20 * n + b"a"),
    "SDP: lines": (Sdp.parse, lambda n: SDP + b"a=x\r\n" * n),
    "SDP: media": (rewritten, lambda n: SDP + b"m=audio 1 RTP/AVP 0\r\n" * n),
    "SDP: formats": (Sdp.parse, lambda n: b"v=0\r\nm=audio 1 RTP/AVP" + b" 0" * 20 * n),
    "SDP: spaces": (Sdp.parse, lambda n: b"v=0\r\nc=IN" + b" " * 20 * n + b"x\r\n"),
    "multipart: parts": (multipart, lambda n: b"--x\r\nA: b\r\n\r\nc\r\n" * n),
    "multipart: nested": (multipart, lambda n: b"--x\r\nc: multipart/mixed; boundary=x\r\n\r\n" * n),
    "multipart: no end": (multipart, lambda n: b"\r\n--" * 20 * n),
    "stream: byte by byte": (piecemeal, lambda n: request(body=b"x" * 1000 * n)),
    "stream: headers byte by byte": (piecemeal, lambda n: request(headers=[(b"X", b"y" * 40)] * n)),
    "stream: pings": (piecemeal, lambda n: b"\r\n" * 20 * n),
    "stream: many messages": (Framing(MOST, MOST).feed, lambda n: request() * n),
}  # fmt: skip


def cpu(read: Reader, data: bytes) -> float:
    """Seconds of CPU for one reading, the least of several."""
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        with suppress(ParseError):
            read(data)
        best = min(best, time.process_time() - began)
    return best


@pytest.mark.parametrize("name", CASES)
def test_work_grows_with_the_input_and_no_faster(name: str) -> None:
    read, make = CASES[name]
    n = 250
    gc.disable()
    try:
        # so much that it can be measured, or so much that it does not matter
        while (once := cpu(read, make(n))) < 0.008 and len(make(2 * n)) < MOST // 2:
            n *= 2
        twice = min(cpu(read, make(2 * n)) for _ in range(2))
    finally:
        gc.enable()
    assert twice < FACTOR * once + 0.001, (n, once, twice)
