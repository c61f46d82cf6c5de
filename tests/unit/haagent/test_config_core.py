"""[core]: a table for each kind of SIP server."""

import pytest

from haagent.config import load
from haagent.config.core import CommandConfig, KamailioConfig, OpensipsConfig, SipcoreConfig
from haagent.errors import ConfigError

BASE = """
node = "a"
[[virtual_router]]
name = "sip"
vrid = 51
interface = "eth0"
vips = ["10.88.0.100"]
[core]
"""


def test_sipcore_is_the_kind_that_need_not_be_named() -> None:
    assert load(BASE).core == SipcoreConfig(control="/run/sipcore/control.sock")


def test_each_kind_has_defaults_that_fit_debian_s_packages() -> None:
    kamailio = load(BASE + 'kind = "kamailio"').core
    assert isinstance(kamailio, KamailioConfig)
    assert kamailio.rpc == "unix:/run/kamailio/kamailio_rpc.sock"
    assert kamailio.on_master == (("pv.shvSet", "haagent_master", "int", 1),)
    opensips = load(BASE + 'kind = "opensips"').core
    assert isinstance(opensips, OpensipsConfig)
    assert (opensips.mi, opensips.tag) == ("http://127.0.0.1:8888/mi", "vip/1")
    command = load(BASE + 'kind = "command"\non_role = ["/x"]').core
    assert isinstance(command, CommandConfig)
    assert (command.poll, command.timeout) == (1.0, 5.0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('kind = "kamalio"', "core.kind: invalid value 'kamalio'; did you mean 'kamailio'?"),
        ('kind = "kamailio"\nrpc = "run/k.sock"', "core.rpc: 'run/k.sock' is not unix:/PATH or http://HOST"),
        ('kind = "kamailio"\npol = "1s"', "core.pol: unknown key; did you mean 'poll'?"),
        ('kind = "kamailio"\npoll = "1ms"', "core.poll: 1ms is not in 50ms..60s"),
        ('kind = "kamailio"\non_master = [[1, 2]]', "core.on_master[0]: 1 is not the name of a method"),
        ('kind = "opensips"\ntag = "vip"', "core.tag: 'vip': expected `str` matching regex"),
        (
            'kind = "opensips"\nmi = "127.0.0.1:8888"',
            "core.mi: '127.0.0.1:8888' is not http://HOST:PORT/PATH",
        ),
        ('kind = "command"\non_role = ["role"]', "core.on_role: 'role' is not an absolute path"),
        ('kind = "command"', "core: object missing required field `on_role`"),
    ],
)
def test_what_is_wrong_is_named(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(BASE + text)
    assert str(refused.value).startswith(problem)
