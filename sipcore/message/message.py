"""Sans-IO: a SIP message: its original lines with their names beside them; values are read on demand."""

from sipcore.message.fields import Via
from sipcore.message.headers import line_value
from sipcore.message.params import split_values

NO_VIA = Via(b"", b"", None)
"""Stands for the top Via until it has been read."""


class Message:
    """What requests and responses share.

    `head[0]` is the start line, `names[0]` is no name; a folded header is one line, line breaks included.
    What routing looks at is read once, by the parser; `method` is the one of CSeq, `cseq` its number;
    `from_tag` and `to_tag` are empty when there is none.
    """

    __slots__ = (
        "_raw", "body", "call_id", "cseq", "from_tag", "head", "max_forwards", "method", "names", "to_tag",
        "top_via",
    )  # fmt: skip
    is_request = False

    def __init__(self, head: list[bytes], names: list[bytes], body: bytes) -> None:
        self.head = head
        self.names = names
        self.body = body
        self._raw = b""
        self.top_via = NO_VIA
        self.method = self.call_id = self.from_tag = self.to_tag = b""
        self.cseq = 0
        self.max_forwards: int | None = None

    @property
    def raw(self) -> bytes:
        """The message as it came, without empty lines before it and without what follows its body."""
        raw = self._raw
        if not raw:
            raw = self._raw = b"\r\n".join((*self.head, b"", self.body))
        return raw

    def first(self, name: bytes) -> bytes | None:
        """The value of the first line of a header; `name` is the long form in lower case."""
        names = self.names
        return line_value(self.head[names.index(name)]) if name in names else None

    def lines(self, name: bytes) -> list[bytes]:
        """The value of each line of a header."""
        names = self.names
        if name not in names:
            return []
        return [line_value(line) for line, known in zip(self.head, names, strict=True) if known == name]

    def values(self, name: bytes) -> list[bytes]:
        """All comma-separated values of a header, over all of its lines; ParseError if there are too many."""
        found = []
        for line in self.lines(name):
            found += split_values(line)
        return found


class Request(Message):
    """A request; `uri` is the Request-URI as it came, `max_forwards` is 0 to 255 or None."""

    __slots__ = ("uri",)
    is_request = True
    uri: bytes

    def put_top_via(self, via: Via) -> None:
        """Put this in place of the top Via value, as the transport does on arrival (section 18.2.1)."""
        at = self.names.index(b"via")
        line = self.head[at]
        colon = line.index(b":") + 1
        others = split_values(line_value(line))[1:] if b"," in line else []
        self.head[at] = line[:colon] + b" " + b", ".join((bytes(via), *others))
        self.top_via = via
        self._raw = b""


class Response(Message):
    """A response with its three-digit `status`; `reason` may be empty."""

    __slots__ = ("reason", "status")
    reason: bytes
    status: int
