"""The tables that the laboratory ends with."""

from dataclasses import replace

from rich.console import Console

from haagent.lab import report
from haagent.lab.outcome import Options, Outcome

OUTCOME = Outcome(
    Options(), "a", "b", 300.04, None, ["b"], (200, 200), (50, 49), {"BYE": {"200": 3, "481": 1}}
)


def text_of(renderable: object) -> str:
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_demo_names_gaps_answers_and_each_lost_call() -> None:
    text = text_of(report.demo(replace(OUTCOME, lost={"c7": ["bye_answered 200"]})))
    for part in ("300.0 ms", "never came back", "50, 49", "3 x 200, 1 x 481", "c7", "no bye_answered 200"):
        assert part in text
    assert "Something was lost." in text


def test_laboratory_tells_numbers_from_yes_and_no() -> None:
    node = {"power": True, "agent": {"role": "MASTER", "epoch": 1}, "core": {"synced": False, "contacts": 0}}
    lines = [
        line.split("│")
        for line in text_of(report.laboratory("on-both", {"a": node})).splitlines()
        if "│" in line
    ]
    rows = {cells[1].strip(): cells[2].strip() for cells in lines}
    assert (rows["power"], rows["epoch"], rows["in sync"], rows["contacts"]) == ("yes", "1", "no", "0")
    assert rows["guard"] == "-"
