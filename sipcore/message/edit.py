"""Sans-IO: edits by splicing: what is not touched leaves byte for byte."""

from sipcore.message.message import Message, Request
from sipcore.message.params import value_spans
from sipcore.message.parser import long_name

Line = bytes | None


class Edit:
    """Collects changes to a message's lines; `build` joins them.  Names are given as they go on the wire."""

    __slots__ = ("_body", "_lines", "_message")

    def __init__(self, message: Message) -> None:
        self._message = message
        self._lines: list[Line] = list(message.head)
        self._body = message.body

    def request_uri(self, uri: bytes) -> None:
        """Put another URI on the request line."""
        assert isinstance(self._message, Request)
        method = self._message.head[0].partition(b" ")[0]
        self._lines[0] = method + b" " + uri + b" SIP/2.0"

    def insert_first(self, name: bytes, value: bytes) -> None:
        """A new line above the first one of that header, or under the start line."""
        at = self._first(name)
        new = name + b": " + value
        if at is None:
            at = 0
            self._lines[0] = _join(self._lines[0], new)
        else:
            self._lines[at] = _join(new, self._lines[at])

    def append(self, name: bytes, value: bytes) -> None:
        """A new line at the end of the headers."""
        self._lines.append(name + b": " + value)

    def replace(self, name: bytes, value: bytes) -> None:
        """Replace the value of the first line of that header; append it when there is none."""
        at = self._first(name)
        if at is None:
            self.append(name, value)
        else:
            self._lines[at] = name + b": " + value

    def replace_first_value(self, name: bytes, value: bytes) -> None:
        """Replace the first comma-separated value of the first line of that header."""
        at = self._first(name)
        if at is None:
            self.append(name, value)
            return
        line = self._lines[at] or b""
        colon = line.index(b":") + 1
        _, end = value_spans(line[colon:])[0]
        self._lines[at] = line[:colon] + b" " + value + line[colon + end :]

    def remove_first_value(self, name: bytes) -> None:
        """Cut the first comma-separated value, and the line with it if that was its only one."""
        at = self._first(name)
        if at is None:
            return
        line = self._lines[at] or b""
        colon = line.index(b":") + 1
        spans = value_spans(line[colon:])
        if len(spans) == 1:
            self._lines[at] = None
        else:
            self._lines[at] = line[:colon] + b" " + line[colon + spans[1][0] :].lstrip()

    def remove(self, name: bytes) -> None:
        """Cut every line of that header."""
        for at in self._message.index.get(long_name(name), ()):
            self._lines[at] = None

    def body(self, content_type: bytes, data: bytes) -> None:
        """Put in another body."""
        self._body = data
        self.replace(b"Content-Type", content_type)
        self.replace(b"Content-Length", b"%d" % len(data))

    def build(self) -> bytes:
        """The message as it now is."""
        return b"\r\n".join([line for line in self._lines if line is not None]) + b"\r\n\r\n" + self._body

    def _first(self, name: bytes) -> int | None:
        for at in self._message.index.get(long_name(name), ()):
            if self._lines[at] is not None:
                return at
        return None


def _join(above: Line, below: Line) -> bytes:
    return (above or b"") + b"\r\n" + (below or b"")
