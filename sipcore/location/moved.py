"""Sans-IO: which connection has taken the place of one that a phone had, here or on the master before.

A dialog names the connection of its phone in the flow token of our Record-Route, in its record, in its
transactions. When the phone registers again over a new one, all of them mean the new one.
"""

from collections.abc import Callable

from sipcore.transport.layer import Hop

MAX_MOVES = 10_000  # the one that was made first is forgotten first
MAX_STEPS = 32  # connections that one phone has had in turn


class MovedFlows:
    """Filled by the location table when a contact comes over another connection than before."""

    def __init__(self) -> None:
        self.followers: list[Callable[[Hop, Hop], None]] = []  # called with the old and the new hop
        self._heirs: dict[Hop, Hop] = {}

    def __len__(self) -> int:
        return len(self._heirs)

    def move(self, old: Hop | None, new: Hop | None) -> None:
        """A contact that had `old` has `new` now; what is no connection, or the same one, is no move."""
        if old is not None and new is not None and self.learn(old, new):
            for follower in self.followers:
                follower(old, new)

    def learn(self, old: Hop, new: Hop) -> bool:
        """Another node has seen this move, and nobody here waits for it; False: it is known, or none."""
        heirs = self._heirs
        if not old.flow or not new.flow or old == new or heirs.get(old) == new:
            return False
        heirs.pop(new, None)  # a phone that goes back ends the chain there
        heirs.pop(old, None)
        heirs[old] = new
        if len(heirs) > MAX_MOVES:
            del heirs[next(iter(heirs))]
        return True

    def heir_of(self, hop: Hop) -> Hop | None:
        """What took its place at once; None when nothing did."""
        return self._heirs.get(hop)

    def all(self) -> list[Hop]:
        """The connections that others have taken the place of."""
        return list(self._heirs)

    def heir(self, hop: Hop) -> Hop:
        """Where what was to go over this connection goes now."""
        heirs = self._heirs
        for _ in range(MAX_STEPS if heirs else 0):
            after = heirs.get(hop)
            if after is None:
                break
            hop = after
        return hop
