"""Which VIPs and interfaces are taken, and which tables they get."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netrules import Backend, BadInputError, Strategy, Vip, desired
from netrules.render import add_table

V4, V6 = Vip.parse("10.88.0.100", "eth0"), Vip.parse("fd88::100", "eth0")


def names(strategy: Strategy, backend: Backend = Backend.NFTABLES, *, lease: bool = False) -> list[str]:
    return [table.path for table in desired(strategy, backend, [V4, V6], lease=lease).tables]


def test_every_node_has_the_guard_and_only_on_both_hides() -> None:
    assert names(Strategy.ON_MASTER) == ["inet haagent_guard"]
    assert names(Strategy.ON_BOTH) == ["inet haagent_guard", "netdev haagent_hide"]


def test_a_lease_is_a_table_of_its_own_in_both_strategies() -> None:
    assert names(Strategy.ON_MASTER, lease=True) == ["inet haagent_guard", "netdev haagent_lease"]
    assert names(Strategy.ON_BOTH, lease=True)[2:] == ["netdev haagent_lease"]


def test_iptables_gets_no_nftables_table_and_no_lease() -> None:
    assert names(Strategy.ON_BOTH, Backend.IPTABLES) == []
    with pytest.raises(BadInputError, match="iptables has no elements with a timeout"):
        names(Strategy.ON_BOTH, Backend.IPTABLES, lease=True)


def test_vips_that_are_not_accepted_have_a_table_that_lets_neighbour_discovery_through() -> None:
    ruleset = desired(Strategy.ON_MASTER, Backend.NFTABLES, [V4, V6], lease=False, no_accept=[V6])
    table = ruleset.tables[-1]
    assert (table.path, [s.elements for s in table.sets]) == ("inet haagent_no_accept", [("fd88::100",)])
    assert [rule.split()[-1] for rule in table.chains[0].rules] == ["accept", "drop"]
    with pytest.raises(BadInputError, match="no_accept: is there for nftables alone"):
        desired(Strategy.ON_BOTH, Backend.IPTABLES, [V4], lease=False, no_accept=[V4])


def test_each_interface_gets_its_own_pair_of_chains() -> None:
    vips = [V4, Vip.parse("10.90.0.100", "eth1"), V6]
    hide = desired(Strategy.ON_BOTH, Backend.NFTABLES, vips, lease=False).tables[1]
    assert [chain.name for chain in hide.chains] == ["ingress_0", "egress_0", "ingress_1", "egress_1"]
    assert ['"eth1"' in chain.hook for chain in hide.chains] == [False, False, True, True]


def test_the_initial_state_is_the_backups() -> None:
    ruleset = desired(Strategy.ON_BOTH, Backend.NFTABLES, [V4], lease=True)
    hide, lease = ruleset.tables[1:]
    assert [s.elements for s in hide.sets] == [("10.88.0.100",)]
    assert [s.elements for s in lease.sets if s.timeout] == [()]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("10.88.0.300", "is not an IP address"),
        ("sip.example.test", "is not an IP address"),
        ("10.88.0.100/24", "names a network"),
        ("224.0.0.18", "not a unicast address"),
        ("255.255.255.255", "not a unicast address"),
        ("0.0.0.0", "not a unicast address"),
        ("::1", "not a unicast address"),
        ("fe80::1%eth0", "has a zone"),
        ("::ffff:10.0.0.1", "maps an IPv4 address"),
    ],
)
def test_an_address_that_cannot_be_a_vip_is_refused_by_name(text: str, why: str) -> None:
    with pytest.raises(BadInputError, match=f"^vip: .*{why}"):
        Vip.parse(text, "eth0")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a:1", 'a"', "a b", "a\n", "sixteen-letters-", "é" * 8]
)
def test_a_name_that_the_kernel_would_refuse_is_no_interface(name: str) -> None:
    with pytest.raises(BadInputError, match="is not an interface name"):
        Vip(V4.address, name)


def test_no_vip_at_all_and_one_vip_twice_are_refused() -> None:
    with pytest.raises(BadInputError, match="at least one"):
        desired(Strategy.ON_MASTER, Backend.NFTABLES, [], lease=False)
    with pytest.raises(BadInputError, match=r"fd88::100 is given twice"):
        desired(Strategy.ON_MASTER, Backend.NFTABLES, [V6, Vip.parse("FD88:0::100", "eth1")], lease=False)


@given(st.one_of(st.text(max_size=30), st.ip_addresses().map(str)), st.text(max_size=20))
def test_any_text_is_a_vip_or_a_named_error(address: str, interface: str) -> None:
    try:
        vip = Vip.parse(address, interface)
    except BadInputError:
        return
    for table in desired(Strategy.ON_BOTH, Backend.NFTABLES, [vip], lease=True).tables:
        text = add_table(table)
        assert f"elements = {{ {vip.address} }}" in text
        quoted = text.split('"')[1::2]
        assert [q for q in quoted if not q.startswith("haagent ")] == [interface] * len(table.chains) * (
            table.family == "netdev"
        )


@given(st.ip_addresses(v=6))
def test_a_solicitation_is_matched_by_all_of_its_128_bits(address: IPv6Address) -> None:
    try:
        vip = Vip(address, "eth0")
    except BadInputError:
        return
    hide = desired(Strategy.ON_BOTH, Backend.NFTABLES, [vip], lease=False).tables[1]
    (element,) = next(s for s in hide.sets if s.name == "nd6").elements
    assert len(element) == 34
    assert int(element, 16) == int(address)


@given(st.lists(st.ip_addresses(v=4), max_size=6))
def test_a_set_of_vips_is_taken_whole_or_not_at_all(addresses: list[IPv4Address]) -> None:
    try:
        ruleset = desired(
            Strategy.ON_MASTER, Backend.NFTABLES, [Vip(a, "eth0") for a in addresses], lease=False
        )
    except BadInputError:
        return
    assert ruleset.tables[0].sets[0].elements == tuple(map(str, addresses))
