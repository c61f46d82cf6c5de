"""The [[check]] tables: what is wrong is named with key, value and limit, and the right key is suggested."""

from pathlib import Path

import pytest

from haagent.config import load
from haagent.config.checks import KINDS, SipOptionsCheck, runs_when
from haagent.errors import ConfigError

BASE = """
node = "a"
[[virtual_router]]
name = "sip"
vrid = 51
interface = "eth0"
priority = 254
vips = ["10.88.0.100"]
"""
PEER = """
[peer]
local = "10.89.0.11"
address = "10.89.0.12"
key_file = "/etc/haagent/peer.key"
"""
CHECK = """
[[check]]
name = "c"
"""


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('kind = "tpc"', "check[0].kind: invalid value 'tpc'; did you mean 'tcp'?"),
        ('kind = "tcp"\ntarget = "1.2.3.4:5"\nfal = 3', "check[0].fal: unknown key; did you mean 'fall'?"),
        ('kind = "tcp"\ntarget = "sip.example.org"', "check[0].target: 'sip.example.org' is not HOST:PORT"),
        ('kind = "redis"\ninterval = "1ms"', "check[0].interval: 1ms is not in 20ms..1h"),
        ('kind = "redis"\ntimeout = "2m"', "check[0].timeout: 120000ms is not in 10ms..60s"),
        ('kind = "redis"\nweight = 254', "check[0].weight: 254: expected `int` <= 253"),
        ('kind = "redis"\nrouters = ["sap"]', "check[0].routers: 'sap' is no virtual router (sip)"),
        (
            'kind = "redis"\nwindow = 5\nwindow_failures = 6',
            "check[0].window_failures: 6 of 5 results cannot be",
        ),
        (
            'kind = "redis"\nwindow = 5',
            "check[0].window: it needs window_failures beside it, such as window = 5, window_failures = 3",
        ),
        ('kind = "redis"\nurl = "localhost"', "check[0].url: 'localhost' is no URL of redis, rediss, unix"),
        ('kind = "http"\nurl = "http:///x"', "check[0].url: 'http:///x' is no URL of http, https"),
        ('kind = "process"', "check[0]: exactly one of program and pidfile is needed"),
        (
            'kind = "script"\ncommand = ["check.sh"]',
            "check[0].command: 'check.sh' is not an absolute path",
        ),
        (
            'kind = "file"\npath = "/run/weight"\nweigh_content = true',
            "check[0].weight: 0 times the content is 0; take 1 to add the number as it is",
        ),
        (
            'kind = "gateway"\naddress = "fe80::1"\ninterface = "eth0"',
            'check[0].by: an IPv6 gateway is asked by "icmp"',
        ),
        (
            'kind = "route"\ndestination = "10.0.0.1/8"',
            'check[0].destination: 10.0.0.1/8 has host bits set (or "default", "default6")',
        ),
    ],
)
def test_a_wrong_table_is_named_with_key_and_limit(table: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(BASE + PEER + CHECK + table)
    assert str(raised.value) == message


def test_a_weight_that_can_never_move_the_vips_is_an_error() -> None:
    weighed = 'kind = "redis"\nweight = -20'
    with pytest.raises(ConfigError) as alone:
        load(BASE + CHECK + weighed)
    never = "sip has preempt = false and there is no [peer]"
    assert str(alone.value) == f"check[0].weight: -20 can never move the VIPs: {never}"
    with pytest.raises(ConfigError, match="address owner"):
        load(BASE.replace("254", "255") + PEER + CHECK + weighed)
    assert load(BASE + PEER + CHECK + weighed).check[0].weight == -20


def test_a_check_that_asks_a_vip_runs_on_the_master_only_unless_told_otherwise() -> None:
    table = 'kind = "sip-options"\ntarget = "{host}:5060"\n'
    found = []
    for host, when in (("10.88.0.100", ""), ("127.0.0.1", ""), ("10.88.0.100", 'when = "always"')):
        config = load(BASE + PEER + CHECK + table.format(host=host) + when)
        assert isinstance(config.check[0], SipOptionsCheck)
        found.append(runs_when(config.check[0], config.virtual_router))
    assert found == ["master", "always", "always"]


def test_the_example_and_the_reference_know_every_kind() -> None:
    docs = Path(__file__).parents[3] / "docs"
    example = load((docs / "examples" / "haagent.toml").read_text())
    assert {str(check.__struct_config__.tag) for check in example.check} == set(KINDS)
    reference = (docs / "reference" / "health.md").read_text()
    for check in example.check:
        assert f"`{check.__struct_config__.tag}`" in reference
        for key in check.__struct_fields__:
            assert f"`{key}`" in reference, key
