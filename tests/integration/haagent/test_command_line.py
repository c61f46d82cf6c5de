"""The command in a shell: completion in bash itself, and man pages as groff reads them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent


def completed(words: str) -> list[str]:
    """What bash offers after these words."""
    script = f"""
PATH={BIN}:$PATH; eval "$(haagent completion bash)"
COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_haagent_completion haagent; printf '%s\\n' "${{COMPREPLY[@]}}" """
    done = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_bash_completes_commands_and_options() -> None:
    assert completed("haagent sw") == ["switchover"]
    assert set(completed("haagent status --")) >= {"--watch", "--check", "--json", "--socket"}


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_a_script_and_an_unknown_one_is_refused(shell: str) -> None:
    argv = [sys.executable, "-m", "haagent", "completion"]
    assert "haagent" in subprocess.run([*argv, shell], capture_output=True, text=True, check=True).stdout
    assert subprocess.run([*argv, "csh"], capture_output=True, check=False).returncode == 2


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_reads_the_man_pages_without_a_warning(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "haagent.manpages", str(tmp_path)], cwd=ROOT, check=True)
    for page in tmp_path.iterdir():
        argv = ["groff", "-man", "-ww", "-Tutf8", str(page)]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        text = re.sub(".\x08", "", done.stdout)
        assert "EXIT STATUS" in text or "SEE ALSO" in text
