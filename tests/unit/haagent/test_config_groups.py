"""[[group]]: what is wrong is named, and each group's agent sees its own part of the file alone."""

import re

import pytest

from haagent.config import load, of_group, vips_of_others
from haagent.config.reload import require_live
from haagent.errors import ConfigError

FILE = """
node = "a"
run_dir = "/run/haagent"
[[virtual_router]]
name = "sip"
vrid = 51
interface = "eth0"
vips = ["10.88.0.100"]
[[virtual_router]]
name = "web"
group = "web"
vrid = 52
interface = "eth0"
vips = ["10.88.0.101"]
[[virtual_router]]
name = "dns"
group = "dns"
vrid = 53
interface = "eth1"
vips = ["10.88.0.102"]
[[group]]
name = "web"
[[group]]
name = "dns"
port = 6000
listen = "127.0.0.1:9407"
[peer]
local = "10.89.0.11"
address = "10.89.0.12"
key_file = "/etc/haagent/peer.key"
[core]
[api]
listen = "127.0.0.1:9405"
[hooks]
fifo = "/run/haagent/events"
fifo_command = ["/bin/cat"]
[[check]]
kind = "interface"
name = "all"
interface = "eth0"
[[check]]
kind = "interface"
name = "web-only"
interface = "eth1"
routers = ["web"]
[[hook]]
name = "both"
command = ["/bin/true"]
routers = ["sip", "dns"]
"""


def test_the_own_group_has_the_core_and_the_routers_that_name_no_group() -> None:
    own = of_group(load(FILE), "")
    assert [router.name for router in own.virtual_router] == ["sip"]
    assert own.core is not None
    assert [group.name for group in own.group] == ["web", "dns"]
    assert [check.name for check in own.check] == ["all"]
    assert own.hooks.fifo_command == ("/bin/cat",)


def test_another_group_has_files_ports_checks_and_hooks_of_its_own_and_no_core() -> None:
    config = load(FILE)
    web, dns = of_group(config, "web"), of_group(config, "dns")
    assert [router.name for router in web.virtual_router] == ["web"]
    assert (web.core, web.api, web.group) == (None, None, ())
    assert (web.run_dir, web.state_dir) == ("/run/haagent/web", "/var/lib/haagent/web")
    assert web.peer is not None
    assert dns.peer is not None
    assert (web.peer.port, dns.peer.port) == (5406, 6000)
    assert dns.api is not None
    assert dns.api.listen == "127.0.0.1:9407"
    assert [check.name for check in web.check] == ["all", "web-only"]
    assert [check.name for check in dns.check] == ["all"]
    assert [(hook.name, hook.routers) for hook in dns.hook] == [("both", ("dns",))]
    assert web.hook == ()
    assert dns.hooks.fifo_command == ()


def test_the_addresses_of_the_other_groups_are_no_leftovers() -> None:
    assert vips_of_others(load(FILE), "web") == {"10.88.0.100", "10.88.0.102"}


def test_a_group_that_is_not_in_the_file_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"group: 'mail' is not in the file \(web, dns\)"):
        of_group(load(FILE), "mail")


def test_a_group_that_comes_or_goes_needs_a_restart() -> None:
    before = of_group(load(FILE), "")
    after = of_group(load(FILE.replace("port = 6000", "port = 6001")), "")
    with pytest.raises(ConfigError, match="group: cannot be changed while the agent runs"):
        require_live(before, after)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('group = "web"', 'group = "wbe"', r"virtual_router\[1\].group: 'wbe' is no group \(web, dns\)"),
        ('name = "sip"', 'name = "sip"\ngroup = "web"', "virtual_router: all are in a"),
        ('name = "sip"', 'name = "sip"\nrules = "iptables"\nlease = "off"', "are there for 'nftables' alone"),
        ("[peer]", '[[group]]\nname = "web"\n[peer]', r"group\[2\].name: 'web' is the name of an earlier"),
        ("port = 6000", "port = 5405", r"group\[1\].port: 5405 is in use"),
        ("port = 6000", "port = 5406", r"group\[1\].port: 5406 is in use"),
        ("127.0.0.1:9407", "127.0.0.1:9405", r"group\[1\].listen: 127.0.0.1:9405 is in use"),
        ('[[group]]\nname = "web"', '[[group]]\nname = "../web"', r"group\[0\].name"),
        ("[peer]", '[[group]]\nname = "x"\n[peer]', "no virtual router is in group 'x'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_group_is_named(old: str, new: str, problem: str) -> None:
    assert old in FILE
    with pytest.raises(ConfigError, match=problem):
        load(FILE.replace(old, new, 1) if "name = " in old else re.sub(re.escape(old), new, FILE))
