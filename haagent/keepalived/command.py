"""Sans-IO: a script line of keepalived.conf as a program and its arguments."""

import re
import shlex

MAX_WORDS = 64
_SHELL = re.compile(r"[|&;<>()$`*?~]")


def command_of(script: str) -> list[str]:
    """keepalived runs a program itself; what needs a shell gets one."""
    try:
        words = shlex.split(script)
    except ValueError:
        words = []
    if not words or not words[0].startswith("/") or _SHELL.search(script) or len(words) > MAX_WORDS:
        return ["/bin/sh", "-c", script]
    return words
