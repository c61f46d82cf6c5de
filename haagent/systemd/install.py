"""IO shell: writes the unit files onto a host (or below the root of an image), and takes them away."""

import subprocess
from pathlib import Path

from haagent.errors import HostError
from haagent.systemd.files import SERVICES, files

RUNNING = Path("/run/systemd/system")  # sd_booted(3)
_SECONDS = 60.0


def install(root: Path, bin_dir: Path) -> list[Path]:
    """Write what differs; the files that were written. Users and directories are made at once."""
    written = []
    for name, text in files(bin_dir).items():
        path = root / name.lstrip("/")
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
        written.append(path)
    below = [] if root == Path("/") else [f"--root={root}"]
    _run("systemd-sysusers", *below, "haagent.conf")
    _run("systemd-tmpfiles", *below, "--create", "haagent.conf")
    if not below and RUNNING.is_dir():
        _run("systemctl", "daemon-reload")
    return written


def remove(root: Path, bin_dir: Path) -> list[Path]:
    """Stop and disable the services, then take the files away; users, configuration and state stay."""
    here = root == Path("/") and RUNNING.is_dir()
    paths = [root / name.lstrip("/") for name in files(bin_dir)]
    present = [path for path in paths if path.exists()]
    services = [path.name for path in present if path.name in SERVICES]
    if here and services:
        _run("systemctl", "disable", "--now", *services)
    for path in present:
        path.unlink()
    if here:
        _run("systemctl", "daemon-reload")
    return present


def _run(*argv: str) -> None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"{argv[0]}: {error}") from error
    if done.returncode:
        raise HostError(f"{' '.join(argv)}: {done.stderr.strip() or f'exit code {done.returncode}'}")
