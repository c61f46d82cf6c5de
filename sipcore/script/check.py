"""Sans-IO: what can be seen to be wrong in a script without running it, each with its line."""

import ast
from collections.abc import Container, Iterator

from sipcore.bus import Event
from sipcore.script.check_calls import check_calls
from sipcore.script.check_names import check_names
from sipcore.script.errors import Finding
from sipcore.script.suggest import hint
from sipcore.script.vocabulary import Vocabulary

ONE_PER_SCRIPT = "request_route"
NAMED = ("branch_route", "failure_route")


def check_source(source: bytes, path: str, stores: Container[str] | None = None) -> list[Finding]:
    """Everything that is wrong, in the order of the lines; empty: it may be loaded."""
    try:
        tree = ast.parse(source, path)
        text = source.decode()
    except SyntaxError as error:
        return [Finding(path, error.lineno or 1, f"syntax: {error.msg}")]
    except ValueError as error:  # a NUL, or no UTF-8
        return [Finding(path, 1, f"syntax: {error}")]
    vocabulary = Vocabulary.of(tree)
    routes = Routes.of(tree, vocabulary)
    found = [*routes.findings, *duplicates(tree), *check_names(text, tree, path, vocabulary)]
    found += check_calls(tree, vocabulary, routes.names, stores)
    return [Finding(path, line, message) for line, message in sorted(set(found))]


class Routes:
    """The routes of a script, by the decorators on its functions."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.names: dict[str, dict[str, int]] = {}  # decorator -> name -> line
        self.findings: list[tuple[int, str]] = []
        self._vocabulary = vocabulary

    @classmethod
    def of(cls, tree: ast.Module, vocabulary: Vocabulary) -> "Routes":
        """Read all functions of the module."""
        routes = cls(vocabulary)
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for decorator in node.decorator_list:
                    routes._read(node, decorator)
        if ONE_PER_SCRIPT not in routes.names:
            routes.findings.append((1, "no @request_route: nothing would answer a request"))
        return routes

    def _read(self, node: ast.FunctionDef | ast.AsyncFunctionDef, decorator: ast.expr) -> None:
        called = decorator if isinstance(decorator, ast.Call) else None
        kind = self._vocabulary.decorator(called.func if called else decorator)
        if kind is None:
            return
        self._check_function(node, kind)
        name = self._name(kind, called, decorator.lineno)
        if name is None:
            return
        if kind == "event_route":
            if name not in Event.__members__:
                close = hint(name, Event.__members__)
                self.findings.append((decorator.lineno, f"unknown event {name!r}{close}"))
            return
        first = self.names.setdefault(kind, {}).setdefault(name, decorator.lineno)
        if first != decorator.lineno:
            what = f'{kind}("{name}")' if name else kind
            self.findings.append((decorator.lineno, f"{what} is there already, in line {first}"))

    def _name(self, kind: str, called: ast.Call | None, line: int) -> str | None:
        if called is None:
            if kind in NAMED or kind == "event_route":
                self.findings.append((line, f'@{kind} needs a name: @{kind}("name")'))
                return None
            return ""
        arguments = [*called.args, *(keyword.value for keyword in called.keywords)]
        if kind == ONE_PER_SCRIPT:
            self.findings.append((line, f"@{kind} takes no arguments"))
            return None
        if len(arguments) != 1 or not isinstance(arguments[0], ast.Constant):
            self.findings.append((line, f'@{kind} takes one argument, its name as text: @{kind}("name")'))
            return None
        name = arguments[0].value
        if not isinstance(name, str) or not name:
            self.findings.append((line, f"@{kind}: {name!r} is not a name"))
            return None
        return name

    def _check_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, kind: str) -> None:
        if isinstance(node, ast.FunctionDef):
            self.findings.append((node.lineno, f"{node.name}: a route is `async def`"))
        arguments = node.args
        needed = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
        required_keywords = [default for default in arguments.kw_defaults if default is None]
        if needed != 1 or required_keywords:
            what = "event" if kind == "event_route" else "call"
            self.findings.append((node.lineno, f"{node.name}: a route takes one argument, the {what}"))


def duplicates(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Functions of which only the last one would be left."""
    lines: dict[str, int] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name in lines:
                yield node.lineno, f"{node.name} is defined already, in line {lines[node.name]}"
            lines[node.name] = node.lineno
