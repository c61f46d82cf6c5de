"""IO shell: the iptables, ip6tables and arptables form of the rules: about 10 ms a tool, a fork each.

What is there is read through `-S`, in the words of the tool itself, so that nothing is done twice.
"""

from netrules.errors import RulesError
from netrules.ruleset import Ruleset, Strategy
from netrules.run import run
from netrules.xtables import CHAIN_IN, CHAIN_OUT, TOOLS, Chains, chains, restore_text, tools_for

_HOOKS = (("INPUT", CHAIN_IN), ("OUTPUT", CHAIN_OUT))


def is_applied(tool: str) -> bool:
    """Whether our chains and their jumps are there; what they hold depends on the role."""
    listing = run([tool, "-S"]).splitlines()
    return all(f"-A {hook} -j {chain}" in listing for hook, chain in _HOOKS)


def is_hidden(ruleset: Ruleset) -> bool | None:
    """Whether every tool holds the BACKUP's rules; None where the address itself is the only switch."""
    if ruleset.strategy is Strategy.ON_MASTER:
        return None
    return all(_drops(tool) == _size(chains(ruleset, tool, hidden=True)) for tool in tools_for(ruleset))


def fill(ruleset: Ruleset, *, hidden: bool) -> None:
    """Make our chains where they are missing, and put the rules of the role into them."""
    for tool in tools_for(ruleset):
        wanted = chains(ruleset, tool, hidden=hidden)
        if tool == "arptables":
            _fill_arptables(wanted)
        else:
            run([f"{tool}-restore", "--noflush"], text=restore_text(ruleset, tool, hidden=hidden))
        listing = run([tool, "-S"]).splitlines()
        for hook, chain in _HOOKS:
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
        if any(f"-N {chain}" in listing for _, chain in _HOOKS):
            found.append(tool)
    return found


def remove() -> None:
    """Take our chains out of every tool that has them."""
    for tool in applied():
        listing = run([tool, "-S"]).splitlines()
        for hook, chain in _HOOKS:
            for _ in range(listing.count(f"-A {hook} -j {chain}")):
                run([tool, "-D", hook, "-j", chain])
            if f"-N {chain}" in listing:
                run([tool, "-F", chain])
                run([tool, "-X", chain])


class IptablesFlip:
    """Shows and hides by forking the tools; there is no lease to renew."""

    def __init__(self, ruleset: Ruleset) -> None:
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


def _size(content: Chains) -> int:
    return len(content.incoming) + len(content.outgoing)


def _drops(tool: str) -> int:
    return sum(
        line.startswith((f"-A {CHAIN_IN} ", f"-A {CHAIN_OUT} ")) for line in run([tool, "-S"]).splitlines()
    )
