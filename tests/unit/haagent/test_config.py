"""The configuration: what is wrong is named with key, value and limit."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_interface
from pathlib import Path

import pytest

from haagent.config import HostInterface, VirtualRouterConfig, check_against_host, load, parse_duration
from haagent.errors import ConfigError
from haagent.settings import node_settings

GOOD = """
node = "a"
[[virtual_router]]
name = "sip"
vrid = 51
interface = "eth0"
priority = 254
advert_interval = "100ms"
vips = ["10.88.0.100", "fd88::100"]
[peer]
local = "10.89.0.11"
address = "10.89.0.12"
key_file = "/etc/haagent/peer.key"
"""
SECOND = """
[[virtual_router]]
name = "two"
vrid = 52
interface = "eth0"
vips = ["10.88.0.101"]
"""
HOST = {
    "eth0": HostInterface(
        (ip_interface("10.88.0.11/24"), ip_interface("fd88::11/64"), ip_interface("fe80::1/64"))
    ),
    "eth1": HostInterface((ip_interface("10.89.0.11/24"),)),
}


def test_a_good_file_becomes_typed_values_with_defaults() -> None:
    config = load(GOOD)
    router = config.virtual_router[0]
    assert (router.advert_interval, router.lease, router.preempt, router.strategy) == (
        0.1,
        0.09,
        False,
        "on-master",
    )
    assert (router.checksum, router.rules, router.vips[1].ip.version) == ("rfc5798", "nftables", 6)
    assert config.peer is not None
    assert (config.peer.connects, config.peer.hello, config.peer.two_paths, config.peer.port) == (
        True,
        0.0,
        True,
        5405,
    )
    assert (config.core, config.log.format, config.run_dir) == (None, "console", "/run/haagent")


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("priority = 254", "priority = 300", r"virtual_router\[0\].priority: 300: .*255"),
        ("priority = 254", "priority = 0", r"virtual_router\[0\].priority: 0: .*>= 1"),
        ("vrid = 51", "vrid = 256", r"virtual_router\[0\].vrid: 256: .*255"),
        ("vrid = 51", "vrid = '51'", r"virtual_router\[0\].vrid: '51': expected `int`"),
        ("vrid = 51", "vird = 51", r"virtual_router\[0\].vird: unknown key; did you mean 'vrid'"),
        ("[peer]", "[pear]", "pear: unknown key; did you mean 'peer'"),
        ("key_file", "key_fil", "peer.key_fil: unknown key; did you mean 'key_file'"),
        ('"100ms"', '"5ms"', r"advert_interval: 5ms is not in 10ms..40950ms"),
        ('"100ms"', '"41s"', r"advert_interval: 41000ms is not in"),
        ('"100ms"', '"15ms"', "15ms is not a multiple of 10ms"),
        ('"100ms"', '"fast"', r"advert_interval: 'fast' is not a duration"),
        ('"100ms"', '"off"', r"advert_interval: 'off' is not a duration"),
        ('"100ms"', "true", "advert_interval: true"),
        ('node = "a"', 'node = "a"\nstartup_delay = "11m"', "startup_delay: 660s is more than 600s"),
        ('node = "a"', 'node = "a"\nstartup_delay = "soon"', "startup_delay: 'soon' is not a duration"),
        (
            "[peer]",
            '[announce]\nrepeats = ["1s", "200ms"]\n[peer]',
            r"announce.repeats\[1\]: 200ms is not in",
        ),
        (
            "[peer]",
            '[announce]\nrefresh = "10ms"\n[peer]',
            'announce.refresh: 10ms is not "off" or in 1s..1h',
        ),
        ("priority = 254", 'preempt_delay = "5s"', "preempt_delay: is for preempt = true"),
        ("priority = 254", 'preempt = true\npreempt_delay = "1h"', "preempt_delay: 3600s is more than"),
        ('"100ms"', '"1s"\nversion = 4', "version: .*4"),
        ('"100ms"', '"1500ms"\nversion = 2', r"advert_interval: 1500ms is not 1s..255s in whole seconds"),
        ('"100ms"', '"256s"\nversion = 2', r"advert_interval: 256000ms is not 1s..255s"),
        ('"100ms"', '"1s"\npassword_file = "x"', "password_file: only version 2 has a password"),
        ("priority = 254", 'unicast_peers = ["fd88::12"]', "unicast_peers: fd88::12 is not IPv4"),
        (
            "priority = 254",
            'unicast_peers = ["10.88.0.100"]',
            "unicast_peers: 10.88.0.100 is one of the VIPs",
        ),
        ("priority = 254", 'allow = ["10.0.0.1", "10.0.0.1"]', "allow: 10.0.0.1 stands there twice"),
        (
            "priority = 254",
            'allow = ["10.0.0.1"]\nunicast_peers = ["10.0.0.2"]',
            "allow: only the unicast_peers are listened to anyway",
        ),
        ("priority = 254", 'accept = false\nrules = "iptables"', "accept: false is there for rules"),
        (
            "priority = 254",
            'virtual_mac = "on"\nstrategy = "on-both"',
            "virtual_mac: 'on' is there for",
        ),
        (
            "priority = 254",
            'virtual_mac = "on"\nunicast_peers = ["10.0.0.2"]',
            "virtual_mac: 'on': unicast leaves from the interface's own MAC",
        ),
        ("priority = 254", "min_ttl = 64", "min_ttl: 64: only unicast_peers may be farther"),
        ("priority = 254", 'source = "10.88.0.11"', "source: only advertisements to unicast_peers"),
        ("10.88.0.100", "10.88.0", r"vips\[0\]: '10.88.0' does not appear to be"),
        ("10.88.0.100", "10.88.0.100/24", r"vips\[0\]: '10.88.0.100/24' does not appear"),
        ('"10.88.0.100", "fd88::100"', "", r"vips: .*length >= 1"),
        ('"10.88.0.100", "fd88::100"', '"fd88::100"', "vips: fd88::100: the first of an IPv6 .* link-local"),
        ('"10.88.0.100", "fd88::100"', '"10.88.0.1", "10.88.0.1"', "vips: 10.88.0.1 stands there twice"),
        ("10.89.0.12", "10.89.0.11", "peer.address: 10.89.0.11 is also peer.local"),
        ("10.89.0.12", "fd00::1", "not of the family of peer.local"),
        ("[peer]", '[peer]\nhello = "2s"', "peer.hello: 2000ms"),
        ("[peer]", '[api]\nlisten = "127.0.0.1"\n[peer]', "api.listen: '127.0.0.1' is not HOST:PORT"),
        ('node = "a"', 'node = "a b"', "node: 'a b'"),
        ("[[virtual_router]]", "[[virtual_router", "not TOML"),
        ("priority = 254", 'lease = "10ms"', 'lease: 10ms is not "off" or in 30ms'),
        ("priority = 254", 'strategy = "both"', r"virtual_router\[0\].strategy: "),
        ('key_file = "/etc/haagent/peer.key"', "", "peer: object missing required field `key_file`"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, text: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError, match=text):
        load(GOOD.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("vrid = 52", "vrid = 51", r"virtual_router\[1\].vrid: 51 is used twice on interface 'eth0'"),
        ('"two"', '"sip"', "'sip' is the name of an earlier"),
        ("10.88.0.101", "10.88.0.100", "10.88.0.100 stands there twice"),
    ],
)
def test_virtual_routers_may_not_clash(old: str, new: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        load(GOOD + SECOND.replace(old, new))


def test_the_same_vrid_on_two_interfaces_is_good() -> None:
    load(GOOD + SECOND.replace("vrid = 52", "vrid = 51").replace("eth0", "eth1"))


def test_a_file_that_fits_the_host_is_good() -> None:
    check_against_host(load(GOOD), HOST)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("eth0", "eth7", r"interface: 'eth7' is not an interface of this host \(eth0, eth1\)"),
        ("10.88.0.100", "10.99.0.1", r"vips: 10.99.0.1 is in no network of eth0 \(10.88.0.0/24, fd88::/64\)"),
        ("fd88::100", "fe80::100", "vips: fe80::100 is in no network"),
        (
            'local = "10.89.0.11"',
            'local = "10.89.0.10"',
            "peer.local: 10.89.0.10 is not an address of this host",
        ),
    ],
)
def test_what_does_not_fit_the_host_is_named(old: str, new: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        check_against_host(load(GOOD.replace(old, new)), HOST)


IPV6 = GOOD.replace('"10.88.0.100", "fd88::100"', '"fe80::51", "fd88::100"')


def test_addresses_of_ipv6_alone_are_an_ipv6_virtual_router_with_its_own_numbers() -> None:
    both = load(IPV6 + SECOND.replace("vrid = 52", "vrid = 51"))
    assert [router.family for router in both.virtual_router] == [6, 4]
    check_against_host(both, HOST)
    assert HOST["eth0"].source(6) == IPv6Address("fe80::1")
    with pytest.raises(ConfigError, match="'eth1' has no link-local IPv6 address to advertise from"):
        check_against_host(load(IPV6.replace("eth0", "eth1")), HOST)


def test_ipv6_unicast_beyond_the_link_needs_a_source() -> None:
    peers = IPV6.replace("priority = 254", 'unicast_peers = ["fd88::12"]')
    with pytest.raises(ConfigError, match="source: is needed"):
        load(peers)
    load(peers.replace("fd88::12", "fe80::12"))
    sourced = peers.replace("unicast_peers", 'source = "fd88::11"\nunicast_peers')
    check_against_host(load(sourced), HOST)
    with pytest.raises(ConfigError, match="source: fd88::19 is not an address of eth0"):
        check_against_host(load(sourced.replace("fd88::11", "fd88::19")), HOST)
    with pytest.raises(ConfigError, match="version: 2 is for IPv4"):
        load(IPV6.replace('"100ms"', '"1s"\nversion = 2'))


AUTH = """
[virtual_router.auth]
mode = "enforce"
keys = [{ id = 1, file = "/etc/haagent/1" }, { id = 2, file = "/etc/haagent/2" }]
send = 2
"""


def test_keys_of_signed_advertisements_have_ids_and_one_of_them_signs() -> None:
    signed = GOOD.replace("[peer]", AUTH + "[peer]")
    auth = load(signed).virtual_router[0].auth
    assert auth is not None
    assert (auth.mode, [key.id for key in auth.keys], auth.send, auth.replay) == (
        "enforce",
        [1, 2],
        2,
        "counter",
    )
    for old, new, text in (
        ("send = 2", "send = 3", r"auth.send: 3 is the id of none of the keys \(1, 2\)"),
        ("id = 2", "id = 1", r"auth.keys\[1\].id: 1 stands there twice"),
        ("id = 2", "id = 256", r"keys\[1\].id: 256: .*255"),
        ('"enforce"', '"strict"', "auth.mode: "),
        ("send =", "sent =", "auth.sent: unknown key; did you mean 'send'"),
    ):
        with pytest.raises(ConfigError, match=text):
            load(signed.replace(old, new, 1))


def test_an_interface_without_ipv4_cannot_advertise() -> None:
    only_vip = HostInterface((ip_interface("10.88.0.100/32"),))
    with pytest.raises(ConfigError, match="has no IPv4 address"):
        check_against_host(load(GOOD), {**HOST, "eth0": only_vip})


@pytest.mark.parametrize(
    ("text", "seconds"), [("100ms", 0.1), ("5s", 5.0), ("10m", 600.0), ("1h", 3600.0), (2, 2.0), (0.5, 0.5)]
)
def test_durations(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


def test_the_node_gets_the_values_that_it_needs() -> None:
    config = load(GOOD.replace("priority = 254", 'lease = "off"'))
    made = node_settings(config, {"sip": IPv4Address("10.88.0.11")}, b"key", {})
    assert (made.routers[0].lease, made.routers[0].address) == (None, int(IPv4Address("10.88.0.11")))
    assert made.peer is not None
    assert (made.peer.hello, made.has_core) == (None, False)


EXAMPLE = Path(__file__).parents[3] / "docs/examples/haagent.toml"


def test_the_example_is_good_and_names_every_key_of_a_virtual_router() -> None:
    text = EXAMPLE.read_text()
    load(text)
    shown = set(re.findall(r"^(?:# )?(\w+) = ", text, re.MULTILINE))
    assert set(VirtualRouterConfig.__struct_fields__) - {"auth"} <= shown
    assert "[virtual_router.auth]" in text
    signed = re.sub(r"^# (\[virtual_router.auth\]|mode|keys|send|replay)", r"\1", text, flags=re.MULTILINE)
    assert load(signed).virtual_router[0].auth is not None
