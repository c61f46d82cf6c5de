"""IO shell: a script file to its routes."""

from pathlib import Path

import pytest

from sipcore.bus import Event
from sipcore.script.errors import ScriptError
from sipcore.script.loader import load

SCRIPT = """\
from sipcore.script import *

seen = []

@request_route
async def main(call: Call) -> None:
    await relay(call)

@reply_route
async def every(call: Call) -> None:
    pass

@reply_route("named")
async def named(call: Call) -> None:
    pass

@event_route("E_UL_AOR_INSERT")
async def first(event: RaisedEvent) -> None:
    pass

@event_route("E_UL_AOR_INSERT")
async def second(event: RaisedEvent) -> None:
    pass
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "route.py"
    path.write_text(text)
    return path


def test_the_routes_of_a_file_are_found_by_kind_and_name(tmp_path: Path) -> None:
    generation = load(write(tmp_path, SCRIPT))
    assert generation.request is not None
    assert generation.request.line == 5
    assert sorted(generation.reply) == ["", "named"]
    assert [route.name for route in generation.events[Event.E_UL_AOR_INSERT]] == ["E_UL_AOR_INSERT"] * 2
    assert len(generation) == 5


def test_two_loads_share_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, SCRIPT)
    one, two = load(path, number=1), load(path, number=2)
    assert one.request is not None
    assert two.request is not None
    modules = [route.function.__globals__ for route in (one.request, two.request)]
    assert modules[0]["seen"] is not modules[1]["seen"]


def test_what_is_wrong_is_told_line_by_line(tmp_path: Path) -> None:
    path = write(tmp_path, SCRIPT.replace("await relay(call)", "relay(cal)"))
    with pytest.raises(ScriptError) as caught:
        load(path)
    assert str(caught.value).splitlines() == [
        f"{path}:7: relay(...) is not awaited: it would do nothing",
        f"{path}:7: unknown name 'cal', did you mean 'call'?",
    ]


def test_what_fails_while_loading_has_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, SCRIPT + "\nimport no_such_package_at_all\n")
    with pytest.raises(ScriptError, match=rf"{path}:25: raises ModuleNotFoundError: .*no_such_package"):
        load(path)
    path = write(tmp_path, SCRIPT + "\nraise SystemExit(3)\n")
    with pytest.raises(ScriptError, match=rf"{path}:25: raises SystemExit: 3"):
        load(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"nowhere\.py:1: No such file or directory"):
        load(tmp_path / "nowhere.py")
