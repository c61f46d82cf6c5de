"""docs/reference/cli-haagent.md and the command itself name the same commands and options."""

import re
from pathlib import Path

import typer

from haagent.cli import app

DOC = Path(__file__).parents[3] / "docs/reference/cli-haagent.md"
FURTHER = {"lab"}  # loaded on demand
SHARED = {"--help", "--socket", "--config", "--json"}


def test_the_page_lists_each_command_and_no_other() -> None:
    listed = set(re.findall(r"^\| `haagent ([a-z-]+)", DOC.read_text(), re.MULTILINE))
    assert listed == set(typer.main.get_group(app).commands) | FURTHER


def test_the_page_names_each_option_and_no_other() -> None:
    options = {
        name
        for command in typer.main.get_group(app).commands.values()
        for parameter in command.params
        if parameter.param_type_name == "option"
        for name in parameter.opts
        if name.startswith("--")
    }
    assert set(re.findall(r"--[a-z][a-z-]*", DOC.read_text())) | {"--help"} == options | SHARED
