"""A campaign's plan, its record that can be gone on with, and the sum of it."""

from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from rich.console import Console

from haagent.lab import report
from haagent.lab.campaign import Record, plot
from haagent.lab.errors import LabError
from haagent.lab.plan import Group, Line, Plan, finished, plan_line, unfinished
from haagent.lab.tally import Tally, at_most, markdown

PLAN = Plan(rounds=23, group=10, seed=4)


def round_line(number: int, group: int = 0, run: str = "x", **more: object) -> Line:
    return {
        "kind": "round", "group": group, "round": number, "run": run, "strategy": "on-both",
        "transport": "udp", "fault": "power", "problems": [], "unknown_calls": [], "wrong_registrations": [],
        "calls_up": 9, "registrations": 80, "icmp_gap_ms": 250.0, "sip_gap_ms": 260.0 + number,
        "seconds": 2.5, **more,
    }  # fmt: skip


def group_line(group: int = 0, run: str = "x", **more: object) -> Line:
    return {
        "kind": "group", "group": group, "run": run, "strategy": "on-both", "transport": "udp", "rounds": 10,
        "calls": 700, "answered": 400, "registers": 300, "lost": {}, "duplicates": 0, "records": 700,
        "records_missing": [], "records_twice": [], "records_wrong": [], "records_repeated": 2,
        "records_recovered": 3, **more,
    }  # fmt: skip


def test_groups_take_strategies_and_transports_in_turn_and_faults_about_as_often() -> None:
    groups = PLAN.groups()
    assert [len(group.faults) for group in groups] == [10, 10, 3]
    assert [(group.strategy, group.transport) for group in groups] == [
        ("on-master", "udp"), ("on-master", "tcp"), ("on-both", "udp")
    ]  # fmt: skip
    assert set(Counter(groups[0].faults).values()) == {2}
    assert groups == PLAN.groups() != replace(PLAN, seed=5).groups()
    assert Group.of({**asdict(groups[0]), "faults": list(groups[0].faults)}) == groups[0]


def test_a_campaign_goes_on_with_the_groups_that_have_no_end(tmp_path: Path) -> None:
    path = tmp_path / "record"
    record = Record(path, PLAN)
    for line in (round_line(0, group=1, run="cut"), round_line(0), group_line()):
        record.add(line)
    with path.open("a") as file:
        file.write('{"kind": "rou')
    again = Record(path, PLAN)
    assert [group.number for group in again.left] == [1, 2]
    assert again.lines[0] == plan_line(PLAN)
    assert [line["kind"] for line in finished(again.lines)] == ["round", "group"]
    with pytest.raises(LabError, match="of another campaign"):
        Record(path, replace(PLAN, seed=9))
    assert unfinished(PLAN, [plan_line(PLAN), *(group_line(number) for number in range(3))]) == []


def test_a_campaign_without_findings_is_good() -> None:
    tally = Tally([*(round_line(number) for number in range(10)), group_line()])
    assert (tally.count, tally.bad()) == (10, [])
    assert "**Nothing was lost.**" in markdown(tally)


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        (round_line(0, unknown_calls=["r0-7"]), "r0-7: the new master does not know it"),
        (round_line(0, wrong_registrations=["bob: gone"]), "bob: gone"),
        (round_line(0, problems=["not taken over"]), "not taken over"),
        (round_line(0, sip_gap_ms=None), "sip_gap_ms has no end"),
        (group_line(lost={"r0-3": ["bye_answered 200"]}), "call r0-3: no bye_answered 200"),
        (group_line(duplicates=1), "1 calls rang twice"),
        (group_line(records_missing=["r0-1"]), "r0-1: record missing"),
        (group_line(records_twice=["r0-1"]), "r0-1: record twice"),
        (group_line(records_wrong=["r0-1"]), "r0-1: record wrong"),
    ],
)
def test_each_kind_of_loss_is_a_finding(line: Line, finding: str) -> None:
    tally = Tally([line])
    (found,) = tally.bad()
    assert found.endswith(finding)
    assert found in markdown(tally)
    console = Console(width=160, color_system=None)
    with console.capture() as capture:
        console.print(report.campaign(tally))
    assert found in capture.get()
    assert "Something was lost." in capture.get()


def test_many_trials_without_a_loss_say_more_than_few() -> None:
    assert at_most(0, 1) == "95 %"
    assert at_most(0, 1000) == "0.3 %"
    assert at_most(1, 1000) == at_most(0, 0) == "-"


def test_the_gaps_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "gaps.png"
    assert plot(Tally(round_line(number) for number in range(10)), path)
    assert path.read_bytes().startswith(b"\x89PNG")
