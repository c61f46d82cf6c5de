"""Sans-IO: the newest events, numbered, for any number of readers at their own pace.

A reader is a number: the event that it has read last. Nothing is kept for it, so that one who reads slowly
costs nothing; what has been overwritten meanwhile is told as a number of lost events.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

KEPT_EVENTS = 512


class Entry(NamedTuple):
    """One event; `data` is JSON."""

    number: int
    name: str
    data: bytes


class Feed:
    """`run` names this life of the agent: numbers begin anew in the next."""

    def __init__(self, run: str, *, keep: int = KEPT_EVENTS) -> None:
        self._run = run
        self._entries: deque[Entry] = deque(maxlen=keep)
        self.newest = 0
        self.closed = False
        self.watchers: set[Callable[[], None]] = set()

    def publish(self, name: str, data: bytes) -> None:
        """Add an event and wake the readers."""
        self.newest += 1
        self._entries.append(Entry(self.newest, name, data))
        self._wake()

    def close(self) -> None:
        """Have the readers leave: the agent stops."""
        self.closed = True
        self._wake()

    def begin(self, last_event_id: str | None, last: int = 0) -> int:
        """Where a reader begins: after the event that it names, or with the `last` ones.

        An id of an earlier life, or one that was never given, means that it has read none of this life's.
        """
        if not last_event_id:
            return max(self.newest - last, 0)
        run, _, number = last_event_id.rpartition("-")
        if run != self._run or not number.isascii() or not number.isdecimal() or int(number) > self.newest:
            return 0
        return int(number)

    def after(self, number: int) -> tuple[list[Entry], int]:
        """The events after this one, oldest first, and how many before them are lost."""
        oldest = self._entries[0].number if self._entries else self.newest + 1
        wanted = self.newest - max(number, oldest - 1)
        found = list(self._entries)[-wanted:] if wanted else []
        return found, max(0, oldest - 1 - number)

    def id_of(self, entry: Entry) -> str:
        """What a reader gives back as Last-Event-ID."""
        return f"{self._run}-{entry.number}"

    def _wake(self) -> None:
        for wake in self.watchers:
            wake()
