"""Sans-IO: what a run of the laboratory is asked to show, and what came of it."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """What the laboratory can do to a node."""

    POWER = "power"
    LINK = "link"
    CORE = "core"
    AGENT = "agent"
    SWITCHOVER = "switchover"
    FREEZE = "freeze"


@dataclass(frozen=True)
class Options:
    """What the demo is asked to show; `advert` in seconds."""

    strategy: str = "on-master"
    fault: Fault = Fault.POWER
    advert: float = 0.1
    calls: int = 50
    users: int = 200
    seed: int = 0


@dataclass(slots=True)
class Outcome:
    """What came of a demo. Pairs are (before, after) or (answered, asked); times in ms, None: never."""

    options: Options
    old: str
    new: str | None
    icmp_gap_ms: float | None
    sip_gap_ms: float | None
    owners: list[str]
    registrations: tuple[int, int] = (0, 0)
    calls: tuple[int, int] = (0, 0)
    answers: dict[str, dict[str, int]] = field(default_factory=dict)
    options_answered: tuple[int, int] = (0, 0)
    placed: int = 0
    lost: dict[str, list[str]] = field(default_factory=dict)
    lost_registrations: list[str] = field(default_factory=list)
    duplicates: int = 0
    errors: list[str] = field(default_factory=list)
    timeline: list[tuple[float, str, str]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost and one node, the other one, has the VIP."""
        answered, asked = self.options_answered
        lost = self.lost or self.lost_registrations or self.duplicates or answered < asked
        return not lost and self.owners == [self.new] and self.calls[0] == self.calls[1]


def as_json(result: Outcome) -> dict[str, object]:
    """A result for a file; the first key is the verdict."""
    return {"lost_anything": not result.is_good, **asdict(result)}
