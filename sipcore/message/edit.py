"""Sans-IO: edits by splicing: what is not touched leaves byte for byte."""

from sipcore.message.headers import long_name
from sipcore.message.message import Message
from sipcore.message.params import value_spans


class Edit:
    """Collects changes to a message's lines; `build` joins them. Names are given as they go on the wire."""

    __slots__ = ("_body", "_first_lines", "_head")

    def __init__(self, message: Message) -> None:
        self._head = message.head.copy()
        self._first_lines = message.first_lines.copy()
        self._body = message.body

    def request_uri(self, uri: bytes) -> None:
        """Put another URI on the request line."""
        method, _, _ = self._head[0].partition(b" ")
        self._head[0] = method + b" " + uri + b" SIP/2.0"

    def insert_first(self, name: bytes, value: bytes) -> None:
        """A new line above the first one of that header, or under the start line."""
        long, line = long_name(name), name + b": " + value
        head, first_lines = self._head, self._first_lines
        head.insert(head.index(first_lines[long]) if long in first_lines else 1, line)
        first_lines[long] = line

    def append(self, name: bytes, value: bytes) -> None:
        """A new line at the end of the headers."""
        line = name + b": " + value
        self._head.append(line)
        self._first_lines.setdefault(long_name(name), line)

    def replace(self, name: bytes, value: bytes) -> None:
        """Replace the value of the first line of that header; append it when there is none."""
        old = self._first_lines.get(long_name(name))
        if old is None:
            self.append(name, value)
        else:
            self._put(old, long_name(name), name + b": " + value)

    def replace_first_value(self, name: bytes, value: bytes) -> None:
        """Replace the first comma-separated value of the first line of that header."""
        self._splice(name, value)

    def remove_first_value(self, name: bytes) -> None:
        """Cut the first comma-separated value, and the line with it if that was its only one."""
        self._splice(name, None)

    def remove(self, name: bytes) -> None:
        """Cut every line of that header."""
        long = long_name(name)
        if self._first_lines.pop(long, None) is not None:
            start, *lines = self._head
            self._head = [start, *[line for line in lines if long_name(line.partition(b":")[0]) != long]]

    def body(self, content_type: bytes, data: bytes) -> None:
        """Put in another body."""
        self._body = data
        self.replace(b"Content-Type", content_type)
        self.replace(b"Content-Length", b"%d" % len(data))

    def build(self) -> bytes:
        """The message as it now is."""
        return b"\r\n".join((*self._head, b"", self._body))

    def _splice(self, name: bytes, value: bytes | None) -> None:
        long = long_name(name)
        line = self._first_lines.get(long)
        if line is None:
            if value is not None:
                self.append(name, value)
            return
        field, _, old = line.partition(b":")
        # the first value ends at a comma; most lines have one value only
        end = value_spans(old)[0][1] if b"," in old else len(old)
        if value is not None:
            self._put(line, long, field + b": " + value + old[end:])
        elif end == len(old):
            self._cut(long)
        else:
            self._put(line, long, field + b": " + old[end + 1 :].lstrip())

    def _put(self, old: bytes, long: bytes, line: bytes) -> None:
        """In place of the first line of that name; there is none like it before it."""
        self._head[self._head.index(old)] = self._first_lines[long] = line

    def _cut(self, long: bytes) -> None:
        head, first_lines = self._head, self._first_lines
        is_alone = len(first_lines) == len(head) - 1  # as each name is
        at = head.index(first_lines.pop(long))
        del head[at]
        if not is_alone:
            below = (line for line in head[at:] if long_name(line.partition(b":")[0]) == long)
            line = next(below, None)
            if line is not None:
                first_lines[long] = line
