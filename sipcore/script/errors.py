"""Sans-IO: what can be wrong with a script, before it runs and while it runs."""

from collections.abc import Sequence
from typing import NamedTuple

from sipcore.errors import SipcoreError


class Finding(NamedTuple):
    """Something wrong in a script; as text `file:line: message`, as compilers write it."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class ScriptError(SipcoreError):
    """The script cannot be used; the text has a line per finding."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = tuple(findings)


class RouteError(SipcoreError):
    """A route did what it must not do; the text says what to do instead."""


class RouteTimeoutError(RouteError):
    """A route waited for longer than its time limit."""
