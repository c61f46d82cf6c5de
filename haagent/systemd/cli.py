"""IO shell: `haagent systemd`: shows, installs or removes the unit files of this installation."""

import sysconfig
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from haagent.errors import HostError
from haagent.systemd.files import files, require_visible
from haagent.systemd.install import install, remove

WRONG_HOST = 2

out = Console(emoji=False, highlight=False, soft_wrap=True)
errors = Console(emoji=False, stderr=True, soft_wrap=True)


class Action(StrEnum):
    """What to do with the files."""

    SHOW = "show"
    INSTALL = "install"
    REMOVE = "remove"


def systemd(
    action: Annotated[Action, typer.Argument(help="show changes nothing.")],
    root: Annotated[Path, typer.Option("--root", help="Below this directory, as of an image.")] = Path("/"),
    programs: Annotated[
        Path | None, typer.Option("--bin", help="Where the programs are; default: beside this one.")
    ] = None,
) -> None:
    """Install the services haagent and sipcore: units, users, directories. Starts nothing."""
    bin_dir = programs or Path(sysconfig.get_path("scripts"))
    try:
        require_visible(bin_dir)
        _act(action, root, bin_dir)
    except (HostError, OSError) as error:
        errors.print(f"haagent: {escape(str(error))}", highlight=False)
        raise typer.Exit(WRONG_HOST) from error


def _act(action: Action, root: Path, bin_dir: Path) -> None:
    if action is Action.SHOW:
        for target, text in files(bin_dir).items():
            out.print(f"# {target}\n{text}", markup=False)
        return
    changed = install(root, bin_dir) if action is Action.INSTALL else remove(root, bin_dir)
    verb = "written" if action is Action.INSTALL else "removed"
    for path in changed:
        out.print(f"{verb}: {path}", markup=False)
    if not changed:
        out.print(f"nothing to do: nothing {verb}")
    elif action is Action.INSTALL and root == Path("/"):
        out.print("next: systemctl enable --now sipcore haagent")
