"""Sans-IO: whether the machine's watchdog may be fed: while the guard reports and can renew its leases.

A node that cannot renew its lease has lost the VIPs already (the kernel drops their traffic) and cannot do
its work as master; a node whose guard hangs neither. What resets the machine cures both.
"""

FEEDS_PER_TIMEOUT = 4


class Feeding:
    """`timeout`: seconds without food after which the machine is reset."""

    def __init__(self, timeout: float, now: float) -> None:
        self.interval = timeout / FEEDS_PER_TIMEOUT
        self._heard = now + timeout - self.interval  # the guard has a whole timeout for its first word
        self._renews = True

    def on_report(self, *, lease_renews: bool, now: float) -> None:
        """The guard has spoken."""
        self._heard, self._renews = now, lease_renews

    def refusal(self, now: float) -> str | None:
        """Why it must not be fed now, or None."""
        if now - self._heard > self.interval:
            return f"the guard has not reported for {now - self._heard:.1f} s"
        return None if self._renews else "the lease cannot be renewed"
