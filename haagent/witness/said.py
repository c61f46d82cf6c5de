"""Sans-IO: what the witness says, and what the node is told of it by the configuration."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """The answer to a claim of the lock."""

    GRANTED = "granted"
    REFUSED = "refused"
    AWAY = "away"  # no answer in time


@dataclass(slots=True)
class Said:
    """`epoch`: the greatest that the witness knows; `until` (monotonic seconds): the lock is ours so long."""

    outcome: Outcome
    holder: str = ""
    epoch: int = 0
    until: float = 0.0


@dataclass(frozen=True, slots=True)
class WitnessSettings:
    """`strict`: without an answer nobody takes over, and a master that hears nobody steps back."""

    lease: float
    timeout: float
    strict: bool = False
