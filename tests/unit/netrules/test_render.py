"""What nft is told, as text."""

import pytest

from netrules import Backend, Ruleset, Strategy, Vip, desired
from netrules.render import add_table, digest, hide, refresh, replace, show


def ruleset(strategy: Strategy, *addresses: str, lease: bool = False) -> Ruleset:
    vips = [Vip.parse(address, "eth0") for address in addresses or ("10.88.0.100", "fd88::100")]
    return desired(strategy, Backend.NFTABLES, vips, lease=lease)


def test_on_master_without_a_lease_has_nothing_to_flip() -> None:
    rules = ruleset(Strategy.ON_MASTER)
    assert [show(rules, 90), hide(rules), refresh(rules, 90)] == ["", "", ""]


def test_showing_unhides_and_starts_the_lease_in_one_text() -> None:
    assert show(ruleset(Strategy.ON_BOTH, "10.88.0.100", lease=True), 90).splitlines() == [
        "flush set netdev haagent_hide v4",
        "flush set netdev haagent_lease lease_v4",
        "add element netdev haagent_lease lease_v4 { 10.88.0.100 timeout 90ms }",
    ]


def test_hiding_names_no_element_that_may_be_gone() -> None:
    lines = hide(ruleset(Strategy.ON_BOTH, lease=True)).splitlines()
    assert not [line for line in lines if line.startswith("delete")]
    assert lines.index("flush set netdev haagent_hide nd6") < lines.index(
        "add element netdev haagent_hide nd6 { 0xfd880000000000000000000000000100 }"
    )
    assert "flush set netdev haagent_lease lease_v6" in lines


def test_a_renewal_deletes_every_element_before_it_adds_one() -> None:
    lines = refresh(ruleset(Strategy.ON_MASTER, lease=True), 90).splitlines()
    assert [line.split()[0] for line in lines] == ["delete"] * 3 + ["add"] * 3
    assert all("timeout 90ms" in line for line in lines[3:])


def test_a_table_is_replaced_in_the_transaction_that_makes_it() -> None:
    text = add_table(ruleset(Strategy.ON_MASTER).tables[0])
    assert text.startswith("add table inet haagent_guard\ndelete table inet haagent_guard\ntable inet")


def test_the_guard_drops_only_what_is_not_local() -> None:
    text = add_table(ruleset(Strategy.ON_MASTER).tables[0])
    assert "ip saddr @v4 fib saddr type != local counter drop" in text
    assert "ip6 saddr @v6 fib saddr type != local counter drop" in text


@pytest.mark.parametrize("other", ["10.88.0.101", "fd88::100"])
def test_another_vip_gives_another_digest(other: str) -> None:
    one, same = (ruleset(Strategy.ON_BOTH, "10.88.0.100").tables[1] for _ in range(2))
    assert digest(one) == digest(same)
    assert digest(one) != digest(ruleset(Strategy.ON_BOTH, other).tables[1])


def test_another_ruleset_is_written_and_shown_in_one_transaction_and_what_is_equal_is_left_alone() -> None:
    old = ruleset(Strategy.ON_MASTER, "10.88.0.100", lease=True)
    new = ruleset(Strategy.ON_MASTER, "10.88.0.100", "10.88.0.101", lease=True)
    text = replace(old, new, 90, shown=True)
    assert text.count("delete table") == 2
    assert "lease_v4 { 10.88.0.100 timeout 90ms, 10.88.0.101 timeout 90ms }" in text
    assert replace(old, old, 90, shown=False) == hide(old)
    bare = ruleset(Strategy.ON_MASTER, "10.88.0.100")
    assert replace(old, bare, 0, shown=True) == "delete table netdev haagent_lease\n"
