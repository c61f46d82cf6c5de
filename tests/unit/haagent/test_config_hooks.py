"""[hooks], [[hook]] and [[webhook]]: what is wrong is named with key, value and limit."""

import pytest

from haagent.config import load
from haagent.errors import ConfigError

BASE = """
node = "a"
[[virtual_router]]
name = "sip"
vrid = 51
interface = "eth0"
vips = ["10.88.0.100"]
"""
HOOK = '[[hook]]\nname = "page"\ncommand = ["/etc/haagent/notify"]\n'
WEBHOOK = '[[webhook]]\nname = "ops"\nurl = "https://ops.example.test/ha"\n'


def test_scripts_and_webhooks_have_safe_defaults() -> None:
    config = load(BASE + HOOK + WEBHOOK)
    assert config.hook[0].states == ("MASTER", "BACKUP", "FAULT", "STOP")
    assert (config.hook[0].of, config.hook[0].timeout, config.hooks.user) == ("instance", 30.0, "")
    assert (config.webhook[0].timeout, config.webhook[0].attempts) == (5.0, 5)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (HOOK.replace("/etc/haagent/notify", "notify"), "hook[0].command: 'notify' is not an absolute path"),
        (HOOK + 'states = ["MASTR"]', "hook[0].states[0]: invalid enum value 'MASTR'"),
        (HOOK + 'timeout = "1h"', "hook[0].timeout: 3.6e+06ms is not in 100ms..10m"),
        (HOOK + 'routers = ["sipp"]', "hook[0].routers: 'sipp' is no virtual router (sip)"),
        (HOOK + HOOK, "hook[1].name: 'page' is the name of an earlier hook"),
        (HOOK + WEBHOOK.replace("ops", "page"), "webhook[0].name: 'page' is the name of an earlier hook"),
        (HOOK + "state = []", "hook[0].state: unknown key; did you mean 'states'?"),
        (WEBHOOK.replace("https", "ftp"), "webhook[0].url: 'ftp://ops.example.test/ha' is no URL of http"),
        (WEBHOOK + "attempts = 0", "webhook[0].attempts: 0: expected `int` >= 1"),
        ('[hooks]\nfifo = "run/x"', "hooks.fifo: 'run/x' is not an absolute path"),
        ('[hooks]\nfifo_command = ["/x"]', "hooks.fifo_command: it needs hooks.fifo"),
    ],
)
def test_what_is_wrong_is_named(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(BASE + text)
    assert str(refused.value).startswith(problem)
