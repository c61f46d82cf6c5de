"""IO shell: what the commands have in common: where the core is, what it answers, how that is shown."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from sipcore.control.client import DEFAULT_SOCKET, ControlClient, CoreUnreachableError, RefusedError
from sipcore.errors import ConfigError

if TYPE_CHECKING:
    from sipcore.config import SipcoreConfig

REFUSED = 1
WRONG_USAGE = 2
UNREACHABLE = 3

out = Console(emoji=False)
errors = Console(emoji=False, stderr=True, soft_wrap=True)

SocketOption = Annotated[Path | None, typer.Option("--socket", help="Control socket of the SIP core.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="Take the socket from this config.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def control_client(socket: Path | None, config: Path | None) -> ControlClient:
    """The core that these options name."""
    if socket is None:
        socket = Path(load(config).run_dir) / "control.sock" if config else DEFAULT_SOCKET
    return ControlClient(socket)


def load(path: Path) -> "SipcoreConfig":
    """The config of a file; the command ends when it is wrong."""
    from sipcore.files import load_config  # loads msgspec

    try:
        return load_config(path).config
    except ConfigError as error:
        fail(str(error), WRONG_USAGE)


def ask(request: Callable[[], Any]) -> Any:
    """The answer of the core; the command ends when there is none."""
    try:
        return request()
    except CoreUnreachableError as error:
        fail(str(error), UNREACHABLE)
    except RefusedError as error:
        fail(f"refused: {error}", REFUSED)


def show(answer: Any, view: Callable[[Any], Any], *, as_json: bool) -> None:
    """Print an answer as JSON, or as the view makes it."""
    if as_json:
        out.print_json(json.dumps(answer))
    else:
        out.print(view(answer))


def fail(text: str, code: int) -> NoReturn:
    """End the command with a sentence and an exit code."""
    errors.print(f"sipcore: {escape(text)}", highlight=False)
    raise typer.Exit(code)
