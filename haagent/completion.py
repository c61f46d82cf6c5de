"""IO shell: `haagent completion`, and the answers to the shell that completes."""

from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import completion_init, get_completion_script  # type: ignore[attr-defined]

VARIABLE = "_HAAGENT_COMPLETE"


class Shell(StrEnum):
    """For which there is a script."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish.")]) -> None:
    """Print the completion script of a shell: eval "$(haagent completion bash)"."""
    script = get_completion_script(prog_name="haagent", complete_var=VARIABLE, shell=shell.value)
    print(script)  # noqa: T201 - for the shell


def answer_shells() -> None:
    """Let the command answer when a shell completes."""
    completion_init()
