"""IO shell: the file of the records: whole lines, on the disk before anybody counts on them, rotated."""

import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from sipcore.cdr.record import FORMS


class CdrFile:
    """Appends groups of records; a group is in the file wholly or not at all.

    It goes on in a new file when somebody has moved or removed the old one (logrotate), and when the file is
    larger than `max_size` bytes (0: never): then the old one gets the time as its suffix.
    """

    def __init__(self, path: Path, form: str, max_size: int = 0) -> None:
        self.path = path
        self._head, self._line = FORMS[form]
        self._max_size = max_size
        self._fd = -1

    def append(self, rows: Iterable[dict[str, object]]) -> None:
        """Write a group and wait for the disk; an OSError says why it is not in the file."""
        data = b"".join(self._line(fields) for fields in rows)
        size = self._open()
        if self._max_size and size > len(self._head) and size + len(data) > self._max_size:
            self._put_aside()
            size = self._open()
        if size == 0:
            data = self._head + data
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
            os.fdatasync(self._fd)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._fd, size)  # no torn line: the group is written again
            raise

    def close(self) -> None:
        """The next group opens the file anew."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> int:
        """Have the file of this name open; its size."""
        try:
            named = os.stat(self.path)
        except FileNotFoundError:
            named = None
        if self._fd >= 0:
            mine = os.fstat(self._fd)
            if named is not None and (named.st_dev, named.st_ino) == (mine.st_dev, mine.st_ino):
                return mine.st_size
            self.close()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._fd = os.open(self.path, flags, 0o640)
        self._end_torn_line()
        return os.fstat(self._fd).st_size

    def _end_torn_line(self) -> None:
        """A machine that lost its power may have left half a line; it must not take the next one with it."""
        with self.path.open("rb") as reader:
            size = reader.seek(0, os.SEEK_END)
            if size and (reader.seek(size - 1), reader.read(1))[1] != b"\n":
                os.write(self._fd, b"\n")

    def _put_aside(self) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        self.path.rename(self.path.with_name(f"{self.path.name}.{stamp}"))
        self.close()
