"""The config files that the laboratory writes."""

import stat
import tomllib
from pathlib import Path

from haagent.config import load
from haagent.lab.pair import Settings, user_of, write_configs
from sipcore.config import parse_config

USERS = (("alice", "secret"),)


def test_configs_of_both_nodes_differ_in_name_priority_and_addresses_only(tmp_path: Path) -> None:
    write_configs(tmp_path, Settings("on-both", 0.01, USERS))
    a, b = (tomllib.loads((tmp_path / node / "haagent.toml").read_text()) for node in "ab")
    assert (a["peer"]["local"], a["peer"]["address"]) == (b["peer"]["address"], b["peer"]["local"])
    router_a, router_b = a["virtual_router"][0], b["virtual_router"][0]
    assert (router_a.pop("priority"), router_b.pop("priority")) == (254, 253)
    assert router_a == router_b
    assert (router_a["strategy"], router_a["advert_interval"]) == ("on-both", "10ms")


def test_both_daemons_accept_the_configs(tmp_path: Path) -> None:
    write_configs(tmp_path, Settings("on-both", 1.0, USERS))
    assert load((tmp_path / "b" / "haagent.toml").read_text()).node == "b"
    assert parse_config((tmp_path / "b" / "sipcore.toml").read_text()).node == "b"


def test_users_file_holds_no_password(tmp_path: Path) -> None:
    write_configs(tmp_path, Settings(users=USERS))
    # HA1 of alice:example.test:secret, RFC 7616 section 3.4.2
    assert (
        tmp_path / "shared" / "users"
    ).read_text() == "alice:example.test:4842575394a190ef4c973253ba19099c\n"


def test_keys_are_for_the_owner_alone(tmp_path: Path) -> None:
    write_configs(tmp_path, Settings(users=USERS))
    for path in (tmp_path / "shared").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_user_of_an_address_of_record() -> None:
    assert user_of("sip:alice@example.test") == "alice"
    assert user_of("alice@example.test") == "alice"
