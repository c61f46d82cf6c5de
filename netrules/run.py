"""IO shell: runs a tool with a time limit; what goes wrong comes back as one typed error."""

import subprocess

from netrules.errors import MissingPrivilegeError, RulesError

TIME_LIMIT = 5.0


def run(argv: list[str], *, text: str = "") -> str:
    """Standard output of the tool; RulesError with its own words when it fails, is missing or hangs."""
    try:
        done = subprocess.run(
            argv, input=text, capture_output=True, text=True, timeout=TIME_LIMIT, check=False
        )
    except FileNotFoundError as error:
        raise RulesError(f"{argv[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise RulesError(f"{' '.join(argv)} has not ended after {TIME_LIMIT:g} s") from error
    if done.returncode != 0:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        if "Permission denied" in said or "must be root" in said or "Operation not permitted" in said:
            raise MissingPrivilegeError(f"{argv[0]} needs CAP_NET_ADMIN: {said.splitlines()[0]}")
        raise RulesError(f"{' '.join(argv)}: {said}")
    return done.stdout
