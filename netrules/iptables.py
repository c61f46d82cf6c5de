"""IO shell: the iptables, ip6tables and arptables form of the rules: about 10 ms a tool, a fork each.

What is there is read through `-S`, in the words of the tool itself, so that nothing is done twice.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from netrules.errors import BadInputError, RulesError
from netrules.ruleset import Backend, Ruleset, Strategy
from netrules.run import run
from netrules.xtables import CHAIN_IN, CHAIN_OUT, HOOKS, TOOLS, Chains, chains, holds, restore_text, tools_for

# a legacy tool has been used in this namespace if its list of tables is not empty
_LEGACY = tuple(Path(f"/proc/thread-self/net/{name}_tables_names") for name in ("ip", "ip6", "arp"))


def is_applied(ruleset: Ruleset, tool: str) -> bool:
    """Whether the tool holds our jumps and the rules of the one role or the other."""
    listing = run([tool, "-S"])
    return any(holds(listing, chains(ruleset, tool, hidden=hidden)) for hidden in (True, False))


def is_hidden(ruleset: Ruleset) -> bool | None:
    """Whether every tool holds the BACKUP's rules; None where the address itself is the only switch."""
    if ruleset.strategy is Strategy.ON_MASTER:
        return None
    return all(holds(run([tool, "-S"]), chains(ruleset, tool, hidden=True)) for tool in tools_for(ruleset))


def legacy_in_use() -> bool:
    """Whether tables of the legacy tools are loaded here; what nftables does not show.

    Only root may see it. Without root nobody can write there either (the tools' lock is root's).
    """
    return any(path.read_text() for path in _LEGACY if os.access(path, os.R_OK))


def fill(ruleset: Ruleset, *, hidden: bool) -> None:
    """Make our chains where they are missing, and put the rules of the role into them."""
    for tool in tools_for(ruleset):
        wanted = chains(ruleset, tool, hidden=hidden)
        if tool == "arptables":
            _fill_arptables(wanted)
        else:
            run([f"{tool}-restore", "--noflush"], text=restore_text(ruleset, tool, hidden=hidden))
        listing = run([tool, "-S"]).splitlines()
        for hook, chain in HOOKS:
            if f"-A {hook} -j {chain}" not in listing:
                run([tool, "-I", hook, "-j", chain])


def applied() -> list[str]:
    """The tools in which chains of ours are; one that is not installed has none."""
    found = []
    for tool in TOOLS:
        try:
            listing = run([tool, "-S"]).splitlines()
        except RulesError:
            continue
        if any(f"-N {chain}" in listing for _, chain in HOOKS):
            found.append(tool)
    return found


def remove(tools: Sequence[str]) -> None:
    """Take our chains out of these tools."""
    for tool in tools:
        listing = run([tool, "-S"]).splitlines()
        for hook, chain in HOOKS:
            for _ in range(listing.count(f"-A {hook} -j {chain}")):
                run([tool, "-D", hook, "-j", chain])
            if f"-N {chain}" in listing:
                run([tool, "-F", chain])
                run([tool, "-X", chain])


class IptablesFlip:
    """Shows and hides by forking the tools; there is no lease to renew."""

    def __init__(self, ruleset: Ruleset) -> None:
        if ruleset.backend is not Backend.IPTABLES:
            raise BadInputError(f"backend: {ruleset.backend} is flipped by Flip")
        self._ruleset = ruleset

    def show(self) -> None:
        """The VIPs are heard and answered from now on."""
        fill(self._ruleset, hidden=False)

    def hide(self) -> None:
        """The VIPs are deaf and mute from now on, but for packet sockets."""
        fill(self._ruleset, hidden=True)

    def refresh(self) -> None:
        """Nothing to do: these tools have no elements with a timeout."""


def _fill_arptables(wanted: Chains) -> None:
    # arptables-restore would flush what is not ours
    listing = run(["arptables", "-S"]).splitlines()
    for chain, rules in ((CHAIN_IN, wanted.incoming), (CHAIN_OUT, wanted.outgoing)):
        if f"-N {chain}" not in listing:
            run(["arptables", "-N", chain])
        for rule in rules:  # hide first, then drop the older ones: never a moment without
            run(["arptables", "-I", chain, *rule])
        for _ in range(sum(line.startswith(f"-A {chain} ") for line in listing)):
            run(["arptables", "-D", chain, str(len(rules) + 1)])
