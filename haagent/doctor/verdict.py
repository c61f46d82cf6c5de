"""Sans-IO: one line of `haagent doctor`: what was looked at, how it is, what was seen and what to do."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"  # a takeover works, but not as well as it could, or it could not be found out
    FAIL = "fail"  # a takeover would not work, or there would be two masters


@dataclass(slots=True)
class Verdict:
    """One finding."""

    check: str
    level: Level
    seen: str
    do: str = ""

    def as_json(self) -> dict[str, str]:
        """For --json."""
        return {**asdict(self), "level": self.level.value}


def ok(check: str, seen: str) -> Verdict:
    """As it should be."""
    return Verdict(check, Level.OK, seen)


def warn(check: str, seen: str, do: str) -> Verdict:
    """Could be better."""
    return Verdict(check, Level.WARN, seen, do)


def fail(check: str, seen: str, do: str) -> Verdict:
    """Stops a takeover."""
    return Verdict(check, Level.FAIL, seen, do)


def worst(verdicts: list[Verdict]) -> Level:
    """The level of them all."""
    levels = {verdict.level for verdict in verdicts}
    return next((level for level in (Level.FAIL, Level.WARN) if level in levels), Level.OK)
