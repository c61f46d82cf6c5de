"""Sans-IO: a SIP message: its original lines with their names beside them; values are read on demand."""

import re

from sipcore.message.fields import Via
from sipcore.message.headers import line_value, long_name
from sipcore.message.params import split_values

NO_VIA = Via(b"", b"", None)
"""Stands for the top Via until it has been read."""
START = b":"
"""In place of a name for the start line."""


class Message:
    """What requests and responses share.

    `head[0]` is the start line; a folded header is one line, line breaks included; `first_lines` has the
    first line of each header by its name. What routing looks at is read once, by the parser: `method` is the
    one of CSeq, `cseq` its number, `branch` the one of the top Via; `from_tag` and `to_tag` are empty when
    there is none.
    """

    __slots__ = (
        "_names", "_raw", "body", "branch", "call_id", "cseq", "first_lines", "from_tag", "head",
        "max_forwards", "method", "to_tag",
    )  # fmt: skip
    is_request = False

    def __init__(self, head: list[bytes], first_lines: dict[bytes, bytes], body: bytes) -> None:
        self.head = head
        self.first_lines = first_lines
        self.body = body
        self._raw = self.method = self.call_id = self.branch = self.from_tag = self.to_tag = b""
        self.cseq = 0
        self.max_forwards: int | None = None
        self._names: list[bytes] | None = None

    @property
    def names(self) -> list[bytes]:
        """The name of each line of `head`; that of the start line is no name."""
        names = self._names
        if names is None:
            if (
                len(self.first_lines) == len(self.head) - 1
            ):  # which the parser filled from the last to the first
                names = [START, *reversed(self.first_lines)]
            else:
                names = [START, *[long_name(line.partition(b":")[0]) for line in self.head[1:]]]
            self._names = names
        return names

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
        if len(self.first_lines) == len(self.head) - 1 or self.names.count(name) == 1:
            return [line_value(self.first_lines[name])]
        return [line_value(line) for line, known in zip(self.head, self.names, strict=True) if known == name]

    def has_more_than_one(self, name: bytes) -> bool:
        """Whether a header that is there has more than one value."""
        head, line = self.head, self.first_lines[name]
        if b"," in line:
            return len(split_values(line_value(line))) > 1 or self.names.count(name) > 1
        if len(self.first_lines) == len(head) - 1:
            return False
        field = line[: line.index(b":") + 1]  # mostly the next line is the other one
        return head[(head.index(line) + 1) % len(head)].startswith(field) or self.names.count(name) > 1

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
        line = self.first_lines[b"via"]
        text = line[: line.index(b":") + 1] + b" " + (text or bytes(via))
        if b"," in line:
            text = b", ".join((text, *split_values(line_value(line))[1:]))
        self.top_via = via
        self.put_via_line(text)

    def put_via_line(self, line: bytes) -> None:
        """Put this in place of the first Via line, for a caller who has changed `top_via` alike."""
        head, first_lines = self.head, self.first_lines
        head[head.index(first_lines[b"via"])] = first_lines[b"via"] = line
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
