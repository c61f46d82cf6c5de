"""IO shell: brings this host to a ruleset and back: idempotent, and only what is ours is touched."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from netrules import iptables, render, sysctl
from netrules.errors import BadInputError
from netrules.nftables import Nftables, digests
from netrules.ruleset import Backend, Ruleset
from netrules.xtables import tools_for

STATE_DIR = Path("/run/haagent")
_STATE_FILE = "netrules-sysctl.json"


@dataclass(frozen=True, slots=True)
class Step:
    """One change, in words, and how to make it."""

    text: str
    do: Callable[[], object]


def plan(ruleset: Ruleset, nftables: Nftables, *, state_dir: Path = STATE_DIR) -> list[Step]:
    """What differs from the ruleset; nothing to do means no steps."""
    _check_interfaces(ruleset)
    have = digests(nftables)
    steps = []
    wanted = {f"{t.family} {t.name}": t for t in ruleset.tables}
    for path in have.keys() - wanted.keys():
        steps.append(Step(f"delete table {path}", partial(nftables.run, f"delete table {path}\n".encode())))
    for path, table in wanted.items():
        if have.get(path) != render.comment(table):
            text = render.add_table(table).encode()
            steps.append(Step(f"write table {path}", partial(nftables.run, text)))
    if ruleset.backend is Backend.IPTABLES:
        missing = [tool for tool in tools_for(ruleset) if not iptables.is_applied(tool)]
        if missing:
            steps.append(Step(f"fill {', '.join(missing)}", partial(iptables.fill, ruleset, hidden=True)))
    off = [name for name in ruleset.sysctls if sysctl.read(name) not in ("1", None)]
    if off:
        memory = sysctl.Remembered(state_dir / _STATE_FILE)
        steps.append(Step(f"set to 1: {', '.join(off)}", partial(memory.enable, ruleset.sysctls)))
    return steps


def apply(
    ruleset: Ruleset, *, dry_run: bool = False, nftables: Nftables | None = None, state_dir: Path = STATE_DIR
) -> list[Step]:
    """Bring this host to the ruleset; returns the steps that were (or with dry_run would be) made."""
    steps = plan(ruleset, nftables or Nftables(), state_dir=state_dir)
    if not dry_run:
        for step in steps:
            step.do()
    return steps


def remove(
    *, dry_run: bool = False, nftables: Nftables | None = None, state_dir: Path = STATE_DIR
) -> list[Step]:
    """Take away what `apply` made and put the sysctls back."""
    nft = nftables or Nftables()
    steps = [
        Step(f"delete table {path}", partial(nft.run, f"delete table {path}\n".encode()))
        for path in digests(nft)
    ]
    if chained := iptables.applied():
        steps.append(Step(f"empty {', '.join(chained)}", iptables.remove))
    memory = sysctl.Remembered(state_dir / _STATE_FILE)
    if memory.load():
        steps.append(Step(f"restore {', '.join(memory.load())}", memory.restore))
    if not dry_run:
        for step in steps:
            step.do()
    return steps


def _check_interfaces(ruleset: Ruleset) -> None:
    there = {name for _, name in socket.if_nameindex()}
    for vip in ruleset.vips:
        if vip.interface not in there:
            raise BadInputError(
                f"interface: {vip.interface} is not on this host (there are {', '.join(sorted(there))})"
            )
