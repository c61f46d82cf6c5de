"""Sans-IO: what a campaign is to play: groups of rounds, each on one laboratory; and what of it is done."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b

from haagent.lab.outcome import Fault

FAULTS = (Fault.CORE, Fault.AGENT, Fault.POWER, Fault.LINK, Fault.FREEZE)
Line = dict[str, object]


@dataclass(frozen=True)
class Plan:
    """A campaign. Groups take strategies and transports in turn; in a group the faults come at random."""

    rounds: int = 1000
    group: int = 50
    faults: tuple[str, ...] = FAULTS
    strategies: tuple[str, ...] = ("on-master", "on-both")
    transports: tuple[str, ...] = ("udp", "tcp")
    advert: float = 0.1
    users: int = 100
    rate: float = 20.0
    seed: int = 0

    def groups(self) -> list["Group"]:
        """All groups, in the order in which they are begun."""
        kinds = [(strategy, transport) for strategy in self.strategies for transport in self.transports]
        count = max(-(-self.rounds // self.group), 1)
        found = []
        for number in range(count):
            strategy, transport = kinds[number % len(kinds)]
            size = min(self.group, self.rounds - number * self.group)
            faults = self._faults(number, size)
            found.append(
                Group(number, strategy, transport, faults, self.advert, self.users, self.rate, self.seed)
            )
        return found

    def _faults(self, number: int, size: int) -> tuple[str, ...]:
        """Each fault about as often as any other, in random order."""

        def chance(index: int) -> bytes:  # the same seed gives the same campaign
            return blake2b(f"{self.seed} {number} {index}".encode()).digest()

        places = sorted(range(size), key=chance)
        return tuple(self.faults[(number * size + place) % len(self.faults)] for place in places)


@dataclass(frozen=True)
class Group:
    """Rounds that are played on one laboratory, one fault each."""

    number: int
    strategy: str
    transport: str
    faults: tuple[str, ...]
    advert: float
    users: int
    rate: float
    seed: int

    @classmethod
    def of(cls, values: Mapping[str, object]) -> "Group":
        """From its form in JSON."""
        return cls(**{**values, "faults": tuple(values["faults"])})  # type: ignore[arg-type]


def plan_line(plan: Plan) -> Line:
    """The first line of a record: which campaign it is of."""
    return {"kind": "plan", **_plain(asdict(plan))}


def unfinished(plan: Plan, lines: Sequence[Line]) -> list[Group]:
    """The groups that have no end in the record; ValueError: the record is of another campaign."""
    if lines and lines[0] != plan_line(plan):
        raise ValueError(f"it is of another campaign: {lines[0]}")
    done = {line["group"] for line in lines if line["kind"] == "group"}
    return [group for group in plan.groups() if group.number not in done]


def finished(lines: Iterable[Line]) -> list[Line]:
    """The rounds and ends of finished groups; what a group that was cut off had played is played again."""
    lines = list(lines)
    done = {line["group"]: line["run"] for line in lines if line["kind"] == "group"}
    return [
        line
        for line in lines
        if line["kind"] in ("round", "group") and done.get(line["group"]) == line["run"]
    ]


def _plain(values: dict[str, object]) -> Line:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
