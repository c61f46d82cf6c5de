"""IO shell: what a check of credentials costs, and whether an unknown user can be told by it.

`python -m bench.digest [ROUNDS]`: CPU time of the check of a right answer, a wrong password and an unknown
user, in turns, per algorithm; the last column is how far the two refusals are apart, beside how far two
halves of the same refusals are.
"""

import sys
import time
from statistics import median

from sipcore.auth.algorithm import HASHES, NAMES, Algorithm
from sipcore.auth.digest import DigestAuth, digest_response
from sipcore.auth.nonce import Nonces

ROUNDS, CHECKS = 30, 400
SIZES = (16, 32, 32)


class Asked:
    """A REGISTER with these credentials."""

    method, uri, body = b"REGISTER", b"sip:r", b""

    def __init__(self, line: bytes) -> None:
        self._line = line

    def lines(self, name: bytes) -> list[bytes]:
        """Its Authorization."""
        return [self._line]


class Users:
    """Ten thousand users."""

    def __init__(self, algorithm: Algorithm) -> None:
        self._algorithm = algorithm
        self._users = {b"user%05d" % number: b"ab" * SIZES[algorithm] for number in range(10_000)}

    def algorithms(self) -> tuple[Algorithm, ...]:
        """The one that is measured."""
        return (self._algorithm,)

    def ha1(self, user: bytes, algorithm: Algorithm) -> bytes | None:
        """The user's hash."""
        return self._users.get(user)


def credentials(nonces: Nonces, algorithm: Algorithm, user: bytes, ha1: bytes) -> Asked:
    """Credentials with a nonce of their own."""
    given = {
        b"uri": b"sip:r",
        b"nonce": nonces.issue(1.0),
        b"nc": b"00000001",
        b"cnonce": b"0123456789abcdef",
        b"qop": b"auth",
    }
    given |= {
        b"response": digest_response(ha1, algorithm, b"REGISTER", given),
        b"username": user,
        b"realm": b"r",
    }
    line = b", ".join(b'%b="%b"' % pair for pair in given.items())
    return Asked(b"Digest algorithm=%b, %b" % (NAMES[algorithm], line))


def measure(algorithm: Algorithm, rounds: int) -> dict[str, list[float]]:
    """Microseconds per check by kind, one median per round."""
    found: dict[str, list[float]] = {"right": [], "wrong": [], "unknown": []}
    good, bad = b"ab" * SIZES[algorithm], b"cd" * SIZES[algorithm]
    for _ in range(rounds):
        nonces = Nonces(b"secret")
        auth = DigestAuth(b"r", nonces, Users(algorithm))
        kinds = {
            "right": [credentials(nonces, algorithm, b"user%05d" % n, good) for n in range(CHECKS)],
            "wrong": [credentials(nonces, algorithm, b"user%05d" % n, bad) for n in range(CHECKS)],
            "unknown": [credentials(nonces, algorithm, b"nobd%05d" % n, bad) for n in range(CHECKS)],
        }
        for name, asked in kinds.items():
            began = time.process_time_ns()
            for request in asked:
                auth.check(request, 1.0)
            found[name].append((time.process_time_ns() - began) / CHECKS / 1000)
    return found


def main() -> None:
    """Print a row per algorithm."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    out = sys.stdout.write
    out("algorithm     right  wrong  unknown  apart (halves apart), µs of CPU\n")
    for algorithm in HASHES:
        found = measure(algorithm, rounds)
        right, wrong, unknown = (median(found[name]) for name in ("right", "wrong", "unknown"))
        halves = abs(median(found["wrong"][::2]) - median(found["wrong"][1::2]))
        out(f"{NAMES[algorithm].decode():12} {right:6.1f} {wrong:6.1f} {unknown:8.1f}")
        out(f"  {abs(wrong - unknown):.2f} ({halves:.2f})\n")


if __name__ == "__main__":
    main()
