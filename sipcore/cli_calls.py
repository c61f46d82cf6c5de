"""IO shell: the commands about calls: `sipcore dialog`, `sipcore dialog end`, `sipcore profile`."""

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from sipcore import views
from sipcore.console import (
    REFUSED,
    WRONG_USAGE,
    ConfigOption,
    JsonOption,
    SocketOption,
    ask,
    control_client,
    fail,
    show,
)

dialog_app = typer.Typer(no_args_is_help=False, invoke_without_command=True, help="Show or end calls.")


@dialog_app.callback()
def dialog(
    ctx: typer.Context,
    socket: SocketOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the calls; `dialog end` ends some."""
    ctx.obj = (socket, config)
    if ctx.invoked_subcommand is None:
        columns = ("call_id", "from", "to", "state", "age", "expires", "profiles")
        records = ask(lambda: control_client(socket, config).get("/v1/dialogs"))
        show(records, lambda found: views.rows(found, columns), as_json=as_json)


@dialog_app.command("end")
def end_dialog(
    ctx: typer.Context,
    call_id: Annotated[str, typer.Argument(help="As `sipcore dialog` shows it.")] = "",
    *,
    all_: Annotated[bool, typer.Option("--all", help="Every call.")] = False,
    caller: Annotated[str, typer.Option("--from", help="Every call of this caller.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    socket: SocketOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End calls: both sides get a BYE, a ringing call is cancelled."""
    if bool(call_id) + all_ + bool(caller) != 1:
        fail("name a CALL_ID, --from URI or --all", WRONG_USAGE)
    what = "every call" if all_ else f"the calls from {caller}" if caller else call_id
    if not yes and (all_ or caller) and not typer.confirm(f"End {what}?"):
        raise typer.Exit(REFUSED)
    query = "?all=true" if all_ else f"?from={quote(caller, safe='')}" if caller else ""
    target = "/v1/dialogs" + (f"/{quote(call_id, safe='')}" if call_id else query)
    above: tuple[Path | None, Path | None] = ctx.obj
    client = control_client(socket or above[0], config or above[1])
    answer = ask(lambda: client.delete(target))
    show(answer, views.fields, as_json=as_json)
    if not answer["ending"]:
        raise typer.Exit(REFUSED)


def profile(
    name: Annotated[str, typer.Argument(help="Show the values of this one.")] = "",
    socket: SocketOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how many calls are in the dialog profiles, or in the values of one."""
    target = "/v1/profiles" + (f"/{quote(name, safe='')}" if name else "")
    records = ask(lambda: control_client(socket, config).get(target))
    columns = ("value", "size") if name else ("profile", "size", "values")
    show(records, lambda found: views.rows(found, columns), as_json=as_json)
