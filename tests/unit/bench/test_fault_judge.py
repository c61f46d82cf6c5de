"""A sound history keeps every invariant; a broken one fails the invariant that it breaks, and no other."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from bench.faults.catalogue import ELSEWHERE, FAULTS
from bench.faults.history import FAULT, HEALED, Calls, Change, History, shared, stretches
from bench.faults.judge import (
    Invariant,
    alarmed,
    at_least,
    at_most,
    doubled_at_most,
    healed_to_one,
    master_down,
    moved,
    never_master,
    nothing_lost,
    one_at_end,
    one_owner,
    owner_at_end,
    served,
    stays,
    takeovers_at_most,
)
from haagent.lab.sight import Sight, Sort

ROOT = Path(__file__).parents[3]
GAP = 0.3


def answers(*spans: tuple[str, float, float], stall: float = 0.0) -> Sight:
    """ICMP every 1 ms, SIP every 5 ms, ARP every 10 ms, by each node in its spans."""
    sight = Sight()
    rows = [
        (begin + index * step, node, sort)
        for node, begin, end in spans
        for sort, step in ((Sort.ICMP, 0.001), (Sort.SIP, 0.005), (Sort.ARP, 0.01))
        for index in range(round((end - begin) / step))
    ]
    for at, node, sort in sorted(rows):
        sight.add(sort, at, node)
    if stall:
        sight.add(Sort.STALL, 10.05, str(stall))
    return sight


def takeover(gap: float = GAP, *, overlap: float = 0.0, calls: Calls | None = None) -> History:
    """a serves from 9 to 10, dies; b serves from 10+gap to 12."""
    return History(
        "power", "haagent", 0.1, "a", begin=9.0, end=12.0, marks={FAULT: 10.0},
        sight=answers(("a", 9.0, 10.0 + gap + overlap), ("b", 10.0 + gap, 12.0)) if overlap
        else answers(("a", 9.0, 10.0), ("b", 10.0 + gap, 12.0)),
        changes=[Change(10.0 + gap, "b", "MASTER", "no master advertises")], roles={"b": "MASTER"},
        calls=calls or Calls(placed=20),
    )  # fmt: skip


def quiet() -> History:
    """a serves all the time."""
    return History(
        "loss", "haagent", 0.1, "a", begin=9.0, end=12.0, marks={FAULT: 10.0},
        sight=answers(("a", 9.0, 12.0)), roles={"a": "MASTER", "b": "BACKUP"}, calls=Calls(placed=20),
        said={"b": "the peer says that it is master, but it is not heard by VRRP"}, facts={"files": 1.0},
    )  # fmt: skip


def healed(*, dead: float = 0.0, double: float = 0.1) -> History:
    """Both own it from 10.3 to the heal at 11 and `double` longer; the client is not answered for `dead`."""
    return History(
        "partition", "haagent", 0.1, "a", begin=9.0, end=13.0, marks={FAULT: 10.0, HEALED: 11.0},
        sight=answers(("a", 9.0, 11.0 + double), ("b", 10.3, 11.0), ("b", 11.0 + dead, 13.0)),
        changes=[Change(10.3, "b", "MASTER"), Change(11.1, "a", "BACKUP")],
        roles={"a": "BACKUP", "b": "MASTER"},
    )  # fmt: skip


DEAD = answers(("a", 9.0, 10.0))
TAKEN = (Change(10.1, "b", "MASTER", "forged"), Change(10.2, "a", "BACKUP", "forged"))
CASES: list[tuple[Invariant, History, History]] = [
    (served(master_down, ""), takeover(), takeover(0.6)),
    (served(master_down, "", sort=Sort.SIP), takeover(), replace(takeover(), sight=DEAD)),
    (moved(master_down, ""), takeover(), takeover(0.6)),
    (moved(master_down, ""), takeover(), replace(takeover(), sight=answers(("a", 9.0, 12.0)))),
    (one_owner(0.5, ""), takeover(overlap=0.1), takeover(overlap=0.9)),
    (doubled_at_most(0.1), takeover(overlap=0.05), takeover(overlap=0.4)),
    (one_at_end(), takeover(), takeover(overlap=1.7)),
    (one_at_end(), takeover(), replace(takeover(), roles={"a": "MASTER", "b": "MASTER"})),
    (one_at_end(), takeover(), replace(takeover(), sight=DEAD)),
    (owner_at_end(old=False), takeover(), quiet()),
    (owner_at_end(old=True), quiet(), takeover()),
    (stays(), quiet(), replace(quiet(), changes=list(TAKEN))),
    (stays(), quiet(), replace(quiet(), sight=answers(("a", 9.0, 12.0), ("b", 10.5, 10.6)))),
    (takeovers_at_most(1), takeover(), replace(takeover(), changes=[*TAKEN, *TAKEN])),
    (never_master(new=True, says=""), quiet(), takeover()),
    (nothing_lost(), takeover(), takeover(calls=Calls(placed=20, lost={"c1": ["bye_answered 200"]}))),
    (nothing_lost(), takeover(), takeover(calls=Calls(placed=20, lost_registrations=["alice"]))),
    (nothing_lost(), takeover(), takeover(calls=Calls(placed=20, doubled=1))),
    (nothing_lost(), takeover(), takeover(calls=Calls())),
    (alarmed("not heard by VRRP", new=True), quiet(), takeover()),
    (at_most("files", 1, ""), quiet(), replace(quiet(), facts={"files": 2.0})),
    (at_most("files", 1, ""), quiet(), takeover()),
    (at_least("files", 1, ""), quiet(), replace(quiet(), facts={"files": 0.0})),
    (healed_to_one(0.25, ""), healed(), healed(dead=0.5)),
    (healed_to_one(0.25, ""), healed(), healed(double=0.8)),
]  # fmt: skip


@pytest.mark.parametrize(("invariant", "sound", "broken"), CASES)
def test_a_sound_history_keeps_the_invariant_and_a_broken_one_does_not(
    invariant: Invariant, sound: History, broken: History
) -> None:
    assert invariant.judge(sound).held, invariant.judge(sound).seen
    assert not invariant.judge(broken).held, invariant.judge(broken).seen


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_history_in_which_nothing_was_recorded_keeps_nothing(fault: object) -> None:
    empty = History("x", "haagent", 0.1, "a", begin=0.0)
    for invariant in fault.invariants:  # type: ignore[attr-defined] # a Fault
        assert not invariant.judge(empty).held


def test_what_the_probe_could_not_see_is_not_held_against_the_pair() -> None:
    late = takeover(0.5)
    assert not served(master_down, "").judge(late).held
    stalled = replace(late, sight=answers(("a", 9.0, 10.0), ("b", 10.5, 12.0), stall=0.1))
    assert served(master_down, "").judge(stalled).held


def test_stretches_join_answers_that_follow_each_other() -> None:
    assert stretches([1.0, 1.01, 1.02, 2.0, 2.01]) == [(1.0, 1.02), (2.0, 2.01)]
    assert stretches([]) == []
    assert shared([(1.0, 2.0), (3.0, 4.0)], [(1.5, 3.5)]) == [(1.5, 2.0), (3.0, 3.5)]


def test_every_fault_of_the_list_is_injected_or_accounted_for() -> None:
    agreed = msgspec.json.decode((ROOT / "bench/faults/faults.json").read_bytes())
    wanted = {scenario["id"] for scenario in agreed["scenarios"]}
    played = [fault.id for fault in FAULTS]
    assert len(played) == len(set(played))
    assert wanted == {name for name in played if not name.startswith("X")} | set(ELSEWHERE)


def test_tests_that_stand_in_for_a_fault_exist() -> None:
    paths = [word for reason in ELSEWHERE.values() for word in reason.split() if word.startswith("tests/")]
    assert len(paths) >= 6
    assert [path for path in paths if not (ROOT / path).exists()] == []
