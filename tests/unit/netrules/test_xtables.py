"""The rules in the words of iptables, ip6tables and arptables."""

import pytest

from netrules import Backend, BadInputError, Flip, IptablesFlip, Ruleset, Strategy, Vip, desired
from netrules.xtables import chains, holds, restore_text, tools_for

AS_LISTED = """-P INPUT ACCEPT
-P OUTPUT ACCEPT
-N HAAGENT-IN
-N HAAGENT-OUT
-A INPUT -j HAAGENT-IN
-A INPUT -p tcp -j ACCEPT
-A OUTPUT -j HAAGENT-OUT
-A HAAGENT-IN -d 10.88.0.100/32 ! -i lo -j DROP
-A HAAGENT-OUT -s 10.88.0.100/32 -m addrtype ! --src-type LOCAL -j DROP
-A HAAGENT-OUT -s 10.88.0.100/32 ! -o lo -j DROP
"""
ARP_LISTED = """-P INPUT ACCEPT
-N HAAGENT-IN
-N HAAGENT-OUT
-A INPUT -j HAAGENT-IN
-A OUTPUT -j HAAGENT-OUT
-A HAAGENT-IN -j DROP -d 10.88.0.100
-A HAAGENT-OUT -j DROP -s 10.88.0.100
"""


def ruleset(strategy: Strategy, *addresses: str) -> Ruleset:
    vips = [Vip.parse(address, "eth0") for address in addresses or ("10.88.0.100",)]
    return desired(strategy, Backend.IPTABLES, vips, lease=False)


def test_each_tool_is_asked_only_for_what_it_can_hide() -> None:
    assert tools_for(ruleset(Strategy.ON_MASTER)) == ("iptables",)
    assert tools_for(ruleset(Strategy.ON_BOTH)) == ("iptables", "arptables")
    assert tools_for(ruleset(Strategy.ON_BOTH, "fd88::100")) == ("ip6tables",)


@pytest.mark.parametrize("hidden", [True, False])
def test_the_guard_stays_in_either_role(hidden: bool) -> None:
    text = restore_text(ruleset(Strategy.ON_BOTH), "iptables", hidden=hidden)
    assert "-A HAAGENT-OUT -s 10.88.0.100 -m addrtype ! --src-type LOCAL -j DROP" in text
    assert ("-A HAAGENT-IN" in text) is hidden


def test_a_restore_names_only_chains_of_ours() -> None:
    lines = restore_text(ruleset(Strategy.ON_BOTH), "iptables", hidden=True).splitlines()
    assert {line.split()[1] for line in lines if line.startswith("-A")} == {"HAAGENT-IN", "HAAGENT-OUT"}
    assert [line.split()[0] for line in lines if line.startswith(":")] == [":HAAGENT-IN", ":HAAGENT-OUT"]


@pytest.mark.parametrize(("tool", "text"), [("iptables", AS_LISTED), ("arptables", ARP_LISTED)])
def test_what_the_tool_lists_is_recognised_among_foreign_rules(tool: str, text: str) -> None:
    rules = ruleset(Strategy.ON_BOTH)
    assert holds(text, chains(rules, tool, hidden=True))
    assert not holds(text, chains(rules, tool, hidden=False))
    assert not holds(text, chains(ruleset(Strategy.ON_BOTH, "10.88.0.101"), tool, hidden=True))


@pytest.mark.parametrize("number", [4, 6, 7, 8, 9])
def test_a_line_that_somebody_took_away_is_missed(number: int) -> None:
    lines = AS_LISTED.splitlines()
    del lines[number]
    assert not holds("\n".join(lines), chains(ruleset(Strategy.ON_BOTH), "iptables", hidden=True))


def test_a_flip_refuses_the_rules_of_the_other_backend() -> None:
    with pytest.raises(BadInputError, match="iptables is flipped by IptablesFlip"):
        Flip(ruleset(Strategy.ON_BOTH), 90)
    with pytest.raises(BadInputError, match="nftables is flipped by Flip"):
        IptablesFlip(
            desired(Strategy.ON_BOTH, Backend.NFTABLES, [Vip.parse("10.0.0.1", "eth0")], lease=False)
        )


def test_a_lease_of_no_time_is_refused_because_nft_would_take_it_for_ever() -> None:
    rules = desired(Strategy.ON_MASTER, Backend.NFTABLES, [Vip.parse("10.0.0.1", "eth0")], lease=True)
    with pytest.raises(BadInputError, match="lease: 0 ms is below 1 ms"):
        Flip(rules, 0)
