"""IO shell: the process of the SIP core: its config, its log, its lock, its loop."""

import asyncio
import fcntl
import os
import resource
import sys
from pathlib import Path
from typing import IO

from sipcore import logs
from sipcore.errors import ConfigError
from sipcore.files import load_config
from sipcore.server.server import Server

WRONG_USAGE = 2


def main(path: Path) -> int:
    """Run the SIP core until SIGTERM; the exit code of the `run` command."""
    try:
        loaded = load_config(path)
        logs.configure(loaded.config.log.format, loaded.config.log.level)
        _allow_many_files()
        with lock(Path(loaded.config.run_dir)):
            asyncio.run(Server(loaded).run())
    except ConfigError as error:
        sys.stderr.write(f"sipcore: {error}\n")
        return WRONG_USAGE
    return 0


def _allow_many_files() -> None:
    """Each connection is a file; the usual 1024 are fewer than tcp.max_connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def lock(run_dir: Path) -> IO[str]:
    """Be the only core on this run_dir; the lock ends with the process."""
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        held = (run_dir / "core.lock").open("a+")
    except OSError as error:
        raise ConfigError(f"run_dir: {run_dir}: {error.strerror}") from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.seek(0)
        other = held.read().strip() or "unknown"
        held.close()
        raise ConfigError(f"run_dir: {run_dir} is in use by another SIP core (pid {other})") from error
    held.truncate(0)
    held.write(f"{os.getpid()}\n")
    held.flush()
    return held
