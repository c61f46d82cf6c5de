"""docs/reference/cli-sipcore.md and the command itself name the same commands."""

import re
from pathlib import Path

import typer

from sipcore.cli import app

DOC = Path(__file__).parents[3] / "docs/reference/cli-sipcore.md"


def test_the_page_lists_each_command_and_no_other() -> None:
    listed = set(re.findall(r"`sipcore ([a-z]+)", DOC.read_text()))
    assert listed == set(typer.main.get_group(app).commands)
