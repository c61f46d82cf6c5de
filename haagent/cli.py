"""IO shell: the `haagent` command.

Exit codes: 0 done (or healthy), 1 refused (or not healthy, or the wait ran out), 2 wrong usage or config or
host, 3 no agent behind the socket. Only `run` loads scapy and pyroute2.
"""

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from typer.core import TyperGroup
from typer.main import get_command

from haagent import views
from haagent.completion import answer_shells, completion
from haagent.config import load, parse_duration
from haagent.control.client import DEFAULT_SOCKET, AgentUnreachableError, ControlClient, RefusedError
from haagent.doctor.cli import doctor
from haagent.errors import ConfigError
from haagent.keepalived.cli import convert
from haagent.schedule import parse_when
from haagent.systemd.cli import systemd

REFUSED = 1
WRONG_USAGE = 2
UNREACHABLE = 3
POLL_SECONDS = 0.02

_FILE_WIDTH = 160  # a pipe has no width of its own: 80 columns would break sentences in two
_width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _FILE_WIDTH
out = Console(emoji=False, width=_width)
errors = Console(emoji=False, stderr=True, soft_wrap=True)


class _LabOnDemand(TyperGroup):
    """The laboratory's commands are imported when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        names = list(super().list_commands(ctx))
        return [*names, "lab"] if importlib.util.find_spec("haagent.lab.cli") else names

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name != "lab" or not importlib.util.find_spec("haagent.lab.cli"):
            return super().get_command(ctx, cmd_name)
        from haagent.lab.cli import app as lab  # its imports are the laboratory's alone

        command = get_command(lab)
        command.name = "lab"
        return command


app = typer.Typer(
    cls=_LabOnDemand,
    no_args_is_help=True,
    add_completion=False,
    help="Failover agent: VRRP, the virtual IP, and the role of the SIP core.",
    epilog=(__doc__ or "").partition("\n\n")[2],
)

SocketOption = Annotated[Path | None, typer.Option("--socket", help="Control socket of the agent.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="Take the socket from this config.")]
GroupOption = Annotated[str, typer.Option("--group", help="A [[group]] of the node, not its own group.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="haagent.toml")],
    group: Annotated[str, typer.Option("--group", help="Run the agent of this [[group]] alone.")] = "",
) -> None:
    """Run the agent in the foreground until SIGTERM."""
    from haagent.daemon import main as run_agent  # scapy and pyroute2 are loaded only here

    raise typer.Exit(run_agent(config, group))


@app.command()
def status(
    socket: SocketOption = None,
    config: ConfigOption = None,
    group: GroupOption = "",
    as_json: JsonOption = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again and again until Ctrl-C.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 unless the node is healthy.")] = False,
) -> None:
    """Show role, epoch, routers, peer, SIP core and what the kernel granted."""
    place = _socket(socket, config, group)
    state = _state(place)
    if watch:
        (_watch_json if as_json else _watch_table)(place, state)
    elif as_json:
        out.print_json(json.dumps(state))
    else:
        out.print(views.status(state))
    if check and not views.is_healthy(state):
        raise typer.Exit(REFUSED)


@app.command()
def switchover(
    socket: SocketOption = None,
    config: ConfigOption = None,
    group: GroupOption = "",
    wait: Annotated[
        float, typer.Option("--wait", help="Seconds to wait until it is done; 0: not at all.")
    ] = 0,
    at: Annotated[str, typer.Option("--at", help='Not now: "03:00", or "2026-11-28T03:00".')] = "",
    cancel: Annotated[bool, typer.Option("--cancel", help="Call off the one that is planned.")] = False,
) -> None:
    """Hand the role to the peer in a planned way: it takes over first, then this node lets go."""
    client = _client(socket, config, group)
    if at or cancel:
        _plan(client, at)
        return
    _ask(lambda: client.post("/v1/switchover"))
    out.print("switchover asked for")
    if wait:
        _wait(client, views.has_handed_over, wait, "the peer is not master")


@app.command()
def failover(
    socket: SocketOption = None,
    config: ConfigOption = None,
    group: GroupOption = "",
    force: Annotated[bool, typer.Option("--force", help="Also if the standby is not in sync.")] = False,
    wait: Annotated[
        float, typer.Option("--wait", help="Seconds to wait until it is done; 0: not at all.")
    ] = 0,
) -> None:
    """Make this node the master, also if the peer cannot be asked."""
    client = _client(socket, config, group)
    _ask(lambda: client.post("/v1/failover", {"force": force}))
    out.print("failover asked for")
    if wait:
        _wait(client, views.has_taken_over, wait, "this node is not master, with its SIP core")


@app.command()
def pause(
    socket: SocketOption = None,
    config: ConfigOption = None,
    group: GroupOption = "",
    lasting: Annotated[str, typer.Option("--for", help='How long, such as "30m"; else until `resume`.')] = "",
) -> None:
    """Maintenance: this node takes over only when it is asked to, not by itself."""
    try:
        seconds = parse_duration(lasting) if lasting else None
    except ValueError as error:
        _fail(f"--for: {error}", WRONG_USAGE)
    client = _client(socket, config, group)
    _ask(lambda: client.post("/v1/pause", {"seconds": seconds}))
    out.print(f"paused for {lasting}" if lasting else "paused until `haagent resume`")


@app.command()
def resume(socket: SocketOption = None, config: ConfigOption = None, group: GroupOption = "") -> None:
    """The maintenance is over: this node takes over by itself again."""
    client = _client(socket, config, group)
    _ask(lambda: client.post("/v1/resume"))
    out.print("resumed")


@app.command()
def reload(socket: SocketOption = None, config: ConfigOption = None) -> None:
    """Take over the changed config file (as SIGHUP does), without a takeover and without a gap."""
    client = _client(socket, config)
    changed = _ask(lambda: client.post("/v1/reload"))["changed"]
    out.print(
        f"reloaded: {', '.join(changed)}" if changed else "reloaded: the same values; keys were read again"
    )


@app.command()
def history(
    socket: SocketOption = None,
    config: ConfigOption = None,
    group: GroupOption = "",
    as_json: JsonOption = False,
    last: Annotated[int, typer.Option("-n", min=1, help="How many of the newest records.")] = 20,
) -> None:
    """Show each change of role: why, and how long each step took."""
    client = _client(socket, config, group)
    records = _ask(lambda: client.get(f"/v1/history?last={last}"))
    if as_json:
        for record in records:
            print(json.dumps(record))  # noqa: T201 - one object per line, for other programs
        return
    out.print(views.history(records))


@app.command()
def explain(
    socket: SocketOption = None,
    config: ConfigOption = None,
    group: GroupOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say why the node has the role that it has, and what would change it."""
    client = _client(socket, config, group)
    answer = _ask(lambda: client.get("/v1/explain"))
    if as_json:
        out.print_json(json.dumps(answer))
    else:
        out.print(views.explanation(answer))


