"""sipcore.toml: what is accepted, and that what is wrong is named with key, value and limit."""

import pytest

from sipcore.config import parse_config
from sipcore.errors import ConfigError

GOOD = """\
node = "a"
domains = ["example.test"]
run_dir = "/run/sipcore"
standalone = false
[[listen]]
address = "10.88.0.100"
port = 5060
transport = "udp"
[auth]
realm = "example.test"
users_file = "/etc/sipcore/users"
secret_file = "/etc/sipcore/nonce.key"
[registrar]
min_expires = "60s"
max_expires = "1h"
default_expires = "1h"
max_contacts = 10
[proxy]
timer_c = "180s"
no_answer = 30
max_branches = 16
[dialog]
lifetime = "12h"
[replication]
listen = "10.89.0.11:5070"
peers = ["[fd89::12]:5070"]
key_file = "/etc/sipcore/replication.key"
semi_sync = "on"
budget = "5ms"
compress = ["[fd89::12]:5070"]
[log]
format = "console"
level = "info"
"""


def test_every_key_of_the_file_is_read() -> None:
    config = parse_config(GOOD)
    assert (config.node, config.domains, config.listen[0].address) == ("a", ("example.test",), "10.88.0.100")
    assert (config.proxy.timer_c, config.proxy.no_answer, config.dialog.lifetime) == (180.0, 30.0, 43200.0)
    assert config.replication is not None
    assert config.replication.budget == 0.005
    assert config.replication.peers[0].pair == ("fd89::12", 5070)
    assert config.replication.compress == config.replication.peers


def test_what_is_left_out_has_a_default() -> None:
    head, _, _ = GOOD.partition("[registrar]")
    config = parse_config(head)
    assert (config.registrar.max_contacts, config.replication, config.log.level) == (10, None, "info")


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("port = 5060", "port = 70000", ["listen[0].port", "70000", "65535"]),
        ('realm = "', 'realn = "', ["auth.realn", "did you mean auth.realm?"]),
        ("[log]", "[lob]", ["lob", "did you mean log?"]),
        ("[log]", "[zzz]", ["zzz", "known are node, domains"]),
        ('domains = ["example.test"]', "", ["domains: missing"]),
        ('domains = ["example.test"]', "domains = []", ["domains", "[]", ">= 1"]),
        ('domains = ["example.test"]', 'domains = ["a b"]', ["domains[0]", "a b"]),
        ('min_expires = "60s"', 'min_expires = "2x"', ["registrar.min_expires", "'2x'", '"100ms"']),
        ('min_expires = "60s"', "min_expires = true", ["registrar.min_expires", "True"]),
        ('default_expires = "1h"', 'default_expires = "30s"', ["registrar.default_expires", "60s..3600s"]),
        ("max_contacts = 10", "max_contacts = 1000", ["registrar.max_contacts", "1000", "100"]),
        ('timer_c = "180s"', 'timer_c = "2h"', ["proxy.timer_c", "7200s", "1s..3600s"]),
        ('budget = "5ms"', 'budget = "5s"', ["replication.budget", "5s", "0.001s..1s"]),
        ('semi_sync = "on"', 'semi_sync = "maybe"', ["replication.semi_sync", "'maybe'", "'strict'"]),
        ('"[fd89::12]:5070"', '"host:1"', ["replication.peers[0]", "'host:1'"]),
        ('"[fd89::12]:5070"', '"10.0.0.1:70000"', ["replication.peers[0]", "1..65535"]),
        ('"[fd89::12]:5070"', '"10.89.0.11:5070"', ["replication.peers", "this node itself"]),
        ('node = "a"', 'node = "a/b"', ["node", "'a/b'"]),
        (
            'compress = ["[fd89::12]:5070"]',
            'compress = ["10.0.0.9:5070"]',
            ["replication.compress", "'10.0.0.9:5070'", "not one of replication.peers"],
        ),
        ("standalone = false", "standalone = 3", ["standalone", "3", "bool"]),
        ('address = "10.88.0.100"', 'address = "eth0"', ["listen[0].address", "'eth0'"]),
        ('address = "10.88.0.100"', 'address = "0.0.0.0"', ["listen[0].address", "VIP"]),
        ("[auth]", '[[listen]]\naddress = "10.88.0.100"\n[auth]', ["listen[1].address", "twice"]),
        (
            "[log]",
            '[resolver]\nmin_ttl = "50m"\nmax_ttl = "5m"\n[log]',
            ["resolver.min_ttl", "3000s"],
        ),
        ("[log]", '[resolver]\nnameservers = ["ns1"]\n[log]', ["resolver.nameservers[0]", "'ns1'"]),
        ("[auth]", "[auth", ["not a TOML file"]),
    ],
)
def test_what_is_wrong_is_named(right: str, wrong: str, said: list[str]) -> None:
    assert right in GOOD
    with pytest.raises(ConfigError) as error:
        parse_config(GOOD.replace(right, wrong, 1))
    for words in said:
        assert words in str(error.value)


TLS = GOOD.replace('transport = "udp"', 'transport = "tls"\ncertificate = "c.pem"\nkey = "k.pem"')


def test_a_listener_without_a_port_has_that_of_its_transport() -> None:
    for transport, port in (("udp", 5060), ("tcp", 5060), ("ws", 80)):
        text = GOOD.replace('port = 5060\ntransport = "udp"', f'transport = "{transport}"')
        assert parse_config(text).listen[0].port == port
    assert parse_config(TLS.replace("port = 5060\n", "")).listen[0].port == 5061


def test_udp_and_tcp_may_share_an_address_and_two_streams_may_not() -> None:
    more = '[[listen]]\naddress = "10.88.0.100"\ntransport = "tcp"\n'
    assert len(parse_config(GOOD.replace("[auth]", more + "[auth]")).listen) == 2
    with pytest.raises(ConfigError, match="is there twice"):
        parse_config(GOOD.replace("[auth]", more + more.replace("tcp", "ws") + "port = 5060\n[auth]"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TLS.replace('key = "k.pem"', ""), "listen[0].key: missing; tls needs one"),
        (
            TLS.replace("[auth]", 'verify_client = "required"\n[auth]'),
            "listen[0].client_ca: missing; verify_client is 'required'",
        ),
        (
            GOOD.replace("[auth]", 'certificate = "c.pem"\n[auth]'),
            "listen[0].certificate: 'c.pem' means nothing to udp",
        ),
        (GOOD + '[bans]\nallow = ["10.0.0.1/8"]\n', "bans.allow[0]: '10.0.0.1/8' is not a network"),
        (GOOD + '[tls]\nkey = "k.pem"\n', "tls.certificate: missing"),
        (GOOD + "[pike]\nreqs_density_per_unit = 0\n", "pike.reqs_density_per_unit: 0"),
        (
            GOOD + '[[cachedb]]\nurl = "redis:x://192.0.2.1/0"\nreplicate = true\n',
            "cachedb[0].replicate: true is for local: stores; all nodes ask redis:x itself",
        ),
        (GOOD + '[pike]\nremove_latency = "1ms"\n', "pike.remove_latency: 0.001s is not in 1s..86400s"),
    ],
)
def test_what_sockets_and_limits_cannot_have_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert said in str(caught.value)
