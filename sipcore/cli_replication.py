"""IO shell: `sipcore replication`: the links to the peers, and whether both ends hold the same."""

import time
from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.live import Live

from sipcore import views
from sipcore.console import REFUSED, ConfigOption, JsonOption, SocketOption, ask, control_client, out, show

app = typer.Typer(
    no_args_is_help=False,
    invoke_without_command=True,
    help="Show the links to the peers; compare what the nodes hold.",
)
WatchOption = Annotated[bool, typer.Option("--watch", help="Show it again and again until Ctrl-C.")]


@app.callback()
def replication(
    ctx: typer.Context, socket: SocketOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show the links to the peers; `replication verify` compares what the nodes hold."""
    ctx.obj = (socket, config)
    if ctx.invoked_subcommand is None:
        status(ctx, as_json=as_json)


@app.command()
def status(
    ctx: typer.Context,
    *,
    socket: SocketOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    watch: WatchOption = False,
) -> None:
    """Per peer and kind: lag, what is not acknowledged, the last match, keys that differ; semi-sync."""
    above = ctx.obj
    client = control_client(socket or above[0], config or above[1])
    state = ask(lambda: client.get("/v1/replication"))
    if not watch or as_json:
        show(state, views.replication, as_json=as_json)
        return
    with (
        suppress(KeyboardInterrupt),
        Live(views.replication(state), console=out, refresh_per_second=4) as live,
    ):
        while True:
            time.sleep(0.25)
            live.update(views.replication(ask(lambda: client.get("/v1/replication"))))


@app.command()
def verify(
    ctx: typer.Context,
    *,
    socket: SocketOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare all that this node and its peers hold and print what differs; exit 1 unless it is the same."""
    above = ctx.obj
    client = control_client(socket or above[0], config or above[1])
    found: Any = ask(lambda: client.get("/v1/replication/verify"))
    show(found, views.verified, as_json=as_json)
    if not found["equal"]:
        raise typer.Exit(REFUSED)
