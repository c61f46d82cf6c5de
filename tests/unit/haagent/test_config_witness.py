"""[witness]: what is refused, and why."""

import pytest

from haagent.config import load
from haagent.errors import ConfigError

BASE = """
node = "a"
[[virtual_router]]
name = "sip"
vrid = 51
interface = "eth0"
priority = 254
vips = ["192.0.2.100"]
[witness]
url = "redis://198.51.100.30"
name = "sip"
"""


def test_the_defaults_let_a_lone_node_decide() -> None:
    witness = load(BASE).witness
    assert witness is not None
    assert (witness.lease, witness.timeout, witness.when_away) == (1.0, 0.1, "decide-alone")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ('lease = "100ms"', "witness.lease: 100ms is not in 200ms..60000ms"),
        (
            'timeout = "500ms"',
            "witness.timeout: 500ms is not in 5ms..333.333ms",
        ),
        ('when_away = "panic"', "witness.when_away: .*'panic'"),
        ('lesae = "1s"', "witness.lesae: unknown key; did you mean 'lease'?"),
    ],
)
def test_a_wrong_value_is_named_with_its_limit(line: str, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        load(BASE + line)


def test_another_scheme_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"witness\.url: 'http' is none of redis, rediss, unix"):
        load(BASE.replace("redis:", "http:"))
