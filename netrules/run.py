"""IO shell: runs a tool with a time limit; what goes wrong comes back as one typed error."""

import subprocess
from pathlib import Path

from netrules.errors import MissingPrivilegeError, RulesError

TIME_LIMIT = 5.0
CAP_NET_ADMIN = 12  # linux/capability.h


def require_net_admin() -> None:
    """MissingPrivilegeError when this thread may not change packet rules."""
    for line in Path("/proc/thread-self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff" and not int(value, 16) >> CAP_NET_ADMIN & 1:
            raise MissingPrivilegeError("CAP_NET_ADMIN is missing: packet rules need it; run as root")


def run(argv: list[str], *, text: str = "", seconds: float = TIME_LIMIT) -> str:
    """Standard output of the tool; RulesError with its own words when it fails, is missing or hangs."""
    try:
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=seconds, check=False)
    except FileNotFoundError as error:
        raise RulesError(f"{argv[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise RulesError(f"{' '.join(argv)} has not ended after {seconds:g} s") from error
    if done.returncode != 0:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        if "Permission denied" in said or "must be root" in said or "Operation not permitted" in said:
            raise MissingPrivilegeError(f"{argv[0]} needs CAP_NET_ADMIN: {said.splitlines()[0]}")
        raise RulesError(f"{' '.join(argv)}: {said}")
    return done.stdout
