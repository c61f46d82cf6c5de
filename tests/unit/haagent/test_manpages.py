"""The man pages are made from the command: every command and option is in them, and roff can read them."""

import re

import typer

from haagent.cli import app
from haagent.manpages import pages

COMMANDS = typer.main.get_group(app).commands


def test_each_command_has_a_page_with_each_of_its_options() -> None:
    made = pages()
    assert set(made) == {"haagent.1", *(f"haagent-{name}.1" for name in COMMANDS)}
    for name, command in COMMANDS.items():
        text = made[f"haagent-{name}.1"].replace("\\-", "-")
        options = {option for one in command.params for option in one.opts if option.startswith("-")}
        assert {option for option in options if f"\\fB{option}\\fR" not in text} == set()
        assert f"haagent-{name} " in text
        assert f".BR haagent-{name} (1)" in made["haagent.1"].replace("\\-", "-")


def test_no_line_begins_with_a_request_that_roff_does_not_know() -> None:
    known = {".TH", ".SH", ".TP", ".B", ".I", ".BR", ".PP"}
    for name, text in pages().items():
        begun = {match[0] for match in re.finditer(r"^[.']\S*", text, re.MULTILINE)}
        assert begun <= known, name
        assert "\n\n" not in text, name
