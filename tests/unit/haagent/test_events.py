"""One catalogue of events: the code, the catalogue and the reference say the same."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from haagent.telemetry.events import Event

ROOT = Path(__file__).parents[3]
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
REFERENCE = (ROOT / "docs/reference/events.md").read_text()


def calls_of_the_log() -> Iterator[tuple[str, str | None]]:
    """Where each is, and the member of the catalogue that it names."""
    for path in sorted((ROOT / "haagent").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            function = node.func
            if not isinstance(function.value, ast.Name) or function.value.id != "log":
                continue
            if function.attr in LEVELS:
                first = node.args[1 if function.attr == "log" else 0]
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                yield where, first.attr if _is_member(first) else None  # type: ignore[attr-defined]


def _is_member(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Event"


CALLS = list(calls_of_the_log())


@pytest.mark.parametrize(("where", "member"), CALLS)
def test_each_event_of_the_code_has_a_constant_name(where: str, member: str | None) -> None:
    assert member in Event.__members__, f"{where}: give the event a name in haagent/telemetry/events.py"


def test_each_event_of_the_catalogue_is_in_the_code() -> None:
    assert {member for _where, member in CALLS} == set(Event.__members__)


def test_the_reference_lists_the_events_of_the_catalogue_and_no_others() -> None:
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \|", REFERENCE, re.MULTILINE)
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(listed) == sorted(Event)
