"""Sans-IO: a SIP message: its original lines plus an index; values are read on demand and kept."""

from sipcore.errors import ParseError
from sipcore.message.fields import Via
from sipcore.message.params import split_values

MAX_CSEQ = 2**31 - 1  # RFC 3261 section 8.1.1.5

# Compact forms (section 7.3.3 and the IANA registry).
COMPACT = {
    b"a": b"accept-contact", b"b": b"referred-by", b"c": b"content-type", b"d": b"request-disposition",
    b"e": b"content-encoding", b"f": b"from", b"i": b"call-id", b"j": b"reject-contact", b"k": b"supported",
    b"l": b"content-length", b"m": b"contact", b"n": b"identity-info", b"o": b"event", b"r": b"refer-to",
    b"s": b"subject", b"t": b"to", b"u": b"allow-events", b"v": b"via", b"x": b"session-expires",
    b"y": b"identity",
}  # fmt: skip

Index = dict[bytes, list[int]]


class Message:
    """What requests and responses share.  `head[0]` is the start line; a folded header is one line."""

    __slots__ = (
        "_from_tag", "_to_tag", "_top_via", "body", "call_id", "cseq", "head", "index", "method", "raw",
    )  # fmt: skip
    is_request = False

    def __init__(self, raw: bytes, head: list[bytes], index: Index, body: bytes) -> None:
        self.raw = raw
        self.head = head
        self.index = index
        self.body = body
        self._top_via: Via | None = None
        self._from_tag: bytes | None = None
        self._to_tag: bytes | None = None
        self.method = b""
        self.cseq = 0
        self.call_id = b""

    def first(self, name: bytes) -> bytes | None:
        """The value of the first line of a header; `name` is the long form in lower case."""
        at = self.index.get(name)
        return line_value(self.head[at[0]]) if at else None

    def lines(self, name: bytes) -> list[bytes]:
        """The value of each line of a header."""
        return [line_value(self.head[at]) for at in self.index.get(name, ())]

    def values(self, name: bytes) -> list[bytes]:
        """All comma-separated values of a header, over all of its lines."""
        found = []
        for at in self.index.get(name, ()):
            found += split_values(line_value(self.head[at]))
        return found

    @property
    def top_via(self) -> Via:
        """The first Via value."""
        via = self._top_via
        if via is None:
            value = line_value(self.head[self.index[b"via"][0]])
            via = self._top_via = Via.parse(split_values(value)[0])
        return via

    @property
    def from_tag(self) -> bytes:
        """The tag of From; empty when there is none."""
        tag = self._from_tag
        if tag is None:
            tag = self._from_tag = tag_of(self.first(b"from") or b"")
        return tag

    @property
    def to_tag(self) -> bytes:
        """The tag of To; empty when there is none."""
        tag = self._to_tag
        if tag is None:
            tag = self._to_tag = tag_of(self.first(b"to") or b"")
        return tag

    def number(self, name: bytes, *, limit: int) -> int | None:
        """A header that is a whole number; ParseError over `limit` or when it is no number."""
        value = self.first(name)
        if value is None:
            return None
        if not value.isdigit() or len(value) > 10 or int(value) > limit:
            raise ParseError(f"Bad {name.decode().title()}")
        return int(value)


class Request(Message):
    """A request; `uri` is the Request-URI as it came."""

    __slots__ = ("uri",)
    is_request = True

    def __init__(self, raw: bytes, head: list[bytes], index: Index, body: bytes) -> None:
        super().__init__(raw, head, index, body)
        self.uri = b""

    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards, 0 to 255; None when it is missing."""
        return self.number(b"max-forwards", limit=255)


class Response(Message):
    """A response; `method` is the one of its CSeq."""

    __slots__ = ("reason", "status")

    def __init__(self, raw: bytes, head: list[bytes], index: Index, body: bytes) -> None:
        super().__init__(raw, head, index, body)
        self.status = 0
        self.reason = b""


def line_value(line: bytes) -> bytes:
    """The value of a header line, unfolded and stripped."""
    value = line[line.index(b":") + 1 :].strip()
    if b"\n" in value:
        return b" ".join(part.strip() for part in value.split(b"\r\n"))
    return value


def tag_of(value: bytes) -> bytes:
    """The tag parameter of a From or To value, without reading the rest of it."""
    start = value.rfind(b">") + 1
    lowered = value[start:].lower()
    at = lowered.find(b";tag=")
    if at < 0:
        if b"tag" not in lowered:
            return b""
        from sipcore.message.fields import NameAddr

        return NameAddr.parse(value).tag
    end = lowered.find(b";", at + 5)
    return value[start + at + 5 : start + end if end >= 0 else None].strip()
