"""Sans-IO: the keys that were deleted a short while ago, so that a late update does not bring them back."""

from collections import deque

_NEVER = (-1, -1)

LIFE = 64.0  # seconds: longer than any retransmission of RFC 3261 lives
LIMIT = 65_536  # of one kind: those of 65 deletes per second for a quarter of an hour


class Tombstones:
    """Keys with the version (epoch, change) of their delete; each is kept for `life` seconds, LIMIT at most.

    A peer that was away for longer may bring a record back that has ended here meanwhile.
    """

    def __init__(self, life: float = LIFE) -> None:
        self._life = life
        self._versions: dict[bytes, tuple[int, int]] = {}
        self._order: deque[tuple[float, bytes]] = deque()

    def add(self, key: bytes, epoch: int, now: float, change: int = 0) -> None:
        """This key was deleted."""
        order = self._order
        while order and (order[0][0] < now - self._life or len(order) >= LIMIT):
            self._versions.pop(order.popleft()[1], None)
        if key not in self._versions:
            order.append((now, key))
        self._versions[key] = max((epoch, change), self.version(key))

    def __contains__(self, key: bytes) -> bool:
        return key in self._versions

    def epoch(self, key: bytes) -> int:
        """The epoch in which the key was deleted; -1: it was not, or long ago."""
        return self._versions.get(key, _NEVER)[0]

    def version(self, key: bytes) -> tuple[int, int]:
        """Epoch and number of the delete; (-1, -1): it was not, or long ago."""
        return self._versions.get(key, _NEVER)

    def keys(self) -> list[bytes]:
        """All of them, for a snapshot."""
        return list(self._versions)
