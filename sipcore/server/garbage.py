"""IO shell: takes away the circles that ended connections leave: asyncio's transports, refused handshakes.

The cyclic collector is off: no packet waits for it. A flood of connections would so cost memory for ever;
hence the young objects, a small part of all, are looked through after so many ends of connections.
"""

import gc

YOUNG_AFTER = 256  # connections that have ended
OLDER_EVERY = 16  # such collections


class Garbage:
    """Counts the ends of connections."""

    def __init__(self) -> None:
        self._ended = 0
        self._collections = 0

    def on_ended(self, connections: int) -> None:
        """So many have ended."""
        self._ended += connections
        if self._ended >= YOUNG_AFTER:
            self._ended = 0
            self._collections += 1
            gc.collect(0 if self._collections % OLDER_EVERY else 1)
