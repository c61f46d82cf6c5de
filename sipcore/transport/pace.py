"""Sans-IO: when a busy socket is read: at once, or a moment later with all that came meanwhile.

A wake-up of the event loop costs as much as a message. What NICs do about interrupts (coalescing, NAPI) helps
here too: when wake-ups follow each other closely the socket is read every `wait` seconds instead, until there
is not enough to read.
"""

WINDOW = 16  # wake-ups, or reads, that are looked at together
ENOUGH = 2  # datagrams in a read, on average, for which the wait pays


class Pace:
    """Chooses between the two ways to read a socket; a datagram may have to wait `wait` seconds."""

    __slots__ = ("_count", "_datagrams", "_since", "wait")

    def __init__(self, wait: float) -> None:
        self.wait = wait
        self._count = 0
        self._datagrams = 0
        self._since = 0.0

    def wants_rest(self, now: float) -> bool:
        """After a wake-up: whether they come so often that it is better to read every `wait` seconds."""
        self._count += 1
        if self._count < WINDOW:
            return False
        close = now - self._since < WINDOW * self.wait / ENOUGH
        self._since = now
        self._count = self._datagrams = 0
        return close

    def goes_on(self, datagrams: int, now: float) -> bool:
        """After such a read: whether it paid, so that it goes on like this."""
        self._count += 1
        self._datagrams += datagrams
        if self._count < WINDOW:
            return True
        enough = self._datagrams >= WINDOW * ENOUGH
        self._since = now
        self._count = self._datagrams = 0
        return enough
