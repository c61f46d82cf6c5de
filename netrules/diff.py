"""Sans-IO: what the kernel holds against what it should hold.

Every rule of ours carries a comment with the digest of its whole table, so that a rule which somebody took
away, put in or wrote anew is seen, whatever words this version of nft prints the rules in.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from netrules.render import comment, leases
from netrules.ruleset import HIDE, LEASE, NftSet, Role, Ruleset, Table

Listing = Sequence[Mapping[str, object]]


@dataclass(slots=True)
class Observed:
    """One table as the kernel holds it."""

    rules: dict[str, list[str]] = field(default_factory=dict)  # chain -> the comment of each rule
    elements: dict[str, frozenset[int]] = field(default_factory=dict)  # set -> addresses as numbers


def observed(listing: Listing) -> Observed:
    """Read the objects of `nft -j list table`."""
    seen = Observed()
    for entry in listing:
        for kind, value in entry.items():
            if not isinstance(value, Mapping):
                continue
            if kind == "chain":
                seen.rules[str(value["name"])] = []
            elif kind == "set":
                seen.elements[str(value["name"])] = frozenset(_values(value.get("elem", ())))
            elif kind == "rule":
                seen.rules.setdefault(str(value["chain"]), []).append(str(value.get("comment", "")))
    return seen


def table_paths(listing: Listing, scope: str | None = None) -> list[str]:
    """The tables of ours ('family name') among the objects of `nft -j list tables`; None: of every scope."""
    found = [entry["table"] for entry in listing if "table" in entry]
    return [
        f"{table['family']} {table['name']}"
        for table in found
        if isinstance(table, Mapping) and _is_ours(str(table.get("name", "")), scope)
    ]


def _is_ours(name: str, scope: str | None) -> bool:
    return name.startswith("haagent_") and scope in (None, name.partition(".")[2])


def faults(table: Table, seen: Observed) -> list[str]:
    """What is wrong with a table that is there; which VIPs are hidden or leased is the role's affair."""
    found = []
    mark = comment(table)
    for chain in table.chains:
        comments = seen.rules.get(chain.name)
        if comments is None:
            found.append(f"chain {chain.name} is missing")
        elif comments != [mark] * len(chain.rules):
            right = comments.count(mark)
            found.append(
                f"chain {chain.name} holds {right} of {len(chain.rules)} rules, {len(comments)} in all"
            )
    for s in table.sets:
        if s.name not in seen.elements:
            found.append(f"set {s.name} is missing")
        elif not s.timeout and table.kind != HIDE and (gap := _numbers(s.elements) ^ seen.elements[s.name]):
            found.append(f"set {s.name} differs in {_names(s, gap)}")
    return found


def role_faults(ruleset: Ruleset, role: Role | None, tables: Mapping[str, Observed]) -> list[str]:
    """What the role wants hidden, shown or leased and is not; without a role, what is hidden by half."""
    found = []
    for table in ruleset.tables:
        seen = tables[table.path].elements
        if table.kind == HIDE:
            for s in table.sets:
                missing, hidden = _numbers(s.elements) - seen[s.name], seen[s.name]
                if missing and (role is Role.BACKUP or (role is None and hidden)):
                    found.append(f"{_names(s, missing)} is not hidden (set {s.name} of {table.path})")
                if hidden and role is Role.MASTER:
                    found.append(f"{_names(s, hidden)} is hidden (set {s.name} of {table.path})")
        elif table.kind == LEASE and role is not None:
            for s, lease in leases(table):
                lapsed, live = _numbers(s.elements) - seen[lease.name], seen[lease.name]
                if lapsed and role is Role.MASTER:
                    found.append(f"no lease lives for {_names(s, lapsed)} (set {lease.name} of {table.path})")
                if live and role is Role.BACKUP:
                    found.append(f"a lease lives for {_names(s, live)} (set {lease.name} of {table.path})")
    return found


def drops_invalid(rule: str) -> bool:
    """Whether a rule of nft or iptables drops what conntrack calls invalid."""
    words = rule.lower()  # `ct state invalid drop`, `--ctstate INVALID -j DROP`, `--state INVALID -j DROP`
    return "state " in words and "invalid" in words and "drop" in words


def _values(elements: object) -> Iterable[int]:
    """Addresses as numbers: nft prints one as text, as a number, or wrapped with its timeout."""
    for element in elements if isinstance(elements, Sequence) else ():
        inner = element["elem"] if isinstance(element, Mapping) and "elem" in element else element
        value = inner.get("val") if isinstance(inner, Mapping) else inner
        yield value if isinstance(value, int) else _number(str(value))


def _numbers(elements: Iterable[str]) -> frozenset[int]:
    return frozenset(map(_number, elements))


def _number(text: str) -> int:
    return int(text, 16) if text.startswith("0x") else int(ipaddress.ip_address(text))


def _names(s: NftSet, numbers: Iterable[int]) -> str:
    kind = ipaddress.IPv4Address if s.name.endswith("v4") else ipaddress.IPv6Address
    return ", ".join(str(kind(number)) for number in sorted(numbers))
