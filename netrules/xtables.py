"""Sans-IO: the same rules for iptables, ip6tables and arptables, for hosts that want those.

What they hide is ARP, NDP and IP. The hole they leave: a packet socket (AF_PACKET: arping, scapy) passes
below their OUTPUT hooks, so that a program which forges the VIP's ARP on the backup is not stopped; and
there is no lease. nftables' netdev chains stop both.

Each tool gets two chains of ours, reached by one jump from INPUT and OUTPUT; hiding fills them, showing
empties them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from netrules.ruleset import Ruleset, Strategy

CHAIN_IN, CHAIN_OUT = "HAAGENT-IN", "HAAGENT-OUT"
HOOKS = (("INPUT", CHAIN_IN), ("OUTPUT", CHAIN_OUT))
TOOLS = ("iptables", "ip6tables", "arptables")


@dataclass(frozen=True, slots=True)
class Chains:
    """What our two chains hold, each rule as the words after `-A CHAIN`."""

    incoming: tuple[tuple[str, ...], ...]
    outgoing: tuple[tuple[str, ...], ...]


def chains(ruleset: Ruleset, tool: str, *, hidden: bool) -> Chains:
    """The content of our chains in one tool."""
    v4 = [str(vip.address) for vip in ruleset.vips if vip.address.version == 4]
    v6 = [str(vip.address) for vip in ruleset.vips if vip.address.version == 6]
    mine = v6 if tool == "ip6tables" else v4
    hide = hidden and ruleset.strategy is Strategy.ON_BOTH
    if tool == "arptables":
        if not hide:
            return Chains((), ())
        return Chains(
            tuple(("-d", vip, "-j", "DROP") for vip in mine), tuple(("-s", vip, "-j", "DROP") for vip in mine)
        )
    guard = [("-s", vip, "-m", "addrtype", "!", "--src-type", "LOCAL", "-j", "DROP") for vip in mine]
    if not hide:
        return Chains((), tuple(guard))
    # over lo the node may talk with its own copy of the address
    return Chains(
        tuple(("-d", vip, "!", "-i", "lo", "-j", "DROP") for vip in mine),
        (*guard, *(("-s", vip, "!", "-o", "lo", "-j", "DROP") for vip in mine)),
    )


def restore_text(ruleset: Ruleset, tool: str, *, hidden: bool) -> str:
    """Input for `iptables-restore --noflush`: fills our chains in one transaction, touches no other."""
    wanted = chains(ruleset, tool, hidden=hidden)
    lines = ["*filter", f":{CHAIN_IN} - [0:0]", f":{CHAIN_OUT} - [0:0]"]
    lines += [f"-A {CHAIN_IN} {' '.join(rule)}" for rule in wanted.incoming]
    lines += [f"-A {CHAIN_OUT} {' '.join(rule)}" for rule in wanted.outgoing]
    return "\n".join([*lines, "COMMIT", ""])


def holds(listing: str, wanted: Chains) -> bool:
    """Whether `-S` lists our jumps and exactly this content.

    The three tools print the words of a rule in different orders, and some add the length of a prefix.
    """
    lines = listing.splitlines()
    jumps = [f"-A {hook} -j {chain}" in lines for hook, chain in HOOKS]
    ours = [
        _words(line.split()) for line in lines if line.startswith((f"-A {CHAIN_IN} ", f"-A {CHAIN_OUT} "))
    ]
    rules = [("-A", CHAIN_IN, *rule) for rule in wanted.incoming]
    rules += [("-A", CHAIN_OUT, *rule) for rule in wanted.outgoing]
    return all(jumps) and ours == [_words(rule) for rule in rules]


def _words(rule: Sequence[str]) -> list[str]:
    return sorted(word.removesuffix("/32").removesuffix("/128") for word in rule)


def tools_for(ruleset: Ruleset) -> tuple[str, ...]:
    """Which of the three tools these VIPs need."""
    versions = {vip.address.version for vip in ruleset.vips}
    tools = []
    if 4 in versions:
        tools += ["iptables", "arptables"] if ruleset.strategy is Strategy.ON_BOTH else ["iptables"]
    if 6 in versions:
        tools.append("ip6tables")
    return tuple(tools)
