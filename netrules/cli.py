"""IO shell: the `netrules` command.

Exit codes: 0 done (check: all is well), 1 check found something severe, or a tool failed, 2 wrong input or a
missing privilege.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from netrules import health, host, iptables, render, xtables
from netrules.errors import BadInputError, MissingPrivilegeError, RulesError
from netrules.nftables import Flip
from netrules.ruleset import Backend, Role, Ruleset, Strategy, Vip, desired

FAILED = 1
WRONG_INPUT = 2
BY_HAND_MS = 10_000

out = Console(emoji=False, soft_wrap=True)
errors = Console(emoji=False, stderr=True, soft_wrap=True)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Packet rules, ARP rules and sysctls of a virtual IP.",
    epilog=(__doc__ or "").partition("\n\n")[2],
)

StrategyOption = Annotated[Strategy, typer.Option(help="Where the VIP is configured.")]
BackendOption = Annotated[Backend, typer.Option(help="Which tool holds the rules.")]
VipOption = Annotated[list[str], typer.Option("--vip", help="Virtual address; repeat for more.")]
InterfaceOption = Annotated[str, typer.Option(help="The interface of the VIPs.")]
LeaseOption = Annotated[
    bool, typer.Option("--lease/--no-lease", help="Also the lease table (an agent renews it).")
]
RoleOption = Annotated[Role | None, typer.Option(help="Also show (master) or hide (backup) the VIPs.")]
StateOption = Annotated[Path, typer.Option(help="Where earlier sysctl values are remembered.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


@app.command()
def show(
    vip: VipOption,
    interface: InterfaceOption = "eth0",
    strategy: StrategyOption = Strategy.ON_MASTER,
    backend: BackendOption = Backend.NFTABLES,
    lease: LeaseOption = False,
    role: RoleOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the rules that these VIPs need; touches nothing."""
    ruleset = _ruleset(vip, interface, strategy, backend, lease=lease)
    hidden = role is not Role.MASTER
    texts = {f"nft {t.family} {t.name}": render.add_table(t) for t in ruleset.tables}
    if backend is Backend.IPTABLES:
        texts |= {
            tool: xtables.restore_text(ruleset, tool, hidden=hidden) for tool in xtables.tools_for(ruleset)
        }
    elif role is not None and (flip := render.hide(ruleset) if hidden else render.show(ruleset, BY_HAND_MS)):
        texts[f"nft as the {role}"] = flip
    texts["sysctl"] = "".join(
        f"{name.replace('/', '.')} = {value}\n" for name, value in ruleset.sysctls.items()
    )
    if as_json:
        out.print_json(json.dumps(texts))
        return
    for name, text in texts.items():
        out.print(f"[bold]# {name}[/]")
        out.print(text, markup=False, highlight=False)


@app.command()
def apply(
    vip: VipOption,
    interface: InterfaceOption = "eth0",
    strategy: StrategyOption = Strategy.ON_MASTER,
    backend: BackendOption = Backend.NFTABLES,
    lease: LeaseOption = False,
    role: RoleOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    state_dir: StateOption = host.STATE_DIR,
) -> None:
    """Bring this host to the rules; what is right already is left alone."""
    ruleset = _ruleset(vip, interface, strategy, backend, lease=lease)
    with _Told():
        steps = host.apply(ruleset, dry_run=dry_run, state_dir=state_dir)
        if role is not None and not dry_run:
            by_tools = backend is Backend.IPTABLES
            flip = iptables.IptablesFlip(ruleset) if by_tools else Flip(ruleset, BY_HAND_MS)
            flip.show() if role is Role.MASTER else flip.hide()
    _print_steps((step.text for step in steps), dry_run=dry_run, as_json=as_json)
    if role is not None and not dry_run and not as_json:
        out.print(f"the VIPs are {'shown' if role is Role.MASTER else 'hidden'}")
        if lease and role is Role.MASTER:
            out.print(f"the lease runs out in {BY_HAND_MS // 1000} s unless an agent renews it")


@app.command()
def check(
    vip: VipOption,
    interface: InterfaceOption = "eth0",
    strategy: StrategyOption = Strategy.ON_MASTER,
    backend: BackendOption = Backend.NFTABLES,
    lease: LeaseOption = False,
    role: RoleOption = None,
    as_json: JsonOption = False,
    state_dir: StateOption = host.STATE_DIR,
) -> None:
    """Say what is missing or wrong, and what would hang clients after a takeover."""
    ruleset = _ruleset(vip, interface, strategy, backend, lease=lease)
    with _Told():
        problems = health.check(ruleset, role=role, state_dir=state_dir)
    if as_json:
        out.print_json(json.dumps([{"severe": p.severe, "text": p.text} for p in problems]))
    for problem in problems if not as_json else ():
        out.print(f"{'[red]wrong[/]' if problem.severe else '[yellow]warning[/]'}: {escape(problem.text)}")
    if not problems and not as_json:
        out.print("all is well")
    if any(problem.severe for problem in problems):
        raise typer.Exit(FAILED)


@app.command()
def remove(
    dry_run: DryRunOption = False, as_json: JsonOption = False, state_dir: StateOption = host.STATE_DIR
) -> None:
    """Take away every rule of ours and put the sysctls back."""
    with _Told():
        steps = host.remove(dry_run=dry_run, state_dir=state_dir)
    _print_steps((step.text for step in steps), dry_run=dry_run, as_json=as_json)


def main() -> None:
    """Entry point of the `netrules` command."""
    app(prog_name="netrules")


def _ruleset(
    vips: list[str], interface: str, strategy: Strategy, backend: Backend, *, lease: bool
) -> Ruleset:
    with _Told():
        return desired(strategy, backend, [Vip.parse(text, interface) for text in vips], lease=lease)


def _print_steps(texts: Iterable[str], *, dry_run: bool, as_json: bool) -> None:
    lines = list(texts)
    if as_json:
        out.print_json(json.dumps({"done": not dry_run, "steps": lines}))
        return
    for text in lines:
        out.print(f"{'would ' if dry_run else ''}{escape(text)}")
    if not lines:
        out.print("nothing to do")


class _Told:
    """Turns this package's errors into a line and an exit code."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, RulesError):
            errors.print(f"netrules: {escape(str(error))}", highlight=False)
            wrong_input = isinstance(error, BadInputError | MissingPrivilegeError)
            raise typer.Exit(WRONG_INPUT if wrong_input else FAILED) from error
