"""IO shell: brings this host to a ruleset and back: idempotent, and only what is ours is touched."""

import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from netrules import diff, iptables, render, sysctl
from netrules.errors import BadInputError, NftablesError
from netrules.nftables import Tables, open_tables
from netrules.ruleset import Backend, Ruleset
from netrules.run import require_net_admin
from netrules.xtables import CHAIN_IN, CHAIN_OUT, tools_for

STATE_DIR = Path("/run/haagent")
_STATE_FILE = "netrules-sysctl.json"


@dataclass(frozen=True, slots=True)
class Step:
    """One change, in words, and how to make it."""

    text: str
    do: Callable[[], object]


def plan(ruleset: Ruleset, nftables: Tables | None = None, *, state_dir: Path = STATE_DIR) -> list[Step]:
    """What differs from the ruleset; nothing to do means no steps."""
    require_net_admin()
    _check_interfaces(ruleset)
    tables = nftables or _tables_if_any(ruleset.backend)
    steps = _table_steps(ruleset, tables) if tables else []
    return steps + _tool_steps(ruleset, tables) + _sysctl_steps(ruleset, state_dir)


def apply(
    ruleset: Ruleset, *, dry_run: bool = False, nftables: Tables | None = None, state_dir: Path = STATE_DIR
) -> list[Step]:
    """Bring this host to the ruleset; returns the steps that were (or with dry_run would be) made.

    A table that is written, new or again, is in the BACKUP's state: hidden, without a lease.
    """
    return _carry_out(plan(ruleset, nftables, state_dir=state_dir), dry_run=dry_run)


def remove(
    *,
    dry_run: bool = False,
    nftables: Tables | None = None,
    state_dir: Path = STATE_DIR,
    scope: str | None = None,
) -> list[Step]:
    """Take away what `apply` made (in every scope, or in this one) and put the sysctls back."""
    require_net_admin()
    steps = []
    if tables := nftables or _tables_if_any(Backend.IPTABLES):
        steps = [_delete(tables, path) for path in diff.table_paths(tables.listing("tables"), scope)]
    if chained := iptables.applied():
        steps.append(_empty(chained))
    memory = sysctl.Remembered(state_dir / _STATE_FILE)
    if earlier := memory.load():
        steps.append(Step(f"restore {', '.join(earlier)}", memory.restore))
    return _carry_out(steps, dry_run=dry_run)


def _carry_out(steps: list[Step], *, dry_run: bool) -> list[Step]:
    for step in steps if not dry_run else ():
        step.do()
    return steps


def _tables_if_any(backend: Backend) -> Tables | None:
    """A host that wants iptables may be without nftables."""
    try:
        return open_tables()
    except NftablesError:
        if backend is Backend.NFTABLES:
            raise
        return None


def _table_steps(ruleset: Ruleset, tables: Tables) -> list[Step]:
    there = diff.table_paths(tables.listing("tables"), ruleset.scope)
    wanted = {table.path: table for table in ruleset.tables}
    steps = [_delete(tables, path) for path in there if path not in wanted]
    for path, table in wanted.items():
        write = partial(tables.run, render.add_table(table).encode())
        if path not in there:
            steps.append(Step(f"write table {path}", write))
        elif faults := diff.faults(table, diff.observed(tables.listing(f"table {path}"))):
            steps.append(Step(f"write table {path} again: {'; '.join(faults)}", write))
    return steps


def _tool_steps(ruleset: Ruleset, tables: Tables | None) -> list[Step]:
    wanted = tools_for(ruleset) if ruleset.backend is Backend.IPTABLES else ()
    steps = []
    worth_a_look = wanted or tables is None or _has_chains(tables) or iptables.legacy_in_use()
    if worth_a_look and (stale := [tool for tool in iptables.applied() if tool not in wanted]):
        steps.append(_empty(stale))
    if missing := [tool for tool in wanted if not iptables.is_applied(ruleset, tool)]:
        steps.append(Step(f"fill {', '.join(missing)}", partial(iptables.fill, ruleset, hidden=True)))
    return steps


def _has_chains(tables: Tables) -> bool:
    """Whether iptables-nft left chains of ours: seen without a fork."""
    names: Iterable[object] = (entry.get("chain") for entry in tables.listing("chains"))
    return any(isinstance(chain, dict) and chain.get("name") in (CHAIN_IN, CHAIN_OUT) for chain in names)


def _sysctl_steps(ruleset: Ruleset, state_dir: Path) -> list[Step]:
    memory = sysctl.Remembered(state_dir / _STATE_FILE)
    off = sysctl.differing(ruleset.sysctls)
    if not off:
        return []
    ours = memory.load()
    said = ", ".join(
        f"{name} to {ruleset.sysctls[name]}{' (somebody has set it back)' if name in ours else ''}"
        for name in off
    )
    return [Step(f"set {said}", partial(memory.set, ruleset.sysctls))]


def _delete(tables: Tables, path: str) -> Step:
    return Step(f"delete table {path}", partial(tables.run, f"delete table {path}\n".encode()))


def _empty(tools: Sequence[str]) -> Step:
    return Step(f"empty {', '.join(tools)}", partial(iptables.remove, tools))


def _check_interfaces(ruleset: Ruleset) -> None:
    there = {name for _, name in socket.if_nameindex()}
    for vip in ruleset.vips:
        if vip.interface not in there:
            raise BadInputError(
                f"interface: {vip.interface} is not on this host (there are {', '.join(sorted(there))})"
            )
