"""Sans-IO: the keys that were deleted a short while ago, so that a late update does not bring them back."""

from collections import deque

LIFE = 64.0  # seconds: longer than any retransmission of RFC 3261 lives


class Tombstones:
    """Keys with the epoch of their delete; each is kept for LIFE seconds."""

    def __init__(self) -> None:
        self._epochs: dict[bytes, int] = {}
        self._order: deque[tuple[float, bytes]] = deque()

    def add(self, key: bytes, epoch: int, now: float) -> None:
        """This key was deleted."""
        while self._order and self._order[0][0] < now - LIFE:
            self._epochs.pop(self._order.popleft()[1], None)
        if key not in self._epochs:
            self._order.append((now, key))
        self._epochs[key] = max(epoch, self._epochs.get(key, 0))

    def __contains__(self, key: bytes) -> bool:
        return key in self._epochs

    def epoch(self, key: bytes) -> int:
        """The epoch in which the key was deleted; -1: it was not, or long ago."""
        return self._epochs.get(key, -1)

    def keys(self) -> list[bytes]:
        """All of them, for a snapshot."""
        return list(self._epochs)
