"""IO shell: `haagent run`: from the file to the exit code; whatever happens, the host is left clean."""

import asyncio
import sys
from pathlib import Path

import structlog

from haagent import host, virtual_mac
from haagent.agent import Control
from haagent.config import load
from haagent.config.group import OWN
from haagent.errors import ConfigError, HaagentError
from haagent.groups import end_with_parent
from haagent.startup import prepare
from netrules import RulesError

WRONG = 2  # config or host


def main(path: Path, group: str = OWN) -> int:
    """Run the agent of the node, or of one of its groups, until SIGTERM; the exit code."""
    if group != OWN:
        end_with_parent()
        structlog.contextvars.bind_contextvars(group=group)
    try:
        prepared = prepare(path, load(path.read_text(encoding="utf-8")), group)
    except (HaagentError, RulesError, OSError, UnicodeDecodeError) as error:
        return _wrong(path, error)
    try:
        return asyncio.run(Control(prepared).run())
    except HaagentError as error:
        return _wrong(path, error)
    finally:
        host.remove_leftovers(prepared.others)
        virtual_mac.remove_all(group)
        prepared.rules.remove()


def _wrong(path: Path, error: Exception) -> int:
    place = f"{path}: " if isinstance(error, ConfigError | UnicodeDecodeError) else ""
    sys.stderr.write(f"haagent: {place}{error}\n")
    return WRONG
