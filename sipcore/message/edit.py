"""Sans-IO: edits by splicing: what is not touched leaves byte for byte."""

from sipcore.message.headers import long_name
from sipcore.message.message import Message
from sipcore.message.params import value_spans


class Edit:
    """Collects changes to a message's lines; `build` joins them. Names are given as they go on the wire."""

    __slots__ = ("_body", "_head", "_names")

    def __init__(self, message: Message) -> None:
        self._head = message.head.copy()
        self._names = message.names.copy()
        self._body = message.body

    def request_uri(self, uri: bytes) -> None:
        """Put another URI on the request line."""
        method, _, _ = self._head[0].partition(b" ")
        self._head[0] = method + b" " + uri + b" SIP/2.0"

    def insert_first(self, name: bytes, value: bytes) -> None:
        """A new line above the first one of that header, or under the start line."""
        long = long_name(name)
        at = self._names.index(long) if long in self._names else 1
        self._names.insert(at, long)
        self._head.insert(at, name + b": " + value)

    def append(self, name: bytes, value: bytes) -> None:
        """A new line at the end of the headers."""
        self._names.append(long_name(name))
        self._head.append(name + b": " + value)

    def replace(self, name: bytes, value: bytes) -> None:
        """Replace the value of the first line of that header; append it when there is none."""
        long = long_name(name)
        if long in self._names:
            self._head[self._names.index(long)] = name + b": " + value
        else:
            self.append(name, value)

    def replace_first_value(self, name: bytes, value: bytes) -> None:
        """Replace the first comma-separated value of the first line of that header."""
        self._splice(name, value)

    def remove_first_value(self, name: bytes) -> None:
        """Cut the first comma-separated value, and the line with it if that was its only one."""
        self._splice(name, None)

    def remove(self, name: bytes) -> None:
        """Cut every line of that header."""
        long = long_name(name)
        if long in self._names:
            lines = zip(self._head, self._names, strict=True)
            self._head = [line for line, known in lines if known != long]
            self._names = [known for known in self._names if known != long]

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
        if long not in self._names:
            if value is not None:
                self.append(name, value)
            return
        at = self._names.index(long)
        line = self._head[at]
        field, _, old = line.partition(b":")
        # the first value ends at a comma; most lines have one value only
        end = value_spans(old)[0][1] if b"," in old else len(old)
        if value is not None:
            self._head[at] = field + b": " + value + old[end:]
        elif end == len(old):
            self._cut(at)
        else:
            self._head[at] = field + b": " + old[end + 1 :].lstrip()

    def _cut(self, at: int) -> None:
        del self._head[at]
        del self._names[at]
