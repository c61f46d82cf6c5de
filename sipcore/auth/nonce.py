"""Sans-IO: nonces that prove themselves: time and HMAC, valid on each node that has the secret."""

import hmac
from enum import IntEnum

LIFE = 300.0  # seconds
_TIME_DIGITS = 8
_SIZE = _TIME_DIGITS + 32


class Freshness(IntEnum):
    """What is known about a nonce that came back."""

    FORGED = 0  # not made with our secret
    STALE = 1  # ours, but its life is over: RFC 7616 section 3.3, stale=true
    FRESH = 2


class Nonces:
    """Makes and checks nonces without keeping any.

    The time in a nonce is wall-clock time, because the other node must be able to judge it: `wall_offset` is
    what is to be added to `now` to get it. A nonce from the other node's future is good for as long as one
    from the past. Deviations: no count of uses (RFC 7616 section 3.4, nc); a replayed REGISTER falls by its
    CSeq.
    """

    def __init__(self, secret: bytes, *, life: float = LIFE, wall_offset: float = 0.0) -> None:
        self.life = life
        self.wall_offset = wall_offset
        self._secret = secret
        self._newest = (-1, b"")

    def issue(self, now: float) -> bytes:
        """A nonce of this second, 40 hexadecimal digits."""
        second = int(now + self.wall_offset)
        if second != self._newest[0]:
            self._newest = second, self._make(second)
        return self._newest[1]

    def check(self, nonce: bytes, now: float) -> Freshness:
        """Whether we made it, and lately."""
        if len(nonce) != _SIZE:
            return Freshness.FORGED
        try:
            second = int(nonce[:_TIME_DIGITS], 16)
        except ValueError:
            return Freshness.FORGED
        if not hmac.compare_digest(nonce, self._make(second)):
            return Freshness.FORGED
        age = now + self.wall_offset - second
        return Freshness.FRESH if abs(age) <= self.life else Freshness.STALE

    def _make(self, second: int) -> bytes:
        time = b"%08x" % (second & 0xFFFFFFFF)
        return time + hmac.digest(self._secret, time, "sha256")[:16].hex().encode()
