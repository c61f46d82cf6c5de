"""Sans-IO: the sum of a campaign: what was played, what was lost, how long the gaps were."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from haagent.lab.plan import Line

Key = tuple[str, ...]
CONFIDENCE = 0.95


@dataclass(slots=True)
class RoundSum:
    """Rounds with the same strategy, transport and fault."""

    rounds: int = 0
    calls_up: int = 0  # answered calls that the new master was asked about
    registrations: int = 0
    unknown_calls: list[str] = field(default_factory=list)
    wrong_registrations: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    icmp_gaps_ms: list[float] = field(default_factory=list)
    sip_gaps_ms: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, line: Line) -> None:
        """One more round."""
        where = f"group {line['group']} round {line['round']}"
        self.rounds += 1
        self.calls_up += _int(line.get("calls_up", 0))
        self.registrations += _int(line.get("registrations", 0))
        for name in ("unknown_calls", "wrong_registrations", "problems"):
            getattr(self, name).extend(f"{where}: {text}" for text in _list(line.get(name)))
        for name in ("icmp_gap_ms", "sip_gap_ms"):
            gap = line.get(name)
            if isinstance(gap, int | float):
                getattr(self, name.replace("gap", "gaps")).append(float(gap))
            elif not line.get("problems"):
                self.problems.append(f"{where}: {name} has no end")
        self.seconds += float(str(line["seconds"]))


@dataclass(slots=True)
class GroupSum:
    """Groups with the same strategy and transport."""

    groups: int = 0
    calls: int = 0
    answered: int = 0
    registers: int = 0
    duplicates: int = 0
    lost: dict[str, list[str]] = field(default_factory=dict)
    records: int = 0
    records_bad: list[str] = field(default_factory=list)  # missing, twice, wrong
    records_repeated: int = 0
    records_recovered: int = 0

    def add(self, line: Line) -> None:
        """One more group."""
        self.groups += 1
        for name in (
            "calls", "answered", "registers", "duplicates", "records", "records_repeated",
            "records_recovered",
        ):  # fmt: skip
            setattr(self, name, getattr(self, name) + _int(line[name]))
        lost = line["lost"]
        assert isinstance(lost, dict)
        self.lost |= lost
        for name in ("missing", "twice", "wrong"):
            self.records_bad += [f"{call}: record {name}" for call in _list(line[f"records_{name}"])]


class Tally:
    """Everything that was played to its end."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self.rounds: dict[Key, RoundSum] = {}
        self.groups: dict[Key, GroupSum] = {}
        for line in lines:
            where = str(line["strategy"]), str(line["transport"])
            if line["kind"] == "round":
                self.rounds.setdefault((*where, str(line["fault"])), RoundSum()).add(line)
            else:
                self.groups.setdefault(where, GroupSum()).add(line)

    @property
    def count(self) -> int:
        """How many rounds."""
        return sum(found.rounds for found in self.rounds.values())

    def bad(self) -> list[str]:
        """Everything that is not as it should be, a sentence each."""
        found: list[str] = []
        for key, rounds in self.rounds.items():
            name = ", ".join(key)
            found += [f"{name}: {text}: the new master does not know it" for text in rounds.unknown_calls]
            found += [f"{name}: {text}" for text in (*rounds.wrong_registrations, *rounds.problems)]
        for key, group in self.groups.items():
            name = ", ".join(key)
            found += [f"{name}: call {call}: no {', no '.join(lack)}" for call, lack in group.lost.items()]
            found += [f"{name}: {group.duplicates} calls rang twice"] if group.duplicates else []
            found += [f"{name}: {text}" for text in group.records_bad]
        return found

    def by_fault(self) -> dict[str, RoundSum]:
        """The same rounds by fault alone."""
        sums: dict[str, RoundSum] = {}
        for key, part in self.rounds.items():
            total = sums.setdefault(key[-1], RoundSum())
            for name in RoundSum.__slots__:
                setattr(total, name, getattr(total, name) + getattr(part, name))
        return sums


def at_most(lost: int, of: int) -> str:
    """What the share can be at most, with 95 % confidence, when none of so many was lost."""
    if lost or not of:
        return "-"
    return f"{100 * (1 - (1 - CONFIDENCE) ** (1 / of)):.2g} %"


def spread(values: Sequence[float]) -> str:
    """Median, 95th percentile and worst."""
    if not values:
        return "-"
    ordered = sorted(values)
    high = ordered[min(int(len(ordered) * 0.95), len(ordered) - 1)]
    return f"{statistics.median(ordered):.1f} / {high:.1f} / {ordered[-1]:.1f}"


def markdown(tally: Tally, picture: str = "") -> str:
    """The report."""
    bad = tally.bad()
    groups, rounds = tally.groups.items(), tally.rounds
    parts = [
        "# Campaign\n",
        f"{tally.count} faults in {sum(group.groups for _, group in groups)} groups. "
        + ("**Nothing was lost.**" if not bad else f"**{len(bad)} findings, below.**"),
        "\n## Calls and registrations\n",
        "| strategy | phones | calls | lost | rang twice | registrations | records | missing, twice or wrong "
        "| in both files | recovered |\n|---|---|---|---|---|---|---|---|---|---|",
    ]
    for key, group in groups:
        cells = [
            *key, group.calls, len(group.lost), group.duplicates, group.registers, group.records,
            len(group.records_bad), group.records_repeated, group.records_recovered,
        ]  # fmt: skip
        parts.append(_row(cells))
    parts += [
        "\n## The new master, asked as soon as it led\n",
        "| strategy | phones | fault | rounds | answered calls | unknown | at most, 95 % | registrations "
        "| wrong | VIP gap ms: median / p95 / worst | SIP gap ms |\n" + "|---" * 11 + "|",
    ]
    for key, found in sorted(rounds.items()):
        cells = [
            *key, found.rounds, found.calls_up, len(found.unknown_calls),
            at_most(len(found.unknown_calls), found.calls_up), found.registrations,
            len(found.wrong_registrations), spread(found.icmp_gaps_ms), spread(found.sip_gaps_ms),
        ]  # fmt: skip
        parts.append(_row(cells))
    parts += [f"\n![Gaps by fault]({picture})"] if picture else []
    parts += ["\n## Findings\n", *(f"- {text}" for text in bad)] if bad else []
    return "\n".join(parts) + "\n"


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value


def _list(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
