"""The `netrules` command as far as it needs no privilege."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from netrules.cli import app


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, words)
    return done.exit_code, done.output


def test_show_prints_what_would_be_applied_and_asks_no_privilege() -> None:
    code, said = run("show", "--vip", "10.88.0.100", "--vip", "fd88::100", "--strategy", "on-both", "--lease")
    assert code == 0
    for table in ("inet haagent_guard", "netdev haagent_hide", "netdev haagent_lease"):
        assert f"table {table}" in said
    assert "net.ipv6.ip_nonlocal_bind = 1" in said


def test_show_as_json_can_be_read_by_a_program() -> None:
    words = ("--vip", "10.88.0.100", "--strategy", "on-both", "--backend", "iptables", "--json")
    texts = json.loads(run("show", *words)[1])
    assert list(texts) == ["iptables", "arptables", "sysctl"]
    assert "-A HAAGENT-IN" in texts["iptables"]
    assert "-A HAAGENT-IN" not in json.loads(run("show", *words, "--role", "master")[1])["iptables"]


def test_show_with_a_role_says_how_it_flips() -> None:
    texts = json.loads(
        run("show", "--vip", "10.88.0.100", "--strategy", "on-both", "--role", "master", "--json")[1]
    )
    assert texts["nft as the master"] == "flush set netdev haagent_hide v4\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--vip", "10.88.0.300"), "'10.88.0.300' is not an IP address"),
        (("--vip", "10.88.0.1", "--vip", "10.88.0.1"), "10.88.0.1 is given twice"),
        (("--vip", "10.88.0.1", "--interface", "a/b"), "'a/b' is not an interface name"),
        (("--vip", "10.88.0.1", "--backend", "iptables", "--lease"), "no elements with a timeout"),
        (("--vip", "10.88.0.1", "--strategy", "nowhere"), "nowhere"),
        ((), "--vip"),
    ],
)
def test_wrong_input_is_named_and_exits_2(words: tuple[str, ...], said: str) -> None:
    code, output = run("show", *words)
    assert code == 2
    assert said in output


def test_the_command_loads_neither_scapy_nor_pyroute2() -> None:
    code = (
        "import sys, netrules.cli; print([m for m in ('scapy', 'pyroute2', 'haagent') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
