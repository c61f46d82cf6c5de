"""IO shell: starts an operator's program as an ordinary user, without a shell, in a process group of its own.

A file that others could have changed is not started. Of the agent's capabilities the program gets none: as
root it becomes another user; else the ambient ones are dropped (a service's AmbientCapabilities=).
"""

import asyncio
import os
import pwd
import signal
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from haagent.errors import HostError

CANNOT_RUN, NOT_FOUND = 126, 127
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"}
WITHOUT_AMBIENT = ("/usr/bin/setpriv", "--ambient-caps=-all", "--")
_STDERR = 2


async def start(
    command: Sequence[str],
    user: str,
    *,
    extra: Mapping[str, str] | None = None,
    said: bool = False,
) -> asyncio.subprocess.Process:
    """Start it, with `extra` in its environment; `said`: what it prints goes to our standard error.

    No user: nobody, when the agent is root, else the agent's own.
    Raises HostError with the reason when it cannot be started.
    """
    output = _STDERR if said else asyncio.subprocess.DEVNULL
    try:
        account = _account(user)
        if not _is_safe(Path(command[0]), account.pw_uid):
            raise HostError(f"{command[0]} is not safe: others may write to it")
        change = os.geteuid() == 0
        return await asyncio.create_subprocess_exec(
            *(() if change else WITHOUT_AMBIENT),
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
            env={**ENVIRONMENT, **(extra or {})},
            user=account.pw_uid if change else None,
            group=account.pw_gid if change else None,
            extra_groups=[] if change else None,
        )
    except OSError as error:
        raise HostError(f"{command[0]} cannot be started: {error.strerror}") from error


def kill_group(process: asyncio.subprocess.Process, number: signal.Signals = signal.SIGKILL) -> None:
    """End it with everything that it has started and that has stayed in its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def explain_exit(code: int) -> str:
    """An exit code in words."""
    if code < 0:
        return f"ended by signal {signal.Signals(-code).name}"
    meaning = {CANNOT_RUN: " (cannot be run)", NOT_FOUND: " (not found)"}.get(code, "")
    return f"exit code {code}{meaning}"


def _account(user: str) -> pwd.struct_passwd:
    """The user to become; only root can become another one."""
    own = os.geteuid()
    try:
        account = pwd.getpwnam(user or "nobody") if user or own == 0 else pwd.getpwuid(own)
    except KeyError as error:
        raise HostError(f"there is no user {user or own!r}") from error
    if own not in (0, account.pw_uid):
        raise HostError(f"this agent (uid {own}) is not root and cannot become the user {user!r}")
    return account


def _is_safe(path: Path, uid: int) -> bool:
    """Whether only root, or the user as whom it runs, can change the program."""
    found = path.stat()
    return found.st_uid in (0, uid) and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
