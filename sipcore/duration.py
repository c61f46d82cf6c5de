"""Sans-IO: durations as people write them: "100ms", "5s", "10m", "1h", or a number of seconds."""

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_TEXT = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


class Seconds(float):
    """A duration; a type of its own, so that a config reader knows where one is meant."""


def parse_duration(value: object) -> Seconds:
    """Seconds from text or a number; ValueError says what would be right."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Seconds(value)
    match = _TEXT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('not a duration such as "100ms", "5s", "10m", "1h" or a number of seconds')
    return Seconds(round(float(match[1]) * _UNITS[match[2]], 6))
