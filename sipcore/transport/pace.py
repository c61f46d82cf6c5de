"""Sans-IO: when a busy socket is read: at once, or a moment later with all that came meanwhile.

A wake-up of the event loop, with the caches gone cold meanwhile, costs more than a message. What NICs do
about interrupts (adaptive coalescing) helps here too: when wake-ups follow each other closely the socket is
read every `wait` seconds instead. The wait grows only as far as is needed to find a few datagrams in each
read, and when even the longest wait does not find them the socket is read at once again.
"""

WINDOW = 16  # wake-ups, or reads, that are looked at together
ENOUGH = 2  # datagrams in a read, on average, for which a wait pays
GOOD = 4  # as many make a longer one needless
MANY = 16  # and as many call for a shorter one
STEPS = 4  # the shortest wait is the longest, divided by this


class Pace:
    """Chooses between the two ways to read a socket; a datagram may have to wait `most` seconds."""

    __slots__ = ("_count", "_datagrams", "_least", "_most", "_since", "wait")

    def __init__(self, most: float) -> None:
        self._most = most
        self.wait = self._least = most / STEPS
        self._count = 0
        self._datagrams = 0
        self._since = 0.0

    def wants_rest(self, now: float) -> bool:
        """After a wake-up: whether they come so often that it is better to read every `wait` seconds."""
        self._count += 1
        if self._count < WINDOW:
            return False
        close = now - self._since < WINDOW * self._most / ENOUGH
        self._since = now
        self._count = self._datagrams = 0
        self.wait = self._least
        return close

    def goes_on(self, datagrams: int, now: float) -> bool:
        """After such a read: whether it goes on like this; `wait` is until the next one."""
        self._count += 1
        self._datagrams += datagrams
        if self._count < WINDOW:
            return True
        read = self._datagrams
        self._since = now
        self._count = self._datagrams = 0
        if read < WINDOW * GOOD and self.wait < self._most:
            self.wait = min(2 * self.wait, self._most)
            return True
        if read >= WINDOW * MANY:
            self.wait = max(self.wait / 2, self._least)
        return read >= WINDOW * ENOUGH
