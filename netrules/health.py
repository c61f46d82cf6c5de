"""IO shell: what on this host would keep the rules from working, or hang clients after a takeover."""

from dataclasses import dataclass
from pathlib import Path

from netrules import host, iptables, sysctl
from netrules.errors import RulesError
from netrules.nftables import Nftables
from netrules.ruleset import Backend, Role, Ruleset

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
    nftables: Nftables | None = None,
    state_dir: Path = host.STATE_DIR,
) -> list[Problem]:
    """Compare the host with the ruleset; with a role, also whether the VIPs are shown or hidden."""
    nft = nftables or Nftables()
    found = [Problem(True, f"missing: {step.text}") for step in host.plan(ruleset, nft, state_dir=state_dir)]
    if not found and role is not None:
        found += _role_problems(ruleset, role, nft)
    return found + _hanging_clients(nft)


def _role_problems(ruleset: Ruleset, role: Role, nft: Nftables) -> list[Problem]:
    hidden = iptables.is_hidden(ruleset) if ruleset.backend is Backend.IPTABLES else _is_hidden(ruleset, nft)
    if hidden is None or hidden is (role is Role.BACKUP):
        return []
    return [Problem(True, f"the VIPs are {'hidden' if hidden else 'shown'}, which is wrong for the {role}")]


def _is_hidden(ruleset: Ruleset, nft: Nftables) -> bool | None:
    """None where neither hiding nor a lease is used: the address itself is the only switch."""
    for table in ruleset.tables:
        if table.name == "haagent_lease":
            return not any(
                "expires" in nft.text(f"set netdev {table.name} {s.name}") for s in table.sets if s.timeout
            )
    for table in ruleset.tables:
        if table.name == "haagent_hide":
            return all("elements" in nft.text(f"set netdev {table.name} {s.name}") for s in table.sets)
    return None


def _hanging_clients(nft: Nftables) -> list[Problem]:
    """A TCP client whose connection the new master does not know must get a reset, not silence."""
    try:
        rules = nft.text("ruleset")
    except RulesError:
        return []
    drops_invalid = any(
        "ct state" in line and "invalid" in line and "drop" in line for line in rules.splitlines()
    )
    if drops_invalid and sysctl.read(LOOSE) == "0":
        text = (
            "a rule drops ct state invalid and nf_conntrack_tcp_loose is 0: after a takeover TCP clients hang"
            " instead of getting a reset; set net.netfilter.nf_conntrack_tcp_loose=1"
        )
        return [Problem(False, text)]
    return []
