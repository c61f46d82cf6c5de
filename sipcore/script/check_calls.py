"""Sans-IO: calls of the functions of `sipcore.script`: awaited, arguments that fit, names that exist."""

import ast
import inspect
from collections.abc import Callable, Container, Iterator
from typing import Any

from sipcore.script.levels import LEVELS
from sipcore.script.suggest import hint
from sipcore.script.vocabulary import Vocabulary

ARMS = {"t_on_failure": "failure_route", "t_on_branch": "branch_route", "t_on_reply": "reply_route"}
MUST_NOT_WAIT = ("branch_route", "reply_route")
WAITING = ("run", "sleep")
Names = dict[str, dict[str, int]]


def check_calls(
    tree: ast.Module, vocabulary: Vocabulary, routes: Names, stores: Container[str] | None
) -> Iterator[tuple[int, str]]:
    """What is wrong with the calls."""
    awaited = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Await)}
    handed_over = {
        id(inner) for node in ast.walk(tree) if isinstance(node, ast.Await) for inner in ast.walk(node)
    }  # await run(own(call)), await run(asyncio.gather(own(1), own(2)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Await):
            yield from _foreign(node, vocabulary)
        if not isinstance(node, ast.Call):
            continue
        own = node.func.id if isinstance(node.func, ast.Name) else ""
        if own in vocabulary.own_async and id(node) not in handed_over:
            yield node.lineno, f"{own}(...) is not awaited: it would do nothing"
        found = vocabulary.function(node.func)
        if found is None:
            continue
        name, function = found
        if id(node) not in awaited:
            yield node.lineno, f"{name}(...) is not awaited: it would do nothing"
        yield from _arguments(node, name, function)
        yield from _route_names(node, name, routes)
        yield from _stores(node, name, stores)
        yield from _levels(node, name)
    yield from _waits(tree, vocabulary)


def _arguments(node: ast.Call, name: str, function: Callable[..., Any]) -> Iterator[tuple[int, str]]:
    if any(isinstance(argument, ast.Starred) for argument in node.args):
        return
    if any(keyword.arg is None for keyword in node.keywords):
        return
    try:
        keywords = {keyword.arg: None for keyword in node.keywords if keyword.arg}
        inspect.signature(function).bind(*node.args, **keywords)
    except TypeError as error:
        yield node.lineno, f"{name}(): {error}"


def _route_names(node: ast.Call, name: str, routes: Names) -> Iterator[tuple[int, str]]:
    wanted = _text(node, 1, "name") if name in ARMS else None
    if wanted is None:
        return
    kind = ARMS[name]
    known = [route for route in routes.get(kind, ()) if route]
    if wanted and wanted not in known:
        yield node.lineno, f'{name}: there is no {kind}("{wanted}"){hint(wanted, known)}'


def _stores(node: ast.Call, name: str, stores: Container[str] | None) -> Iterator[tuple[int, str]]:
    wanted = _text(node, 1, "store") if name.startswith("cache_") and stores is not None else None
    if wanted is not None and stores is not None and wanted not in stores:
        known = [str(store) for store in stores] if isinstance(stores, tuple | list | dict) else []
        yield node.lineno, f"{name}: the config has no store {wanted!r}{hint(wanted, known)}"


def _levels(node: ast.Call, name: str) -> Iterator[tuple[int, str]]:
    wanted = _text(node, 1, "level") if name == "xlog" else None
    if wanted is not None and wanted not in LEVELS:
        yield node.lineno, f"xlog: {wanted!r} is not one of {', '.join(LEVELS)}"


def _waits(tree: ast.Module, vocabulary: Vocabulary) -> Iterator[tuple[int, str]]:
    for function in tree.body:
        if not isinstance(function, ast.AsyncFunctionDef):
            continue
        for decorator in function.decorator_list:
            kind = vocabulary.decorator(decorator.func if isinstance(decorator, ast.Call) else decorator)
            if kind not in MUST_NOT_WAIT:
                continue
            for node in ast.walk(function):
                found = vocabulary.function(node.func) if isinstance(node, ast.Call) else None
                if found is not None and isinstance(node, ast.Call) and found[0] in WAITING:
                    yield node.lineno, f"{found[0]}(...): a {kind} must not wait"


def _foreign(node: ast.Await, vocabulary: Vocabulary) -> Iterator[tuple[int, str]]:
    """`await asyncio.sleep(1)`: the core, not asyncio, steps the routes."""
    value = node.value
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        text = ast.unparse(value.func)
        if text.startswith("asyncio.") and vocabulary.offered(value.func) is None:
            yield node.lineno, f"{text}(...) needs an asyncio task: await run({text}(...))"


def _text(node: ast.Call, index: int, keyword: str) -> str | None:
    """The argument, if it is text that stands in the script."""
    given = node.args[index] if len(node.args) > index else None
    for other in node.keywords:
        if other.arg == keyword:
            given = other.value
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else None
