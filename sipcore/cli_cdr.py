"""IO shell: the command `sipcore cdr`: call detail records of one node or of both, each call once."""

from pathlib import Path
from typing import Annotated

import typer

from sipcore import views
from sipcore.cdr.reading import merge, read_rows
from sipcore.console import REFUSED, WRONG_USAGE, ConfigOption, JsonOption, fail, load, show

COLUMNS = ("end", "caller", "callee", "duration", "cause", "status", "node", "call_id")


def cdr(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Of one node or of several. Default: that of the config."),
    ] = None,
    config: ConfigOption = None,
    last: Annotated[int, typer.Option("--last", min=1, help="So many calls, the latest.")] = 20,
    call_id: Annotated[str, typer.Option("--call-id", help="Only this call.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Show call detail records; a call that both nodes have written is shown once. Exit 1: none found."""
    rows = [row for path in files or [_configured(config)] for row in _read(path)]
    found = [row for row in merge(rows) if call_id in ("", row["call_id"])][-last:]
    show(found, lambda rows: views.rows(rows, COLUMNS), as_json=as_json)
    if not found:
        raise typer.Exit(REFUSED)


def _configured(config: Path | None) -> Path:
    loaded = load(config or Path("/etc/sipcore/sipcore.toml"))
    if loaded.cdr is None:
        fail("the config has no table [cdr]: no records are kept", WRONG_USAGE)
    return Path(loaded.cdr.path)


def _read(path: Path) -> list[dict[str, object]]:
    try:
        return read_rows(path.read_text(errors="replace"))
    except OSError as error:
        fail(f"{path}: {error.strerror}", WRONG_USAGE)
