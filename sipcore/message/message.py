"""Sans-IO: a SIP message: its original lines with their names beside them; values are read on demand."""

import re

from sipcore.message.fields import Via
from sipcore.message.headers import line_value
from sipcore.message.params import split_values

NO_VIA = Via(b"", b"", None)
"""Stands for the top Via until it has been read."""


class Message:
    """What requests and responses share.

    `head[0]` is the start line, `names[0]` is no name; a folded header is one line, line breaks included;
    `first_lines` has the first line of each header by its name. What routing looks at is read once, by the
    parser: `method` is the one of CSeq, `cseq` its number, `branch` the one of the top Via; `from_tag` and
    `to_tag` are empty when there is none.
    """

    __slots__ = (
        "_raw", "body", "branch", "call_id", "cseq", "first_lines", "from_tag", "head", "max_forwards",
        "method", "names", "to_tag",
    )  # fmt: skip
    is_request = False

    def __init__(
        self, head: list[bytes], names: list[bytes], first_lines: dict[bytes, bytes], body: bytes
    ) -> None:
        self.head = head
        self.names = names
        self.first_lines = first_lines
        self.body = body
        self._raw = b""
        self.method = self.call_id = self.branch = self.from_tag = self.to_tag = b""
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
        line = self.first_lines.get(name)
        return None if line is None else line_value(line)

    def lines(self, name: bytes) -> list[bytes]:
        """The value of each line of a header."""
        if name not in self.first_lines:
            return []
        if self.names.count(name) == 1:
            return [line_value(self.first_lines[name])]
        return [line_value(line) for line, known in zip(self.head, self.names, strict=True) if known == name]

    def values(self, name: bytes) -> list[bytes]:
        """All comma-separated values of a header, over all of its lines; ParseError if there are too many."""
        found: list[bytes] = []
        for line in self.lines(name):
            found += split_values(line)
        return found


class Request(Message):
    """A request; `uri` is the Request-URI as it came, `max_forwards` is 0 to 255 or None."""

    __slots__ = ("top_via", "uri")
    is_request = True
    uri: bytes
    top_via: Via

    def put_top_via(self, via: Via, text: bytes = b"") -> None:
        """Put this in place of the top Via value, as the transport does on arrival (section 18.2.1).

        `text` is bytes(via), for a caller who has it.
        """
        at = self.names.index(b"via")
        line = self.head[at]
        text = line[: line.index(b":") + 1] + b" " + (text or bytes(via))
        if b"," in line:
            text = b", ".join((text, *split_values(line_value(line))[1:]))
        self.head[at] = self.first_lines[b"via"] = text
        self.top_via = via
        self._raw = b""

    def put_via_line(self, line: bytes) -> None:
        """Put this in place of the first Via line, for a caller who has changed `top_via` alike."""
        self.head[self.names.index(b"via")] = self.first_lines[b"via"] = line
        self._raw = b""


class Response(Message):
    """A response with its three-digit `status`; `reason` may be empty."""

    __slots__ = ("reason", "status", "via")
    reason: bytes
    status: int
    via: Via | re.Match[bytes]

    @property
    def top_via(self) -> Via:
        """The top Via; read when it is asked for, as `branch` is enough to find the transaction."""
        via = self.via
        if not isinstance(via, Via):
            via = self.via = Via.usual(via)
        return via
