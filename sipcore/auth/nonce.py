"""Sans-IO: nonces that prove themselves, and the window of their nonce counts, on both nodes of a pair.

A nonce is time, number and MAC: whoever has the secret can judge it, and nothing is kept of one that never
comes back. Of one that was answered rightly a window of the counts that were used is kept for its life, and
the standby is told (auth/replica.py), so that a replay is refused by either node. What is not known for sure
to be unused (older than this process, or pushed out of the full table) is called stale: the phone answers a
new challenge by itself, so nobody is locked out.
"""

import hmac
from enum import IntEnum

LIFE = 300.0  # seconds
WINDOW = 32  # counts below the highest one that may still arrive
MAX_TRACKED = 65536  # nonces with a window; about 12 MB
MAX_COUNT = 2**32 - 1  # nc is 8 hexadecimal digits, RFC 7616 section 3.4
_TIME_DIGITS = 8
_HEAD = _TIME_DIGITS + 12
_SIZE = _HEAD + 24


class Freshness(IntEnum):
    """What is known about a nonce that came back."""

    FORGED = 0  # not made with our secret
    STALE = 1  # ours, but its life is over, or this count was used: RFC 7616 section 3.3, stale=true
    FRESH = 2


class Window:
    """The counts of one nonce that were used: the highest, and a bit for each of those below it."""

    __slots__ = ("highest", "used")

    def __init__(self, highest: int = 0, used: int = 0) -> None:
        self.highest = highest
        self.used = used  # bit n: highest - n

    def allows(self, count: int) -> bool:
        """Whether this count was not used, and is not so old that it might have been."""
        below = self.highest - count
        return below < 0 or (below < WINDOW and not self.used >> below & 1)

    def use(self, count: int) -> None:
        """Remember it."""
        if count > self.highest:
            self.used = (self.used << min(count - self.highest, WINDOW) | 1) & ((1 << WINDOW) - 1)
            self.highest = count
        else:
            self.used |= 1 << (self.highest - count)

    def merge(self, other: "Window") -> bool:
        """Take in what was used at the other node; True if that was news."""
        before = (self.highest, self.used)
        top = max(self.highest, other.highest)
        mask = (1 << WINDOW) - 1
        mine = self.used << min(top - self.highest, WINDOW)
        theirs = other.used << min(top - other.highest, WINDOW)
        self.highest, self.used = top, (mine | theirs) & mask
        return before != (self.highest, self.used)


class Nonces:
    """Makes and checks nonces.

    The time in a nonce is wall-clock time, because the other node must be able to judge it: `wall_offset` is
    what is to be added to `now` to get it. A nonce from the other node's future is good for as long as one
    from the past. `node` tells the nonces of two nodes apart; `since` is when (monotonic) this process began.
    """

    def __init__(
        self,
        secret: bytes,
        *,
        node: bytes = b"",
        life: float = LIFE,
        wall_offset: float = 0.0,
        since: float | None = None,
        max_tracked: int = MAX_TRACKED,
    ) -> None:
        self.life = life
        self.wall_offset = wall_offset
        self.max_tracked = max_tracked
        self.opaque = hmac.digest(secret, b"opaque", "sha256")[:8].hex().encode()
        self._secret = secret
        self._node = hmac.digest(secret, b"node " + node, "sha256")[:2].hex().encode()
        self._number = 0
        # wall-clock second: what is older and not known is not trusted
        self._floor = int(since + wall_offset) if since is not None else 0
        self._windows: dict[
            bytes, Window
        ] = {}  # in the order of first use, which is nearly that of their ends

    def __len__(self) -> int:
        return len(self._windows)

    def issue(self, now: float) -> bytes:
        """A nonce that was never given before, 44 hexadecimal digits."""
        self._number = (self._number + 1) & 0xFFFFFFFF
        head = b"%08x%b%08x" % (int(now + self.wall_offset) & 0xFFFFFFFF, self._node, self._number)
        return head + self._mac(head)

    def check(self, nonce: bytes, count: int, now: float) -> Freshness:
        """Whether we made it, lately, and it was not used with this count; without qop the count is 1."""
        window = self._windows.get(nonce)  # what is there was proved when it was first used
        if window is None and (
            len(nonce) != _SIZE or not hmac.compare_digest(nonce[_HEAD:], self._mac(nonce[:_HEAD]))
        ):
            return Freshness.FORGED
        second = _second(nonce)
        if abs(now + self.wall_offset - second) > self.life:
            return Freshness.STALE
        if window is None:
            return Freshness.FRESH if second >= self._floor else Freshness.STALE
        return Freshness.FRESH if window.allows(count) else Freshness.STALE

    def use(self, nonce: bytes, count: int, now: float) -> None:
        """A right answer came with this count: it is used up."""
        self._window(nonce, now).use(count)

    def window(self, nonce: bytes) -> Window | None:
        """What was used of this nonce; None: nothing that is known."""
        return self._windows.get(nonce)

    def merge(self, nonce: bytes, other: Window, now: float) -> bool:
        """What the other node knows of it; True if that was news."""
        return self._window(nonce, now).merge(other)

    def tracked(self) -> list[bytes]:
        """The nonces with a window."""
        return list(self._windows)

    def _window(self, nonce: bytes, now: float) -> Window:
        window = self._windows.get(nonce)
        if window is None:
            self._forget(now)
            window = self._windows[nonce] = Window()
        return window

    def _forget(self, now: float) -> None:
        """What is over goes, a few at a time; when the table is full also the oldest, and all like it."""
        windows = self._windows
        for _ in range(2):
            oldest = next(iter(windows), None)
            if oldest is None:
                return
            second = _second(oldest)
            full = len(windows) >= self.max_tracked
            if not full and now + self.wall_offset - second <= self.life:
                return
            if full:
                self._floor = max(self._floor, second + 1)
            del windows[oldest]

    def _mac(self, head: bytes) -> bytes:
        return hmac.digest(self._secret, head, "sha256")[:12].hex().encode()


def _second(nonce: bytes) -> int:
    try:
        return int(nonce[:_TIME_DIGITS], 16)
    except ValueError:  # only what a peer sent could be that
        return 0
