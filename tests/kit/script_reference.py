"""Sans-IO: the tables of docs/reference/script.md: `python -m tests.kit.script_reference` prints them."""

import inspect
import re
from collections.abc import Callable
from typing import Any

import sipcore.script as offered
from sipcore.bus import Event
from sipcore.script.call import Call
from sipcore.script.event import RaisedEvent
from sipcore.script.route import RouteKind

_EQUIVALENT = re.compile(r"\s*OpenSIPS: (.*?)\.?\s*$", re.DOTALL)
_ANNOTATION = re.compile(r"\b(?:sipcore\.[a-z_.]+\.|typing\.|collections\.abc\.)")


def tables() -> str:
    """All tables, a heading over each."""
    parts = ["## Decorators\n", _head("decorator"), *_rows(_decorators())]
    for module in sorted({function.__module__ for function in _functions()}):
        title = module.rpartition(".")[2]
        parts += [f"\n## {title}\n", _head("function")]
        parts += _rows(function for function in _functions() if function.__module__ == module)
    parts += ["\n## Call\n", _head("attribute"), *_attributes(Call)]
    parts += ["\n## RaisedEvent\n", _head("attribute"), *_attributes(RaisedEvent)]
    parts += ["\n## Events\n", ", ".join(f"`{event.name}`" for event in Event) + "."]
    return "\n".join(parts) + "\n"


def _functions() -> list[Callable[..., Any]]:
    found = [getattr(offered, name) for name in offered.__all__]
    return sorted({f for f in found if inspect.iscoroutinefunction(f)}, key=lambda f: f.__name__)


def _decorators() -> list[Callable[..., Any]]:
    return [getattr(offered, kind.value) for kind in RouteKind]


def _head(what: str) -> str:
    return f"| {what} | what it does | OpenSIPS |\n|---|---|---|"


def _rows(functions: Any) -> list[str]:
    rows = []
    for function in functions:
        names = [name for name in offered.__all__ if getattr(offered, name) is function]
        signature = str(inspect.signature(function)).replace("'", '"')
        others = "".join(f" also `{name}`" for name in names if name != function.__name__)
        if not inspect.iscoroutinefunction(function):
            rows.append(_row(f"`@{function.__name__}`", function.__doc__))
        elif function.__name__ in names:
            rows.append(
                _row(f"`{function.__name__}{_ANNOTATION.sub('', signature)}`{others}", function.__doc__)
            )
    return rows


def _attributes(kind: type) -> list[str]:
    rows = []
    for name in sorted(vars(kind), key=str.lower):
        found = inspect.getattr_static(kind, name)
        if name.startswith("_") or not (isinstance(found, property) or inspect.isfunction(found)):
            continue
        written = f"`{name}`" if isinstance(found, property) else f"`{name}(...)`"
        rows.append(_row(written, found.__doc__))
    return rows


def _row(name: str, doc: str | None) -> str:
    text = " ".join((doc or "").split())
    found = _EQUIVALENT.search(text)
    equivalent = found[1] if found else "-"
    if found:
        text = text[: found.start()]
    cells = (name, text, equivalent if equivalent == "-" else f"`{equivalent}`")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    print(tables())  # noqa: T201 - what it is for
