"""IO shell: the `haagent lab` commands.

Exit codes: 0 done and nothing lost, 1 something was lost, 2 wrong usage, or no laboratory can be built here.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from haagent.lab import keeper, report
from haagent.lab.errors import LabError
from haagent.lab.faults import is_alive
from haagent.lab.namespaces import become_root, join, require_nftables
from haagent.lab.outcome import Fault, Options, as_json
from haagent.lab.plan import FAULTS, Plan
from haagent.lab.tally import Tally, markdown
from haagent.lab.watch import wait_until

LOST = 1
WRONG_USAGE = 2
UP_TIMEOUT = 40.0

out = Console(emoji=False)
errors = Console(emoji=False, stderr=True, soft_wrap=True)
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="A two-node laboratory on this machine, in network namespaces: demo, faults, campaigns.",
    epilog=(__doc__ or "").partition("\n\n")[2],
)
T = TypeVar("T")


class Strategy(StrEnum):
    """Where the virtual IP is configured."""

    ON_MASTER = "on-master"
    ON_BOTH = "on-both"


class Transport(StrEnum):
    """What the phones talk over."""

    UDP = "udp"
    TCP = "tcp"


class Deed(StrEnum):
    """What `fault` can do: every fault, and mending them."""

    POWER = "power"
    LINK = "link"
    CORE = "core"
    AGENT = "agent"
    SWITCHOVER = "switchover"
    FREEZE = "freeze"
    HEAL = "heal"


class Where(StrEnum):
    """A host of the laboratory."""

    A = "a"
    B = "b"
    CLIENT = "client"
    SWITCH = "switch"


class NodeName(StrEnum):
    """A node of the pair."""

    A = "a"
    B = "b"


def duration(text: str) -> float:
    """Seconds of an advertisement interval such as `100ms` or `1s`, from 10 ms to 1 s."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)", text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is not a duration such as 100ms or 1s")
    seconds = float(match[1]) * (0.001 if match[2] == "ms" else 1.0)
    if not 0.01 <= seconds <= 1.0:
        raise typer.BadParameter(f"{text} is not in 10ms..1s")
    return seconds


StrategyOption = Annotated[Strategy, typer.Option("--strategy", help="Where the virtual IP is configured.")]
AdvertOption = Annotated[
    float, typer.Option("--advert", parser=duration, metavar="TIME", help="Advertisement interval, 10ms..1s.")
]
UsersOption = Annotated[int, typer.Option("--users", min=2, max=5000, help="Users that register.")]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")]
SeedOption = Annotated[int, typer.Option("--seed", help="The same seed gives the same users' deeds.")]
LogsOption = Annotated[Path | None, typer.Option("--logs", help="Copy logs and configs to this folder.")]


@app.command()
def demo(
    strategy: StrategyOption = Strategy.ON_MASTER,
    fault: Annotated[Fault, typer.Option("--fault", help="What happens to the master.")] = Fault.POWER,
    advert: AdvertOption = "100ms",  # type: ignore[assignment] # the parser makes it seconds
    calls: Annotated[int, typer.Option("--calls", min=1, max=1000, help="Calls at the fault.")] = 50,
    users: UsersOption = 200,
    json_file: JsonOption = None,
    seed: SeedOption = 0,
    logs: LogsOption = None,
    svg: Annotated[Path | None, typer.Option("--svg", help="Save the screen as a picture.")] = None,
) -> None:
    """Break the master of a pair with live calls and show that nothing is lost."""
    options = Options(strategy.value, fault, advert, calls, users, seed)
    out.record = svg is not None

    def play() -> Any:
        from haagent.lab.demo import run

        return run(options, out, logs)

    outcome = _on_stage(play)
    _write(json_file, as_json(outcome))
    out.print(report.demo(outcome))
    if svg is not None:
        picture = out.export_svg(title="haagent lab demo")
        # no font from somebody's server: the reader's own will do
        svg.write_text(re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL))
    raise typer.Exit(0 if outcome.is_good else LOST)


@app.command()
def campaign(
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="How many faults.")] = 10,
    group: Annotated[int, typer.Option("--group", min=1, help="Rounds on one laboratory.")] = 50,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=64, help="Laboratories side by side.")] = 1,
    strategy: Annotated[
        list[Strategy] | None, typer.Option("--strategy", help="Default: both in turn. May be repeated.")
    ] = None,
    transport: Annotated[
        list[Transport] | None, typer.Option("--transport", help="Of the phones. Default: both in turn.")
    ] = None,
    fault: Annotated[
        list[Fault] | None, typer.Option("--fault", help="Default: all but switchover, at random.")
    ] = None,
    advert: AdvertOption = "100ms",  # type: ignore[assignment] # the parser makes it seconds
    users: UsersOption = 100,
    record: Annotated[
        Path | None, typer.Option("--record", help="JSON lines of all rounds; goes on where they end.")
    ] = None,
    report_folder: Annotated[
        Path | None, typer.Option("--report", help="Write report.md and its picture to this folder.")
    ] = None,
    seed: SeedOption = 0,
    logs: LogsOption = None,
) -> None:
    """Break the master at random while users call and register, again and again, and judge every call."""
    plan = Plan(
        rounds, group, tuple(fault or FAULTS), tuple(strategy or Strategy), tuple(transport or Transport),
        advert, users, seed=seed,
    )  # fmt: skip

    def play() -> Tally:
        from haagent.lab.campaign import run

        return run(plan, out, record=record, jobs=jobs, logs=logs)

    tally = _on_stage(play)
    if report_folder is not None:
        _write_report(tally, report_folder)
    out.print(report.campaign(tally))
    raise typer.Exit(LOST if tally.bad() else 0)


