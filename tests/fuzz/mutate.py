"""Sans-IO: mutates the corpus of a parser until it breaks or it is time to stop."""

import random
from collections.abc import Callable
from typing import NamedTuple

from tests.fuzz.targets import ALLOWED, TARGETS, corpus

MOST = 40_000  # bytes
SPICE = [
    *(bytes((code,)) for code in b'\r\n \t;,:"\\<>=@[]%*\0\xff&?/+-0'),
    *(b"\r\n", b"\r\n\r\n", b"\r\n ", b"Via: ", b"v:", b"l: 5\r\n", b"To: <sip:x@y>\r\n", b"SIP/2.0"),
    *(b"-1", b"99999999999", b";tag=", b";branch=", b"sip:", b"tel:+", b"[::1]", b"\xc3\xa9", b"%00"),
]


class Finding(NamedTuple):
    """What broke a parser."""

    data: bytes
    error: Exception


def fuzz(name: str, dice: random.Random, go_on: Callable[[], bool]) -> tuple[int, Finding | None]:
    """Feed mutations to one parser; how many, and what broke it."""
    target, seeds = TARGETS[name], corpus(name)
    pool = seeds.copy()
    runs = 0
    while go_on():
        for _ in range(64):
            data = mutated(dice, dice.choice(pool), dice.choice(seeds))
            runs += 1
            try:
                target(data)
            except ALLOWED:
                continue
            except Exception as error:
                return runs, Finding(data, error)
            if len(pool) < 4096:
                pool.append(data)  # it was accepted: go on from there
            else:
                pool[dice.randrange(len(seeds), len(pool))] = data
    return runs, None


def mutated(dice: random.Random, data: bytes, other: bytes) -> bytes:
    """One to four changes: cut, doubled, spiced, flipped, or crossed with another."""
    for _ in range(dice.randint(1, 4)):
        at = dice.randint(0, len(data))
        end = min(len(data), at + dice.choice((1, 2, 8, 32, 256)))
        kind = dice.randrange(6)
        if kind == 0:
            middle = b""
        elif kind == 1:
            middle = data[at:end] * dice.choice((2, 3, 50))
        elif kind == 2:
            middle = dice.choice(SPICE) + data[at:end]
        elif kind == 3:
            middle = dice.randbytes(dice.randint(1, 4))
        elif kind == 4:
            start = dice.randint(0, len(other))
            middle = other[start : start + dice.choice((4, 32, 256))]
        else:
            middle = dice.choice(SPICE)
        data = (data[:at] + middle + data[end:])[:MOST]
    return data
