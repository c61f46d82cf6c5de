"""Sans-IO: AORs, listeners and hops as OpenSIPS writes them, and back."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from sipcore.errors import BinError, ParseError
from sipcore.message import NameAddr, Uri
from sipcore.message.params import split_values
from sipcore.transport.layer import DEFAULT_PORT, Hop

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
MAX_AOR = 512  # bytes
TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")


@dataclass(frozen=True, slots=True)
class Naming:
    """How names and times are to be written for the other side.

    `use_domain`: an AOR is user@domain, else the user alone (OpenSIPS's parameter of this name). `domain`:
    the one that a user alone is of. `sockets`: our listeners, "udp:192.0.2.100:5060", in their order. `wall`
    turns monotonic seconds into those since 1970.
    """

    domain: bytes
    sockets: Sequence[bytes]
    wall: Callable[[float], float]
    use_domain: bool = False

    def aor_out(self, aor: bytes) -> bytes:
        """sip:alice@example.test as OpenSIPS writes it."""
        name = aor.removeprefix(b"sip:")
        return name if self.use_domain else name.rpartition(b"@")[0] or name

    def aor_in(self, name: bytes) -> bytes:
        """The AOR of OpenSIPS's name for it."""
        if len(text_of(name, MAX_AOR).split()) != 1:
            raise BinError("an AOR that is empty, or has blanks in it")
        return b"sip:" + name if b"@" in name else b"sip:%b@%b" % (name, self.domain)

    def socket(self, hop: Hop | None) -> bytes:
        """The listener that this hop talks with, else the first one."""
        number = hop.listener if hop is not None else 0
        return self.sockets[number] if number < len(self.sockets) else self.sockets[0]

    def received_in(self, text: bytes, socket: bytes) -> Hop | None:
        """The hop of a `received` URI over this listener; the first of its transport if that is not ours."""
        if not text:
            return None
        try:
            uri = Uri.parse(text)
            host = ip_address(uri.host.strip(b"[]").decode("ascii"))
        except (ParseError, ValueError) as error:
            raise BinError("received: not a SIP URI with an address") from error
        transport = (uri.params.get(b"transport") or b"udp").decode("latin-1").lower()
        if transport not in TRANSPORTS or uri.port == 0:
            raise BinError("received: its transport or its port does not exist")
        return Hop(str(host), uri.port or DEFAULT_PORT, self._listener(socket, transport), transport)

    def _listener(self, socket: bytes, transport: str) -> int:
        if socket in self.sockets:
            return self.sockets.index(socket)
        begins = transport.encode() + b":"
        return next((n for n, ours in enumerate(self.sockets) if ours.startswith(begins)), 0)


def received_out(hop: Hop | None) -> bytes:
    """The URI of a hop, b"" when there is none."""
    if hop is None:
        return b""
    host = f"[{hop.host}]" if ":" in hop.host else hop.host
    way = "" if hop.transport == "udp" else f";transport={hop.transport}"
    return f"sip:{host}:{hop.port}{way}".encode()


def text_of(text: bytes, limit: int) -> bytes:
    """This text, which is to stand in SIP messages of ours and must not break them."""
    if len(text) > limit or _CONTROL.search(text):
        raise BinError(f"a text of {len(text)} bytes is over {limit}, or has control characters in it")
    return text


def check_uri(text: bytes, limit: int) -> bytes:
    """This URI; it may be absent."""
    if text:
        try:
            Uri.parse(text_of(text, limit))
        except ParseError as error:
            raise BinError(f"{text[:40]!r} is not a URI") from error
        if len(text.split()) != 1:
            raise BinError(f"{text[:40]!r} is a URI with blanks in it")
    return text


def route_set(text: bytes, limit: int) -> tuple[bytes, ...]:
    """The values of a Path or a route set."""
    if not text:
        return ()
    values = tuple(split_values(text_of(text, limit)))
    try:
        for value in values:
            check_uri(NameAddr.parse(value).uri, limit)
    except ParseError as error:
        raise BinError(f"{text[:40]!r} is not a list of URIs") from error
    return values
