"""The example of the VRRP library takes part in an election with an agent, and its page tells the truth."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from haagent.lab.namespaces import stop
from haagent.lab.topology import VIP, Lan
from haagent.lab.watch import wait_until
from tests.kit.agent import Agent

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "docs/examples/virtual_router.py"


@pytest.fixture
def lan() -> Iterator[Lan]:
    with Lan() as made:
        yield made


@pytest.mark.root
def test_the_example_is_master_before_an_agent_until_it_is_killed(lan: Lan, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with said.open("wb") as out:
        argv = [sys.executable, str(EXAMPLE), "eth0", "10.88.0.11", "51", VIP, "200", "0.1"]
        example = lan.hosts["a"].spawn(argv, stdout=out, stderr=subprocess.STDOUT)
    try:
        assert wait_until(lambda: "BACKUP -> MASTER: master down timer" in said.read_text(), 30), (
            said.read_text()
        )
        with Agent(lan.hosts["b"], tmp_path / "b", priority=100, interval=0.1) as agent:
            assert wait_until(lambda: agent.counters().get("advertisements_received", 0) > 3, 30), agent.log()
            assert agent.role() == "BACKUP"
            example.kill()
            agent.wait_for("MASTER", timeout=30)
    finally:
        stop(example)


def test_what_the_page_shows_is_true() -> None:
    page = (ROOT / "docs/howto/use-the-vrrp-core.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(code, "use-the-vrrp-core.md", "exec"), {})


def test_the_example_is_typed_and_short() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(EXAMPLE)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    body = EXAMPLE.read_text().partition("def main")[2].partition("\n\n\nif ")[0]
    assert len([line for line in body.splitlines() if line.strip()]) <= 30
