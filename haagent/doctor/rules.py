"""Sans-IO: the lines of a firewall's listing that may be why a packet of protocol 112 is dropped."""

import re
from collections.abc import Iterable, Iterator

MAX_SUSPECTS = 5
_VRRP = re.compile(r"\b(vrrp|112|224\.0\.0\.(18|0/)|multicast)")
_DROPS = re.compile(r"\b(drop|reject)\b", re.IGNORECASE)
_OPEN = re.compile(r"\s*(table|chain) (.+?) \{")
_IPTABLES_POLICY = re.compile(r":(INPUT|OUTPUT) DROP\b")


def suspects(nft: str, iptables: Iterable[str]) -> tuple[str, ...]:
    """`nft`: what `nft list ruleset` prints; `iptables`: what each iptables-save prints."""
    found = [*_nft(nft), *(line for text in iptables for line in _iptables(text))]
    return tuple(dict.fromkeys(found))[:MAX_SUSPECTS]


def _nft(text: str) -> Iterator[str]:
    """Input and output chains that drop by policy, and rules that drop VRRP or multicast by name."""
    table = chain = ""
    for line in text.splitlines():
        opened = _OPEN.match(line)
        if opened is not None:
            table, chain = (opened[2], "") if opened[1] == "table" else (table, opened[2])
        elif "haagent_" in table:
            continue  # our own
        elif re.search(r"hook (input|output|prerouting|ingress)\b.*policy drop", line):
            yield f"nft {table} {chain}: policy drop"
        elif _VRRP.search(line) and _DROPS.search(line):
            yield f"nft {table} {chain}: {line.strip()}"


def _iptables(text: str) -> Iterator[str]:
    for line in text.splitlines():
        policy = _IPTABLES_POLICY.match(line)
        if policy is not None:
            yield f"iptables: policy of {policy[1]} is DROP"
        elif line.startswith("-A") and _VRRP.search(line) and _DROPS.search(line):
            yield f"iptables: {line}"
