"""Sans-IO: what header lines say, by the line: the messages of a call repeat most of theirs byte for byte."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
MAX_LINES = 4096
MAX_LENGTH = 256  # bytes of a line that is kept


class Seen(dict[bytes, T]):
    """`seen[line]` is `read(line)`, which is called for a line that is new; bounded."""

    __slots__ = ("_read",)

    def __init__(self, read: Callable[[bytes], T]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, line: bytes) -> T:
        value = self._read(line)
        if len(line) <= MAX_LENGTH:
            if len(self) >= MAX_LINES:
                self.clear()
            self[line] = value
        return value
