"""IO shell: the `sipcore` command.

Exit codes: 0 done (or ready), 1 refused (or not ready, or no good answer), 2 wrong usage or config or host,
3 no SIP core behind the socket. Only `run` loads the core.
"""

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer
from rich.live import Live
from rich.markup import escape

from sipcore import views
from sipcore.cli_calls import dialog_app, profile
from sipcore.cli_cdr import cdr
from sipcore.cli_replication import app as replication
from sipcore.cli_users import app as users
from sipcore.console import (
    REFUSED,
    WRONG_USAGE,
    ConfigOption,
    JsonOption,
    SocketOption,
    ask,
    control_client,
    errors,
    fail,
    load,
    out,
    show,
)
from sipcore.control.client import ControlClient
from sipcore.ladder import Ladder
from sipcore.phone.cli import app as phone

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="SIP registrar, proxy and dialog tracker whose standby holds live calls.",
    epilog=(__doc__ or "").partition("\n\n")[2],
)
role_app = typer.Typer(no_args_is_help=False, invoke_without_command=True, help="Show or set the role.")
app.add_typer(role_app, name="role")
app.add_typer(dialog_app, name="dialog")
app.add_typer(phone, name="phone")
app.add_typer(users, name="user")
app.add_typer(replication, name="replication")
app.command()(profile)
app.command()(cdr)
ban_app = typer.Typer(no_args_is_help=True, help="Show, add, lift and export bans of sources.")
app.add_typer(ban_app, name="ban")


@app.command()
def run(config: Annotated[Path, typer.Argument(help="sipcore.toml")]) -> None:
    """Run the SIP core in the foreground until SIGTERM."""
    from sipcore.server.process import main as run_core  # the core is loaded only here

    raise typer.Exit(run_core(config))


@app.command()
def status(
    socket: SocketOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again and again until Ctrl-C.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 unless the core is ready.")] = False,
) -> None:
    """Show role, epoch, readiness, what the core holds, and its counters."""
    client = control_client(socket, config)
    state = ask(lambda: client.get("/v1/status"))
    if watch and not as_json:
        _watch(client, state)
    else:
        show(state, views.status, as_json=as_json)
    if check and not state["ready"]:
        raise typer.Exit(REFUSED)


