"""IO shell: what on this host would keep the rules from working, or hang clients after a takeover."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from netrules import diff, host, iptables, sysctl
from netrules.errors import NftablesError, RulesError
from netrules.nftables import LIBRARY, NftProgram, Tables, open_tables
from netrules.ruleset import Backend, Role, Ruleset
from netrules.run import run

LOOSE = "net/netfilter/nf_conntrack_tcp_loose"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong (`severe`) or will be at a takeover."""

    severe: bool
    text: str


def check(
    ruleset: Ruleset,
    *,
    role: Role | None = None,
    nftables: Tables | None = None,
    state_dir: Path = host.STATE_DIR,
) -> list[Problem]:
    """Compare the host with the ruleset; with a role, also whether the VIPs are shown or hidden."""
    found: list[Problem] = []
    try:
        tables = nftables or open_tables()
    except NftablesError as missing:
        if ruleset.backend is Backend.NFTABLES:
            return [Problem(True, str(missing))]
        tables = None
    if ruleset.backend is Backend.NFTABLES and isinstance(tables, NftProgram):
        found.append(
            Problem(True, f"{LIBRARY} is missing: without it nothing can be shown, hidden or leased")
        )
    steps = host.plan(ruleset, tables, state_dir=state_dir)
    found += [Problem(True, f"missing: {step.text}") for step in steps]
    if not steps:
        found += [Problem(True, text) for text in _role_faults(ruleset, role, tables)]
    return found + _hanging_clients(tables)


def _role_faults(ruleset: Ruleset, role: Role | None, tables: Tables | None) -> list[str]:
    if ruleset.backend is Backend.IPTABLES:
        hidden = iptables.is_hidden(ruleset)
        if role is None or hidden is None or hidden is (role is Role.BACKUP):
            return []
        return [f"the VIPs are {'hidden' if hidden else 'shown'}, which is wrong for the {role}"]
    if tables is None:
        return []
    seen = {table.path: diff.observed(tables.listing(f"table {table.path}")) for table in ruleset.tables}
    return diff.role_faults(ruleset, role, seen)


def _hanging_clients(tables: Tables | None) -> list[Problem]:
    """A TCP client whose connection the new master does not know must get a reset, not silence."""
    if sysctl.read(LOOSE) != "0":
        return []
    lines: list[str] = []
    if tables is not None:
        lines += _listed(partial(tables.text, "ruleset"))
    for tool in ("iptables", "ip6tables"):  # nftables does not show the legacy tools' rules
        lines += _listed(partial(run, [tool, "-S"]))
    if not any(diff.drops_invalid(line) for line in lines):
        return []
    text = (
        "a rule drops ct state invalid and nf_conntrack_tcp_loose is 0: after a takeover TCP clients hang"
        " instead of getting a reset; set net.netfilter.nf_conntrack_tcp_loose=1"
    )
    return [Problem(False, text)]


def _listed(listing: Callable[[], str]) -> list[str]:
    try:
        return listing().splitlines()
    except RulesError:
        return []
