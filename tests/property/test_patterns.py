"""Sans-IO: a possessive quantifier makes a pattern fast; it must not change what the pattern matches.

Python before 3.11.5 has a bug there: text that a possessive group gave back may stay part of it.
"""

import importlib
import pkgutil
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sipcore

POSSESSIVE = re.compile(rb"([*+?}])\+")
CHARACTERS = list(b' \t"\\<>;:,@=.?/ab1\r\n[]()')
EDITS = st.lists(st.tuples(st.integers(0, 200), st.sampled_from(CHARACTERS), st.booleans()), max_size=3)


def patterns() -> dict[bytes, re.Pattern[bytes]]:
    """Each pattern with a possessive quantifier that is a name of a module."""
    found: dict[bytes, re.Pattern[bytes]] = {}
    for module in pkgutil.walk_packages(sipcore.__path__, "sipcore."):
        if not module.name.endswith("__main__"):
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, re.Pattern) and isinstance(value.pattern, bytes):
                    found[value.pattern] = value
    return {text: pattern for text, pattern in found.items() if POSSESSIVE.search(text)}


def edited(text: bytes, edits: list[tuple[int, int, bool]]) -> bytes:
    """The text with some characters put in or replaced."""
    out = bytearray(text)
    for at, character, is_new in edits:
        place = at % (len(out) + 1)
        out[place : place if is_new else place + 1] = bytes([character])
    return bytes(out)


@pytest.mark.parametrize("pattern", patterns().values(), ids=lambda p: p.pattern.decode("latin-1")[:30])
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_a_pattern_finds_what_it_finds_with_backtracking(
    pattern: re.Pattern[bytes], data: st.DataObject
) -> None:
    greedy = re.compile(POSSESSIVE.sub(rb"\1", pattern.pattern), pattern.flags)
    text = data.draw(st.from_regex(greedy).filter(lambda text: len(text) < 200))
    text = edited(text, data.draw(EDITS))
    quick, slow = pattern.match(text), greedy.match(text)
    assert (quick and quick.regs) == (slow and slow.regs)