@app.command()
def location(
    aor: Annotated[str | None, typer.Argument(help="For example sip:bob@example.test")] = None,
    socket: SocketOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the registered contacts; exit 1 when the address asked for has none."""
    target = "/v1/location" + (f"?aor={quote(aor, safe='')}" if aor else "")
    records = ask(lambda: control_client(socket, config).get(target))
    show(
        records,
        lambda found: views.rows(found, ("aor", "contact", "expires", "state", "last_seen")),
        as_json=as_json,
    )
    if aor and not records:
        raise typer.Exit(REFUSED)


@app.command()
def transaction(
    socket: SocketOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show the transactions that are under way."""
    records = ask(lambda: control_client(socket, config).get("/v1/transactions"))
    show(
        records, lambda found: views.rows(found, ("side", "method", "call_id", "uri", "hop")), as_json=as_json
    )


@app.command()
def resolver(
    domain: Annotated[str | None, typer.Argument(help="This domain and the names under it.")] = None,
    *,
    flush: Annotated[bool, typer.Option("--flush", help="Forget it: the DNS is asked again.")] = False,
    socket: SocketOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is known of the DNS, or forget it."""
    client = control_client(socket, config)
    if flush:
        target = "/v1/resolver" + (f"?domain={quote(domain, safe='')}" if domain else "")
        show(ask(lambda: client.delete(target)), views.fields, as_json=as_json)
        return
    known = ask(lambda: client.get("/v1/resolver"))
    if domain:
        known = [row for row in known if f".{row['name']}".endswith(f".{domain.lower()}")]
    show(
        known,
        lambda found: views.rows(found, ("name", "type", "outcome", "ttl", "records")),
        as_json=as_json,
    )


@app.command()
def trace(
    socket: SocketOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    *,
    method: Annotated[str, typer.Option(help="INVITE, and what belongs to it: by CSeq.")] = "",
    call_id: Annotated[str, typer.Option(help="One call.")] = "",
    user: Annotated[str, typer.Option(help="User of From, To or Request-URI.")] = "",
    from_user: Annotated[str, typer.Option("--from", help="User of From.")] = "",
    to_user: Annotated[str, typer.Option("--to", help="User of To.")] = "",
    ip: Annotated[str, typer.Option(help="Address of the other end.")] = "",
    requests: Annotated[bool, typer.Option("--requests", help="Only requests.")] = False,
    responses: Annotated[bool, typer.Option("--responses", help="Only responses.")] = False,
    count: Annotated[int, typer.Option("-n", "--count", help="Stop after so many.")] = 0,
    seconds: Annotated[float, typer.Option(help="Stop after this time.")] = 0,
    full: Annotated[bool, typer.Option("--full", help="Whole messages.")] = False,
    secrets: Annotated[bool, typer.Option("--secrets", help="With digest responses and keys.")] = False,
) -> None:
    """Show messages as they pass; all of them, or those that every filter wants. Ctrl-C ends it."""
    if requests and responses:
        fail("--requests and --responses: both leave nothing; take one or none", WRONG_USAGE)
    query: dict[str, object] = {
        "method": method, "call_id": call_id, "user": user, "from_user": from_user, "to_user": to_user,
        "ip": ip, "kind": "requests" if requests else "responses" if responses else "", "count": count,
        "seconds": seconds, "full": int(full), "secrets": int(secrets),
    }  # fmt: skip
    target = "/v1/trace?" + urlencode({name: value for name, value in query.items() if value})
    ladder = Ladder(full=full)
    with suppress(KeyboardInterrupt):
        ask(lambda: _follow(control_client(socket, config), target, ladder, as_json=as_json))


@app.command()
def reload(socket: SocketOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Read certificates and scripts again; what is broken stays as it was, and the exit code is 1."""
    rows = ask(lambda: control_client(socket, config).put("/v1/reload", {}))
    show(rows, lambda found: views.rows(found, ("what", "done", "message")), as_json=as_json)


@ban_app.command("list")
def list_bans(socket: SocketOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show who is banned, and whom the rate limit blocks now."""
    columns = ("source", "kind", "expires", "dropped", "reason")
    rows = ask(lambda: control_client(socket, config).get("/v1/bans"))
    show(rows, lambda found: views.rows(found, columns), as_json=as_json)


@ban_app.command("add")
def add_ban(
    address: Annotated[str, typer.Argument(help="IPv4 address, or IPv6 address (its /64)")],
    *,
    seconds: Annotated[float | None, typer.Option(help="Default: bans.duration of the config.")] = None,
    reason: Annotated[str, typer.Option(help="A sentence for the list.")] = "banned by the operator",
    socket: SocketOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Drop all that comes from a source before it is parsed."""
    body = {"address": address, "seconds": seconds, "reason": reason}
    show(ask(lambda: control_client(socket, config).put("/v1/bans", body)), views.fields, as_json=as_json)


@ban_app.command("remove")
def remove_ban(
    address: Annotated[str, typer.Argument(help="As `ban list` shows it")],
    socket: SocketOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lift a ban, and what the rate limit blocks; exit 1 when there was nothing to lift."""
    answer = ask(lambda: control_client(socket, config).delete(f"/v1/bans?address={quote(address, safe='')}"))
    show(answer, views.fields, as_json=as_json)
    if not answer["lifted"]:
        raise typer.Exit(REFUSED)


@ban_app.command("export")
def export_bans(socket: SocketOption = None, config: ConfigOption = None) -> None:
    """Print the bans as a ruleset: sipcore ban export | nft -f -"""
    answer = ask(lambda: control_client(socket, config).get("/v1/bans/export"))
    out.file.write(answer["ruleset"])


@role_app.callback()
def role(
    ctx: typer.Context,
    socket: SocketOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the role; `role set` changes it."""
    ctx.obj = (socket, config)
    if ctx.invoked_subcommand is None:
        state = ask(lambda: control_client(socket, config).get("/v1/status"))
        answer = {"role": state["role"], "epoch": state["epoch"]}
        show(answer, views.fields, as_json=as_json)


@role_app.command("set")
def set_role(
    ctx: typer.Context,
    wanted: Annotated[str, typer.Argument(help="MASTER or BACKUP")],
    *,
    epoch: Annotated[int, typer.Option(help="Not older than the epoch that the core has.")],
    reason: Annotated[str, typer.Option(help="A sentence for the log.")] = "set by the operator",
    socket: SocketOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give the core a role (what an agent does); an epoch older than the core's is refused."""
    body = {"role": wanted.upper(), "epoch": epoch, "reason": reason}
    if body["role"] not in ("MASTER", "BACKUP"):
        fail(f"role: {wanted!r} is neither MASTER nor BACKUP", WRONG_USAGE)
    above: tuple[Path | None, Path | None] = ctx.obj
    client = control_client(socket or above[0], config or above[1])
    show(ask(lambda: client.put("/v1/role", body)), views.fields, as_json=as_json)


@app.command()
def script(socket: SocketOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the routing script, what its routes wait for, and its key-value stores."""
    show(ask(lambda: control_client(socket, config).get("/v1/script")), views.fields, as_json=as_json)


@app.command()
def check(config: Annotated[Path, typer.Argument(help="sipcore.toml")]) -> None:
    """Check a config file and the files that it names, the routing script with them."""
    from sipcore.server.scripting import script_findings  # loads the core

    loaded = load(config)
    wrong = script_findings(loaded)
    for finding in wrong:
        errors.print(escape(finding), highlight=False)
    if wrong:
        raise typer.Exit(WRONG_USAGE)
    places = ", ".join(f"{listen.transport}:{listen.address}:{listen.port}" for listen in loaded.listen)
    out.print(f"{config}: good: node {loaded.node}, domains {', '.join(loaded.domains)}, {places}")


def main() -> None:
    """Entry point of the `sipcore` command."""
    app(prog_name="sipcore")


def _watch(client: ControlClient, state: Any) -> None:
    with suppress(KeyboardInterrupt), Live(views.status(state), console=out, refresh_per_second=4) as live:
        while True:
            time.sleep(0.25)
            live.update(views.status(ask(lambda: client.get("/v1/status"))))


def _follow(client: ControlClient, target: str, ladder: Ladder, *, as_json: bool) -> None:
    for line in client.lines(target):
        if as_json:
            print(json.dumps(line), flush=True)  # noqa: T201 - one object per line, for other programs
        else:
            out.print(ladder.render(line), soft_wrap=True)
