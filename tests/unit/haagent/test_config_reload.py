"""Which changes of haagent.toml a running agent takes, and how the others are refused."""

import pytest

from haagent.config import load
from haagent.config.reload import changed_keys, require_live
from haagent.errors import ConfigError

GOOD = """
node = "a"
[[virtual_router]]
name = "sip"
vrid = 51
interface = "eth0"
priority = 200
advert_interval = "1s"
vips = ["10.88.0.100"]
strategy = "on-master"
[peer]
local = "10.89.0.11"
address = "10.89.0.12"
key_file = "/etc/haagent/peer.key"
[log]
level = "info"
"""
EXTRA = """
[[check]]
kind = "tcp"
name = "sip"
target = "127.0.0.1:5060"
"""


def changed(old: str, new: str) -> list[str]:
    return require_live(load(GOOD), load(GOOD.replace(old, new)))


def test_the_same_file_changes_nothing() -> None:
    assert changed_keys(load(GOOD), load(GOOD)) == []


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("priority = 200", "priority = 100", "virtual_router[0].priority"),
        ('"10.88.0.100"', '"10.88.0.100", "10.88.0.101"', "virtual_router[0].vips"),
        ("vrid = 51", "vrid = 51\npreempt = true", "virtual_router[0].preempt"),
        ("[log]", '[announce]\nrefresh = "10s"\n[log]', "announce.refresh"),
        ('level = "info"', 'level = "debug"', "log.level"),
        ("[log]", EXTRA + "[log]", "check"),
    ],
)
def test_it_is_said_which_keys_have_changed(old: str, new: str, key: str) -> None:
    assert changed(old, new) == [key]


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ("vrid = 51", "vrid = 52", "virtual_router[0].vrid"),
        ('"sip"', '"voice"', "virtual_router"),
        ('strategy = "on-master"', 'strategy = "on-both"', "virtual_router[0].strategy"),
        ('node = "a"', 'node = "b"\nrun_dir = "/run/other"', "node, run_dir"),
        ('"1s"', '"2s"', "virtual_router[0].advert_interval"),
        ("10.89.0.12", "10.89.0.13", "peer.address"),
        ("[log]", '[log]\nformat = "json"', "log.format"),
    ],
)
def test_every_key_that_needs_a_restart_is_named(old: str, new: str, keys: str) -> None:
    with pytest.raises(ConfigError) as refused:
        changed(old, new)
    assert str(refused.value) == f"{keys}: cannot be changed while the agent runs; restart it"


def test_the_address_owner_is_made_by_a_restart() -> None:
    with pytest.raises(ConfigError, match=r"virtual_router\[0\].priority: 200 to 255"):
        changed("priority = 200", "priority = 255")


def test_vips_stay_where_the_other_node_would_drop_our_advertisements() -> None:
    old = GOOD.replace("vrid = 51", "vrid = 51\nversion = 2")
    with pytest.raises(ConfigError, match="vips_mismatch"):
        require_live(load(old), load(old.replace("0.100", "0.101")))


def test_vips_stay_under_iptables_whose_change_would_leave_a_gap() -> None:
    old = GOOD.replace("vrid = 51", 'vrid = 51\nrules = "iptables"\nlease = "off"')
    with pytest.raises(ConfigError, match="rules = 'iptables' cannot change without a gap"):
        require_live(load(old), load(old.replace("0.100", "0.101")))
