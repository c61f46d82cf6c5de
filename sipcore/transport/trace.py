"""Sans-IO: the message tap: shows watchers what came and what left; filters by method, call, user, address.

While nobody watches, the fast path looks at one empty list per batch and does no more.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol
from zlib import crc32

from sipcore.errors import ParseError
from sipcore.message import NameAddr, Request, Response, Uri, parse
from sipcore.transport.layer import Hop, Send

Kind = Literal["all", "requests", "responses"]
SAMPLES = 10_000  # a sample is a number of ten-thousandths

_CALL_ID = re.compile(rb"^(?:call-id|i)[ \t]*:[ \t]*(\S*)", re.IGNORECASE | re.MULTILINE)
_SECRET_LINE = re.compile(
    rb"^(?:(?:proxy-)?authorization|(?:proxy-|www-)?authenticat(?:e|ion-info))[ \t]*:(?:[^\r\n]|\r\n[ \t])*",
    re.IGNORECASE | re.MULTILINE,
)
_SECRET = re.compile(rb'\b(response|nonce|nextnonce|cnonce|rspauth)(\s*=\s*"?)([^",\s]+)', re.IGNORECASE)
_MEDIA_KEY = re.compile(rb"^(a=crypto:[^\r\n]*?inline:|a=ice-pwd:|k=\w+:)([^\r\n]+)", re.MULTILINE)


class Seen:
    """One message as it passed: `at` in seconds of the wall clock, `local` our own end."""

    __slots__ = ("_message", "_parsed", "at", "data", "hop", "incoming", "local")

    def __init__(self, data: bytes, hop: Hop, *, local: tuple[str, int], incoming: bool, at: float) -> None:
        self.data = data
        self.hop = hop  # the other end
        self.local = local
        self.incoming = incoming
        self.at = at
        self._message: Request | Response | None = None
        self._parsed = False

    @property
    def message(self) -> Request | Response | None:
        """What it says, read when somebody asks; None when it is not SIP."""
        if not self._parsed:
            self._parsed = True
            try:
                self._message = parse(self.data)
            except ParseError:
                self._message = None
        return self._message

    @property
    def call_id(self) -> bytes:
        """The Call-ID, found without reading the rest; empty when there is none."""
        found = _CALL_ID.search(self.data)
        return found[1] if found else b""


class Watcher(Protocol):
    """Somebody who looks; it must not wait, and it bounds what it keeps."""

    def see(self, seen: Seen) -> None:
        """A message has passed."""


class Tap:
    """Shows each message to every watcher, in the order in which they passed.

    `local`: our own addresses in the order of Hop.listener. `wall_offset`: what is to be added to `now` to
    get the time of the wall clock.
    """

    def __init__(
        self, local: Sequence[tuple[str, int]], wall_offset: float, on_broken: Callable[[Exception], None]
    ) -> None:
        self.watchers: list[Watcher] = []
        self._local = local
        self._wall_offset = wall_offset
        self._on_broken = on_broken

    def received(self, batch: Iterable[tuple[bytes, Hop]], now: float) -> None:
        """These came."""
        for data, source in batch:
            self._show(data, source, now, incoming=True)

    def sent(self, sends: Iterable[Send], now: float) -> None:
        """These leave."""
        for data, hop, _hold in sends:
            self._show(data, hop, now, incoming=False)

    def _show(self, data: bytes, hop: Hop, now: float, *, incoming: bool) -> None:
        seen = Seen(data, hop, local=self._local[hop.listener], incoming=incoming, at=now + self._wall_offset)
        for watcher in self.watchers.copy():
            try:
                watcher.see(seen)
            except Exception as error:  # who breaks while he looks must not cost a call
                self.watchers.remove(watcher)
                self._on_broken(error)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which messages are wanted; what is empty wants all. `sample` of 10,000 calls, whole calls each."""

    method: bytes = b""  # of the request, or of the CSeq of a response
    call_id: bytes = b""
    user: bytes = b""  # of From, To or Request-URI
    from_user: bytes = b""
    to_user: bytes = b""
    ip: str = ""  # of the other end
    kind: Kind = "all"
    sample: int = SAMPLES

    def may_match(self, seen: Seen) -> bool:
        """A quick look that reads nothing: False is certain, True is not."""
        if self.ip and seen.hop.host != self.ip:
            return False
        data = seen.data
        is_response = data.startswith(b"SIP/2.0 ")
        if self.kind != "all" and is_response != (self.kind == "responses"):
            return False
        if self.sample < SAMPLES and crc32(seen.call_id) % SAMPLES >= self.sample:
            return False
        parts = (self.method, self.call_id, self.user, self.from_user, self.to_user)
        return all(part in data for part in parts)

    def matches(self, seen: Seen) -> bool:
        """Whether it is wanted, when `may_match` has said that it may be."""
        if not (self.method or self.call_id or self.user or self.from_user or self.to_user):
            return True
        message = seen.message
        if message is None:  # names no method and no user; a Call-ID may stand in it still
            return not (self.method or self.user or self.from_user or self.to_user)
        if self.method not in (b"", message.method) or self.call_id not in (b"", message.call_id):
            return False
        caller, callee = _user(message.first(b"from")), _user(message.first(b"to"))
        if self.from_user not in (b"", caller) or self.to_user not in (b"", callee):
            return False
        return self.user in (b"", caller, callee) or (
            isinstance(message, Request) and self.user == _user(message.uri)
        )


def redacted(data: bytes) -> bytes:
    """The message without what proves who somebody is; asterisks, as many as there were bytes, stand for it.

    That is: answers and nonces of digest, credentials of other schemes, keys of the media.
    """
    head, empty, body = data.partition(b"\r\n\r\n")
    return _SECRET_LINE.sub(_cover_line, head) + empty + _MEDIA_KEY.sub(_cover_end, body)


def _cover_line(found: re.Match[bytes]) -> bytes:
    line = found[0]
    name, _, value = line.partition(b":")
    scheme, _, credentials = value.strip().partition(b" ")
    if name.rstrip().lower().endswith(b"authorization") and scheme.lower() != b"digest":
        return line.removesuffix(credentials) + _stars(credentials)
    return _SECRET.sub(_cover, line)


def _cover(found: re.Match[bytes]) -> bytes:
    return found[1] + found[2] + _stars(found[3])


def _cover_end(found: re.Match[bytes]) -> bytes:
    return found[1] + _stars(found[2])


def _stars(text: bytes) -> bytes:
    return re.sub(rb"[^\r\n]", b"*", text)


def _user(address: bytes | None) -> bytes:
    if not address:
        return b""
    try:
        return Uri.parse(NameAddr.parse(address).uri).user
    except ParseError:
        return b""
