"""Sans-IO: versions of records that several nodes may change: the later one is the greater one everywhere."""

from sipcore.role import RoleGate

Version = tuple[int, int]  # epoch of the reign, number of the change
NEVER: Version = (-1, -1)


class Versions:
    """Gives each change a version above all that were seen here, so nothing need be kept of what has ended.

    The epoch stands first: of two masters the one with the higher epoch is right, however much the other
    has changed.
    """

    def __init__(self) -> None:
        self.gate: RoleGate | None = None  # None: there are no peers
        self._last = (0, 0)

    def next(self) -> Version:
        """The version of a change that is made here now."""
        epoch, change = self._last
        self._last = (max(epoch, self.gate.epoch) if self.gate is not None else epoch, change + 1)
        return self._last

    def saw(self, version: Version) -> None:
        """A peer has made a change with this version."""
        epoch, change = self._last
        self._last = (max(epoch, version[0]), max(change, version[1]))
