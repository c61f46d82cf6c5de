"""IO shell: what each process loads: the guard stays small, and only `run` loads scapy and pyroute2."""

import subprocess
import sys

import pytest


def loaded(code: str) -> set[str]:
    there = "{name.partition('.')[0] for name, module in sys.modules.items() if module}"
    script = f"import sys\n{code}\nprint(*sorted({there}))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split())


def test_guard_loads_no_library_but_msgspec() -> None:
    used = loaded(
        "import haagent.lean_guard\n"
        "sys.argv[1:] = ['-1']\n"
        "try: haagent.lean_guard.main()\n"
        "except (OSError, ValueError): assert 'haagent.guard' in sys.modules\n"
        "assert 'haagent.config' not in sys.modules"
    )
    ours = {"haagent", "netrules", "msgspec", "sitecustomize"}
    assert {name for name in used - set(sys.stdlib_module_names) - ours if name[0] != "_"} == set()
    assert "asyncio" not in used
    assert "logging" not in used


@pytest.mark.parametrize("command", ["status", "switchover", "failover", "history", "explain"])
def test_commands_load_neither_scapy_nor_pyroute2(command: str) -> None:
    used = loaded(
        "from haagent.cli import app\n"
        f"try: app(['{command}', '--socket', '/nowhere'])\n"
        "except SystemExit as end: assert end.code == 3, end.code"
    )
    assert used & {"scapy", "pyroute2", "aiohttp", "structlog"} == set()


def test_help_of_the_laboratory_is_loaded_on_demand() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "haagent", "lab", "--help"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0
    assert "demo" in result.stdout
