"""Sans-IO: where messages begin and end in a byte stream (TCP, TLS): RFC 3261 section 18.3, RFC 5626 4.4.1.

Deviations: a message without Content-Length ends the connection instead of reaching to its end: nothing
that follows it could be believed. Content-Length twice with one value is left to the parser to refuse.
"""

import re

from sipcore.errors import SipcoreError

MAX_MESSAGE = 65535
MAX_HEADER = 32768
PONG = b"\r\n"

_END_OF_HEADERS = b"\r\n\r\n"
_EMPTY_LINES = re.compile(rb"(?:\r\n)+")
_CONTENT_LENGTH = re.compile(
    rb"\r\n(?:content-length|l)[ \t]*:([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)", re.IGNORECASE
)
_FIRST_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~")
_NOTHING = frozenset(
    (b"", b"\r", b"\r\n", b"\r\n\r")
)  # what may come between two messages, as far as it came


class FramingError(SipcoreError):
    """The stream is no SIP, or over a limit: it ends here. `head` is what can still be answered, or empty."""

    def __init__(self, reason: str, head: bytes = b"") -> None:
        super().__init__(reason)
        self.head = head


class Framing:
    """Cuts one stream into messages; how the network cut it makes no difference.

    `pings` counts the keepalives that wait for an answer (PONG each); the shell sets it back. After `error`
    nothing more is read: the messages before it are good, the connection is to be closed.
    """

    __slots__ = ("_max_header", "_max_message", "_need", "_rest", "_scanned", "error", "pings")

    def __init__(self, max_message: int = MAX_MESSAGE, max_header: int = MAX_HEADER) -> None:
        self._max_message = max_message
        self._max_header = max_header
        self._rest = bytearray()
        self._scanned = 0  # bytes of it without an end of headers
        self._need = 0  # bytes that the message which has begun will have; 0: not known yet
        self.pings = 0
        self.error: FramingError | None = None

    @property
    def pending(self) -> bool:
        """Whether a message has begun that has not ended."""
        return len(self._rest) > 3 or bytes(self._rest) not in _NOTHING

    def feed(self, data: bytes) -> list[bytes]:
        """Bytes came; returns the messages that are whole now."""
        messages: list[bytes] = []
        if self.error is not None:
            return messages
        rest = self._rest
        stream: bytes | bytearray = data
        if rest:
            rest += data  # in place: what comes byte by byte is not copied each time
            stream = rest
        start, size = 0, len(stream)
        while start < size:
            if not self._need:
                if stream.startswith(b"\r\n", start):
                    start, more = self._empty_lines(stream, start)
                    if not more:
                        break
                    continue
                if not self._measure(stream, start):
                    break
            end = start + self._need
            if end > size:
                break
            messages.append(bytes(stream[start:end]))
            start = end
            self._need = self._scanned = 0
        if self.error is not None:
            self._rest = bytearray()
        elif rest:
            del rest[:start]
        elif start < size:
            rest += data[start:]
        return messages

    def _empty_lines(self, data: bytes | bytearray, start: int) -> tuple[int, bool]:
        """Between messages two line ends are a ping (RFC 5626 4.4.1), one is skipped (section 7.5)."""
        found = _EMPTY_LINES.match(data, start)
        end = start if found is None else found.end()
        pings, odd = divmod(end - start, 4)
        self.pings += pings
        if not odd:
            return end, True
        if data[end:] in (b"", b"\r"):  # the other half of a ping may be on its way
            return end - 2, False
        return end, True

    def _measure(self, data: bytes | bytearray, start: int) -> bool:
        """Find out how long the message at `start` is; False when that cannot be said (yet)."""
        if data[start] == 13 and start + 1 == len(data):
            return False  # half of a line end
        if data[start] not in _FIRST_BYTES:
            return self._fail(f"a message does not begin with byte 0x{data[start]:02x}")
        at = data.find(_END_OF_HEADERS, start + self._scanned)
        seen = at - start if at >= 0 else len(data) - start - 3
        if seen > self._max_header:
            return self._fail(f"headers over {self._max_header} bytes")
        if at < 0:
            self._scanned = max(seen, 0)
            return False
        return self._read_length(bytes(data[start : at + 4]))

    def _read_length(self, head: bytes) -> bool:
        lengths = {value.strip() for value in _CONTENT_LENGTH.findall(head)}
        if len(lengths) != 1:
            return self._fail("Content-Length " + ("with two values" if lengths else "is missing"))
        (digits,) = lengths
        if not digits.isdigit() or len(digits) > 10:
            return self._fail(f"Content-Length {digits.decode('ascii', 'replace')[:40]!r} is no length", head)
        size = len(head) + int(digits)
        if size > self._max_message:
            return self._fail(f"a message of {size} bytes; the limit is {self._max_message}", head)
        self._need = size
        return True

    def _fail(self, reason: str, head: bytes = b"") -> bool:
        self.error = FramingError(reason, head)
        return False
