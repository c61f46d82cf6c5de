"""IO shell: a script file to its routes: read, checked, run once as a module of its own."""

import linecache
import os
import traceback
from collections.abc import Container
from pathlib import Path
from types import ModuleType

from sipcore.script.check import check_source
from sipcore.script.errors import Finding, RouteError, ScriptError
from sipcore.script.route import Generation, collect
from sipcore.script.run import where_it_failed

MAX_SCRIPT = 4 * 1024 * 1024  # bytes


def load(path: Path, *, number: int = 1, stores: Container[str] | None = None) -> Generation:
    """The routes of this file; ScriptError says what is wrong with it, line by line.

    `stores`: the ids of the config, if it is at hand. Each load makes a module that shares nothing with the
    ones before, so that routes that still run keep what they began with.
    """
    source = read(path)
    findings = check_source(source, str(path), stores)
    if findings:
        raise ScriptError(findings)
    generation = Generation(str(path), number)
    module = ModuleType(f"sipcore_script_{number}")
    module.__file__ = str(path)
    linecache.checkcache(str(path))
    try:
        with collect(generation):
            exec(compile(source, str(path), "exec", dont_inherit=True), module.__dict__)  # noqa: S102
    except (Exception, SystemExit) as error:
        raise ScriptError([_failed(error, str(path))]) from error
    if generation.request is None:
        raise ScriptError([Finding(str(path), 1, "no @request_route: nothing would answer a request")])
    return generation


def read(path: Path) -> bytes:
    """The bytes of the file; ScriptError when it cannot be read."""
    try:
        if path.stat().st_size > MAX_SCRIPT:
            size = path.stat().st_size
            raise ScriptError([Finding(str(path), 1, f"{size} bytes are more than {MAX_SCRIPT}")])
        return path.read_bytes()
    except OSError as error:
        raise ScriptError([Finding(str(path), 1, os.strerror(error.errno or 0))]) from error


def _failed(error: BaseException, path: str) -> Finding:
    place = where_it_failed(error, path)
    line = int(place.rpartition(":")[2]) if place else 1
    last = traceback.format_exception_only(error)[-1].strip()
    return Finding(path, line, f"raises {last}" if not isinstance(error, RouteError) else str(error))
