"""What is noticed about tables that are there, and what is left alone."""

from collections.abc import Callable

import pytest

from netrules import Backend, Role, Ruleset, Strategy, Vip, desired
from netrules.diff import Observed, drops_invalid, faults, observed, role_faults, table_paths
from netrules.render import comment
from netrules.ruleset import Table

VIPS = [Vip.parse("10.88.0.100", "eth0"), Vip.parse("fd88::100", "eth0")]
BOTH = desired(Strategy.ON_BOTH, Backend.NFTABLES, VIPS, lease=True)
GUARD, HIDE, LEASE = BOTH.tables


def listing(table: Table) -> list[dict[str, object]]:
    """The table as `nft -j list table` of nftables 1.0.6 prints it."""
    objects: list[dict[str, object]] = [{"metainfo": {"version": "1.0.6"}}, {"table": {"name": table.name}}]
    for s in table.sets:
        entry: dict[str, object] = {"name": s.name, "table": table.name}
        if s.elements:
            entry["elem"] = list(s.elements)
        objects.append({"set": entry})
    objects += [{"chain": {"name": chain.name}} for chain in table.chains]
    for chain in table.chains:
        objects += [{"rule": {"chain": chain.name, "comment": comment(table)}} for _ in chain.rules]
    return objects


def as_written(ruleset: Ruleset) -> dict[str, Observed]:
    return {table.path: observed(listing(table)) for table in ruleset.tables}


@pytest.mark.parametrize("table", BOTH.tables, ids=lambda table: table.name)
def test_a_table_as_it_was_written_has_no_fault(table: Table) -> None:
    assert faults(table, observed(listing(table))) == []


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda seen: seen.rules["output"].pop(), "chain output holds 1 of 2 rules, 1 in all"),
        (lambda seen: seen.rules["output"].insert(0, ""), "chain output holds 2 of 2 rules, 3 in all"),
        (lambda seen: seen.rules.clear(), "chain output is missing"),
        (lambda seen: seen.elements.pop("v6"), "set v6 is missing"),
        (lambda seen: seen.elements.update(v4=frozenset()), "set v4 differs in 10.88.0.100"),
        (lambda seen: seen.elements.update(v6=seen.elements["v6"] | {1}), "set v6 differs in ::1"),
    ],
)
def test_what_somebody_did_to_a_table_is_named(harm: Callable[[Observed], object], said: str) -> None:
    seen = observed(listing(GUARD))
    harm(seen)
    assert faults(GUARD, seen) == [said]


def test_rules_of_other_vips_are_a_fault() -> None:
    other = desired(Strategy.ON_MASTER, Backend.NFTABLES, VIPS[:1], lease=False).tables[0]
    assert faults(GUARD, observed(listing(other)))


def test_elements_are_read_in_each_form_that_nft_prints() -> None:
    elements = [
        "10.0.0.1",
        {"elem": {"val": "10.0.0.2", "timeout": 10, "expires": 9}},
        "0x0a000003",
        0x0A000004,
    ]
    seen = observed([{"set": {"name": "v4", "elem": elements}}])
    assert seen.elements["v4"] == set(range(0x0A000001, 0x0A000005))


def test_whether_a_vip_is_hidden_is_the_roles_affair() -> None:
    seen = as_written(BOTH)
    assert role_faults(BOTH, Role.BACKUP, seen) == []
    assert "10.88.0.100 is hidden (set v4 of netdev haagent_hide)" in role_faults(BOTH, Role.MASTER, seen)
    seen[HIDE.path].elements = dict.fromkeys(seen[HIDE.path].elements, frozenset())
    assert faults(HIDE, seen[HIDE.path]) == []
    assert role_faults(BOTH, None, seen) == []
    assert [text.split()[0] for text in role_faults(BOTH, Role.BACKUP, seen)] == [
        "10.88.0.100",
        "fd88::100",
        "fd88::100",
    ]


def test_a_master_needs_a_living_lease_and_a_backup_none() -> None:
    rules = desired(Strategy.ON_MASTER, Backend.NFTABLES, VIPS[:1], lease=True)
    seen = as_written(rules)
    assert role_faults(rules, Role.BACKUP, seen) == []
    assert role_faults(rules, Role.MASTER, seen) == [
        "no lease lives for 10.88.0.100 (set lease_v4 of netdev haagent_lease)"
    ]
    seen[LEASE.path].elements["lease_v4"] = frozenset({int(VIPS[0].address)})
    assert role_faults(rules, Role.MASTER, seen) == []
    assert role_faults(rules, Role.BACKUP, seen)[0].startswith("a lease lives for 10.88.0.100")


def test_what_is_hidden_by_half_is_wrong_in_any_role() -> None:
    vips = [VIPS[0], Vip.parse("10.88.0.101", "eth0")]
    rules = desired(Strategy.ON_BOTH, Backend.NFTABLES, vips, lease=False)
    seen = as_written(rules)
    seen["netdev haagent_hide"].elements["v4"] = frozenset({int(vips[0].address)})
    assert role_faults(rules, None, seen) == ["10.88.0.101 is not hidden (set v4 of netdev haagent_hide)"]


def test_only_tables_of_ours_are_ours() -> None:
    tables = [
        {"table": {"family": "inet", "name": name}} for name in ("haagent_guard", "filter", "my_haagent_x")
    ]
    assert table_paths([{"metainfo": {}}, *tables]) == ["inet haagent_guard"]


@pytest.mark.parametrize(
    ("rule", "drops"),
    [
        ("ct state invalid drop", True),
        ("ct state vmap { established : accept, invalid : drop }", True),
        ("ct state { invalid } counter packets 0 bytes 0 drop", True),
        ("-A INPUT -m conntrack --ctstate INVALID -j DROP", True),
        ("-A INPUT -m state --state INVALID,UNTRACKED -j DROP", True),
        ("ct state established,related accept", False),
        ("ct state new tcp dport 22 drop", False),
        ("-A INPUT -m conntrack --ctstate INVALID -j ACCEPT", False),
    ],
)
def test_a_rule_that_drops_invalid_packets_is_known_in_every_dialect(rule: str, drops: bool) -> None:
    assert drops_invalid(rule) is drops
