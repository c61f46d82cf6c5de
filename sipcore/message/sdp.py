"""Sans-IO: the lines of a session description that a SIP server reads or rewrites: o=, c=, m= (RFC 8866).

A description stays its bytes: what is found carries its place, and `splice` puts other text there; the rest
leaves byte for byte.
Deviations: lines in the wrong order are read where they stand; a multicast address keeps its `/ttl`.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from sipcore.errors import ParseError

MAX_LINES = 2048
MAX_MEDIA = 64
MAX_PARTS = 32

_LINE = re.compile(rb"^([a-z])=([^\r\n]*+)", re.MULTILINE)  # section 5: a parser takes LF alone, too
_ADDRESS = re.compile(rb"IN +(IP[46]) +([^\s/]++)")
_MEDIA = re.compile(rb"([^\s/]++) +(\d{1,5}+)(?:/(\d{1,5}+))? +(\S++)((?: +\S++)*) *+\Z")
_BOUNDARY = re.compile(rb';\s*+boundary\s*+=\s*+(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)


class Address(NamedTuple):
    """Where `IP4 192.0.2.1` stands in c= or o=: `body[start:end]` is address type, space, address."""

    addrtype: bytes
    host: bytes
    start: int
    end: int


@dataclass(slots=True)
class Media:
    """One m= line with what belongs to it; `body[start:end]` is its port."""

    kind: bytes
    port: int
    ports: int
    proto: bytes
    formats: tuple[bytes, ...]
    start: int
    end: int
    connection: Address | None = None
    attributes: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Sdp:
    """One session description; `connection` is the one of the session, each Media may have its own."""

    body: bytes
    origin: Address | None = None
    connection: Address | None = None
    attributes: list[bytes] = field(default_factory=list)
    media: list[Media] = field(default_factory=list)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a body of type application/sdp; raises ParseError."""
        found = cls(body)
        for number, line in enumerate(_LINE.finditer(body)):
            if number == MAX_LINES:
                raise ParseError(f"SDP of more than {MAX_LINES} lines")
            found._take(line[1], line[2], line.start(2))
        if not body.startswith(b"v=0"):  # section 5.1
            raise ParseError("SDP without v=0")
        return found

    def connections(self) -> Iterator[Address]:
        """Every c= of the session and of its media, in the order of the body."""
        if self.connection is not None:
            yield self.connection
        yield from (media.connection for media in self.media if media.connection is not None)

    def host_of(self, media: Media) -> bytes:
        """Where this media is to be sent: its own c=, else that of the session; empty when there is none."""
        connection = media.connection or self.connection
        return connection.host if connection is not None else b""

    def with_address(self, host: bytes, *, origin: bool = False) -> bytes:
        """The body with this address in every c= (and in o= with `origin`).

        An address on hold (0.0.0.0 or ::, RFC 2543) says that nothing is to be sent, and stays.
        """
        text = (b"IP6 " if b":" in host else b"IP4 ") + host
        places = [place for place in self.connections() if place.host not in (b"0.0.0.0", b"::")]
        if origin and self.origin is not None:
            places.append(self.origin)
        return splice(self.body, ((place.start, place.end, text) for place in places))

    def _take(self, kind: bytes, value: bytes, at: int) -> None:
        if kind == b"m":
            self._take_media(value, at)
        elif kind == b"a":
            (self.media[-1].attributes if self.media else self.attributes).append(value)
        elif kind in b"co":
            self._take_address(kind, value, at)

    def _take_media(self, value: bytes, at: int) -> None:
        found = _MEDIA.match(value)
        if found is None or int(found[2]) > 65535:
            raise ParseError("Bad SDP: m=")
        if len(self.media) == MAX_MEDIA:
            raise ParseError(f"SDP of more than {MAX_MEDIA} media")
        formats = tuple(found[5].split())
        start, end = found.span(2)
        media = Media(found[1], int(found[2]), int(found[3] or 1), found[4], formats, at + start, at + end)
        self.media.append(media)

    def _take_address(self, kind: bytes, value: bytes, at: int) -> None:
        found = _ADDRESS.search(value)
        if found is None:
            raise ParseError(f"Bad SDP: {kind.decode()}=")
        address = Address(found[1], found[2], at + found.start(1), at + found.end(2))
        if kind == b"o":
            self.origin = self.origin or address
        elif not self.media:
            self.connection = self.connection or address
        elif self.media[-1].connection is None:  # further ones are layers of the same (section 5.7)
            self.media[-1].connection = address


def splice(body: bytes, changes: Iterable[tuple[int, int, bytes]]) -> bytes:
    """`body` with other text at these places; they do not overlap."""
    out: list[bytes] = []
    at = 0
    for start, end, text in sorted(changes):
        out += (body[at:start], text)
        at = end
    return b"".join((*out, body[at:]))


def find(content_type: bytes, body: bytes) -> tuple[int, int] | None:
    """Where the session description is: the whole body, or the first such part of a multipart body."""
    kind = content_type.partition(b";")[0].strip().lower()
    if kind == b"application/sdp":
        return 0, len(body)
    boundary = _BOUNDARY.search(content_type) if kind.startswith(b"multipart/") else None
    if boundary is None:
        return None
    return _find_part(body, b"--" + (boundary[1] or boundary[2]))


def _find_part(body: bytes, delimiter: bytes) -> tuple[int, int] | None:
    start = body.find(delimiter)
    for _ in range(MAX_PARTS):
        end = body.find(b"\r\n" + delimiter, start + 1)
        head = body.find(b"\r\n\r\n", start)
        if start < 0 or end < 0 or head < 0:
            return None
        if head < end and _is_sdp(body[start:head]):
            return head + 4, end
        start = end
    return None


def _is_sdp(head: bytes) -> bool:
    fields = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    return any(
        name.strip() in (b"content-type", b"c") and value.strip().startswith(b"application/sdp")
        for name, _, value in fields
    )
