"""The table [bin] of sipcore.toml."""

import pytest

from sipcore.config import parse_config
from sipcore.errors import ConfigError
from tests.unit.sipcore.test_config import GOOD

BIN = """\
[bin]
listen = "10.89.0.11:5080"
replicate_contacts_to = ["10.89.0.21:5080"]
accept_replicated_contacts = true
"""


def test_bin_is_off_when_the_file_does_not_name_it() -> None:
    assert parse_config(GOOD).bin is None


def test_those_who_are_told_may_tell() -> None:
    table = parse_config(GOOD + BIN).bin
    assert table is not None
    assert table.sources == {"10.89.0.21"}
    table = parse_config(GOOD + BIN + 'accept_from = ["fd89:0::1"]\n').bin
    assert table is not None
    assert table.sources == {"fd89::1"}


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('"10.89.0.21:5080"', '"10.89.0.11:5080"', ["bin.replicate_contacts_to", "this node itself"]),
        ('["10.89.0.21:5080"]', "[]", ["bin.accept_from: missing"]),
        ('replicate_contacts_to = ["10.89.0.21:5080"]\naccept_replicated_contacts = true', "", ["neither"]),
        ("accept_replicated_contacts = true", 'accept_from = ["x"]', ["bin.accept_from[0]", "'x'"]),
        ("accept_replicated_contacts", "accept_replicated_contact", ["did you mean", "contacts"]),
    ],
)
def test_what_is_wrong_with_it_is_named(right: str, wrong: str, said: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(GOOD + BIN.replace(right, wrong))
    for words in said:
        assert words in str(caught.value)


def test_two_domains_need_use_domain() -> None:
    text = GOOD.replace('["example.test"]', '["example.test", "b.test"]') + BIN
    with pytest.raises(ConfigError, match=r"bin.use_domain: false, but there are 2 domains"):
        parse_config(text)
    assert parse_config(text + "use_domain = true\n").bin is not None
