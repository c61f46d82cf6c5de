"""keepalived.conf that keepalived itself accepts is converted by the command, and passes haagent's check."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.haagent.keepalived.test_convert import HOOKS, SIP, TWO

HAAGENT = [sys.executable, "-m", "haagent"]


@pytest.mark.interop
@pytest.mark.parametrize("text", [SIP, TWO, HOOKS], ids=["sip", "two", "hooks"])
def test_what_keepalived_accepts_is_converted_and_passes_the_check(tmp_path: Path, text: str) -> None:
    conf = tmp_path / "keepalived.conf"
    conf.write_text(text)
    said = subprocess.run(["keepalived", "-t", "-f", str(conf)], capture_output=True, text=True, check=False)
    assert "Unknown keyword" not in said.stderr + said.stdout
    done = subprocess.run([*HAAGENT, "convert", str(conf)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{conf}:" in done.stderr
    (tmp_path / "haagent.toml").write_text(done.stdout)
    checked = subprocess.run([*HAAGENT, "check", str(tmp_path / "haagent.toml")], check=False)
    assert checked.returncode == 0


@pytest.mark.interop
def test_a_file_that_cannot_be_read_or_holds_no_instance_has_its_exit_code(tmp_path: Path) -> None:
    conf = tmp_path / "keepalived.conf"
    for text, code, reason in (("a {", 2, ":1: a: its brace"), ("global_defs { }", 1, "no vrrp_instance")):
        conf.write_text(text)
        done = subprocess.run([*HAAGENT, "convert", str(conf)], capture_output=True, text=True, check=False)
        assert (done.returncode, reason in done.stderr) == (code, True), done.stderr
