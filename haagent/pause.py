"""Sans-IO: maintenance: while it lasts, this node takes over only when it is asked to.

An operator's switchover or failover, and the planned stop of the other agent, ask. A death, silence, a fault
or bad health of the peer do not. It ends after its time or by `haagent resume`, and outlives the agent; a
master whose agent was killed while paused is master again if nobody else is (`heir`).
"""

import math


class Pause:
    """At most one; a new one replaces it."""

    def __init__(self) -> None:
        self.by: str | None = None
        self._until = math.inf
        self.heir = False

    @property
    def holds(self) -> bool:
        """Whether silence is no reason to take over."""
        return self.active and not self.heir

    @property
    def active(self) -> bool:
        """Whether it lasts."""
        return self.by is not None

    @property
    def deadline(self) -> float | None:
        """When it ends by itself."""
        return self._until if self.active and self._until < math.inf else None

    def begin(self, by: str, seconds: float | None, now: float) -> None:
        """Until `seconds` have gone, or for ever."""
        self.by = by
        self._until = math.inf if seconds is None else now + seconds

    def end(self) -> None:
        """From now on the node takes over by itself again."""
        self.by = None

    def left(self, now: float) -> float | None:
        """Seconds that remain; None: it has no end of its own."""
        return None if self.deadline is None else max(0.0, self.deadline - now)

    def __str__(self) -> str:
        return f"paused by {self.by}"
