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
        if old is None or new is None or not old.flow or not new.flow or old == new:
            return
        heirs = self._heirs
        heirs.pop(new, None)  # a phone that goes back ends the chain there
        heirs.pop(old, None)
        heirs[old] = new
        if len(heirs) > MAX_MOVES:
            del heirs[next(iter(heirs))]
        for follower in self.followers:
            follower(old, new)

    def heir(self, hop: Hop) -> Hop:
        """Where what was to go over this connection goes now."""
        heirs = self._heirs
        for _ in range(MAX_STEPS if heirs else 0):
            after = heirs.get(hop)
            if after is None:
                break
            hop = after
        return hop