@app.command()
def upgrade(
    old: Annotated[
        Path,
        typer.Option("--from", help="Source tree, virtual environment or interpreter of the old version."),
    ],
    strategy: StrategyOption = Strategy.ON_MASTER,
    transport: Annotated[Transport, typer.Option("--transport", help="Of the phones.")] = Transport.UDP,
    json_file: JsonOption = None,
    logs: LogsOption = None,
) -> None:
    """Upgrade a pair from an older version to this one while calls go on: standby, switchover, the other."""

    def play() -> Any:
        from haagent.lab.upgrade import Software, run

        return run(Software.at(old), strategy=strategy.value, transport=transport.value, logs=logs)

    result = _on_stage(play)
    _write(json_file, {"lost_anything": bool(result.bad()), "steps": result.steps, "users": result.users})
    out.print(report.upgrade(result.steps, result.users, result.bad()))
    raise typer.Exit(LOST if result.bad() else 0)


@app.command()
def up(
    strategy: StrategyOption = Strategy.ON_MASTER,
    advert: AdvertOption = "100ms",  # type: ignore[assignment] # the parser makes it seconds
    users: UsersOption = 200,
) -> None:
    """Start the laboratory and leave it running."""
    with _refusals():
        where = keeper.folder()
        if _is_up():
            out.print("the laboratory is up already: see  haagent lab status")
            return
        shutil.rmtree(where, ignore_errors=True)
        where.mkdir(mode=0o700)
        argv = [sys.executable, "-m", "haagent.lab.keeper", "--strategy", strategy.value]
        argv += ["--advert", str(advert), "--users", str(users)]
        with (where / "keeper.log").open("wb") as log:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        said = _first_line(process)
        if said != "ready":
            rest = process.stdout.read().decode(errors="replace") if process.stdout else ""
            process.wait(10)
            log_end = (where / "keeper.log").read_text(errors="replace")[-2000:]
            shutil.rmtree(where, ignore_errors=True)
            raise LabError("\n".join(part for part in (said, rest, log_end) if part.strip()))
        out.print(f"the laboratory is up: {where}")


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the nodes of the laboratory that is up."""
    with _refusals():
        state = keeper.ask({"do": "status"})
        if as_json:
            out.print_json(json.dumps(state))
        else:
            every = f"advertisements every {state['advert'] * 1e3:g} ms"
            out.print(report.laboratory(f"{state['strategy']}, {every}, {state['folder']}", state["nodes"]))


@app.command("exec", context_settings={"ignore_unknown_options": True})
def run_on(
    host: Annotated[Where, typer.Argument(help="a, b, client or switch")],
    command: Annotated[list[str], typer.Argument(help="The program and its arguments, after --")],
) -> None:
    """Run a program on a host of the laboratory."""
    with _refusals():
        state = keeper.ask({"do": "status"})
        try:
            join(state["pid"], state["hosts"][host.value])
            os.execvp(command[0], command)  # noqa: S606 - the operator's own program
        except OSError as error:
            raise LabError(f"{command[0]}: {error.strerror}") from error


@app.command()
def fault(
    deed: Annotated[Deed, typer.Argument(help="What happens.")],
    node: Annotated[NodeName | None, typer.Option("--node", help="Default: the master; heal: both.")] = None,
) -> None:
    """Let something happen to a node of the laboratory, or mend what happened."""
    with _refusals():
        name = node.value if node else None
        if deed is Deed.HEAL:
            healed = keeper.ask({"do": "heal", "node": name})["nodes"]
            out.print(f"healed: {', '.join(healed)}")
        else:
            struck = keeper.ask({"do": "fault", "fault": deed.value, "node": name})["node"]
            out.print(f"{deed}: node {struck}")


@app.command()
def down() -> None:
    """End the laboratory; nothing is left behind."""
    with _refusals():
        try:
            pid = keeper.ask({"do": "down"})["pid"]
        except LabError as error:
            out.print(str(error).partition(":")[0])
        else:
            if not wait_until(lambda: not is_alive(pid), 20):
                os.kill(pid, signal.SIGKILL)  # its hosts end with it
            out.print("the laboratory is down")
        shutil.rmtree(keeper.folder(), ignore_errors=True)


def _is_up() -> bool:
    try:
        keeper.ask({"do": "status"})
    except LabError:
        return False
    return True


def _first_line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode(errors="replace").strip()


def _on_stage(play: Callable[[], T]) -> T:
    """Run something that builds a laboratory of its own; SIGTERM cleans up as Ctrl-C does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with _refusals():
        become_root()
        require_nftables()
        return play()


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except LabError as error:
        errors.print(f"haagent lab: {escape(str(error))}", highlight=False)
        raise typer.Exit(WRONG_USAGE) from error


def _write_report(tally: Tally, folder: Path) -> None:
    from haagent.lab.campaign import plot

    folder.mkdir(parents=True, exist_ok=True)
    picture = "gaps.png" if plot(tally, folder / "gaps.png") else ""
    (folder / "report.md").write_text(markdown(tally, picture))


def _write(path: Path | None, result: dict[str, object]) -> None:
    if path is not None:
        path.write_text(json.dumps(result, indent=1) + "\n")
