"""IO shell: `haagent convert`."""

import glob
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from haagent.config import load
from haagent.errors import ConfigError
from haagent.keepalived.convert import convert as converted
from haagent.keepalived.parse import ConvertError, parse

NOT_DONE, WRONG_USAGE = 1, 2
MAX_FILES = 1000

errors = Console(emoji=False, stderr=True, soft_wrap=True)


def convert(
    file: Annotated[Path, typer.Argument(help="keepalived.conf")],
    node: Annotated[
        str, typer.Option("--node", help="Name of this node: chooses its @node lines; default: hostname.")
    ] = "",
) -> None:
    """Turn keepalived.conf into haagent.toml on stdout; what was not carried over goes to stderr."""
    try:
        tree = parse(_text(file), str(file), node=node or socket.gethostname(), include=_include)
    except (ConvertError, OSError) as error:
        errors.print(f"haagent: {escape(str(error))}", highlight=False)
        raise typer.Exit(WRONG_USAGE) from error
    done = converted(tree, node=node)
    for note in done.notes:
        errors.print(escape(str(note)), highlight=False)
    print(done.text)  # noqa: T201 - a file for `>`
    try:
        load(done.text)
    except ConfigError as error:
        reason = "there is no vrrp_instance to carry over" if not done.routers else str(error)
        errors.print(f"haagent: the result does not pass `haagent check`: {escape(reason)}", highlight=False)
        raise typer.Exit(NOT_DONE) from error


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _include(pattern: str, source: str) -> Sequence[tuple[str, str]]:
    """Files of a pattern, relative to the file that includes them, in the order of their names."""
    found = sorted(glob.glob(str(Path(source).parent / pattern)))[:MAX_FILES]
    return [(name, _text(Path(name))) for name in found if Path(name).is_file()]