@app.command()
def check(config: Annotated[Path, typer.Argument(help="haagent.toml")]) -> None:
    """Check a config file; the host is checked by `run`."""
    loaded = _load(config)
    routers = ", ".join(f"{router.name} (VRID {router.vrid})" for router in loaded.virtual_router)
    out.print(f"{config}: good: node {loaded.node}, virtual routers {routers}")


app.command()(doctor)
app.command()(convert)
app.command()(completion)
app.command()(systemd)


def main() -> None:
    """Entry point of the `haagent` command."""
    answer_shells()
    app(prog_name="haagent")


def _client(socket: Path | None, config: Path | None, group: str = "") -> ControlClient:
    return ControlClient(_socket(socket, config, group))


def _socket(socket: Path | None, config: Path | None, group: str) -> Path:
    """A group has its control socket in a folder of its own beside that of the node."""
    if socket is None:
        socket = Path(_load(config).run_dir) / "control.sock" if config else DEFAULT_SOCKET
    return socket.parent / group / socket.name if group else socket


def _state(place: Path) -> Any:
    """The status of the node, with that of each of its groups in it."""
    state = _ask(lambda: ControlClient(place).get("/v1/status"))
    for group in state.get("groups", ()):
        try:
            group["status"] = ControlClient(place.parent / group["name"] / place.name).get("/v1/status")
        except (AgentUnreachableError, RefusedError):
            group["status"] = None
    return state


def _load(path: Path) -> Any:
    try:
        return load(path.read_text(encoding="utf-8"))
    except (ConfigError, OSError, UnicodeDecodeError) as error:
        _fail(f"{path}: {error}", WRONG_USAGE)


def _ask(request: Callable[[], Any]) -> Any:
    try:
        return request()
    except AgentUnreachableError as error:
        _fail(str(error), UNREACHABLE)
    except RefusedError as error:
        _fail(f"refused: {error}", REFUSED)


def _fail(text: str, code: int) -> NoReturn:
    errors.print(f"haagent: {escape(text)}", highlight=False)
    raise typer.Exit(code)


def _watch_table(place: Path, state: Any) -> None:
    """Until Ctrl-C."""
    with suppress(KeyboardInterrupt), Live(views.status(state), console=out, refresh_per_second=4) as live:
        while True:
            time.sleep(0.25)
            live.update(views.status(_state(place)))


def _watch_json(place: Path, state: Any) -> None:
    """A line each second, until Ctrl-C or until nobody reads any more."""
    with suppress(KeyboardInterrupt, BrokenPipeError):
        while True:
            sys.stdout.write(json.dumps(state) + "\n")
            sys.stdout.flush()
            time.sleep(1.0)
            state = _state(place)
    with suppress(BrokenPipeError):
        sys.stdout.close()  # what Python would say of it at its end has no reader either


def _plan(client: ControlClient, at: str) -> None:
    """No time: none any more."""
    if not at:
        _ask(lambda: client.post("/v1/switchover", {"cancel": True}))
        out.print("the planned switchover is called off")
        return
    try:
        when = parse_when(at, datetime.now().astimezone())
    except ValueError as error:
        _fail(f"--at: {error}", WRONG_USAGE)
    _ask(lambda: client.post("/v1/switchover", {"at": when.timestamp()}))
    out.print(f"a switchover is planned for {when:%Y-%m-%d %H:%M:%S %Z}")


def _wait(client: ControlClient, done: Callable[[Any], bool], seconds: float, complaint: str) -> None:
    until = time.monotonic() + seconds
    while True:
        state = _ask(lambda: client.get("/v1/status"))
        if done(state):
            out.print(escape(f"this node is {state['role']}: {state['reason']}"))
            return
        if time.monotonic() >= until:
            break
        time.sleep(POLL_SECONDS)
    _fail(f"after {seconds:g} s {complaint}; this node is {state['role']}: {state['reason']}", REFUSED)
