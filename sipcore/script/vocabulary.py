"""Sans-IO: which names of a script file stand for what `sipcore.script` offers."""

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sipcore.script as offered
from sipcore.script import route

PACKAGE = "sipcore.script"
DECORATORS = frozenset(kind.value for kind in route.RouteKind)


@dataclass(slots=True)
class Vocabulary:
    """Names as the file spells them: of functions and types of the package, and of the package itself."""

    names: dict[str, str] = field(default_factory=dict)
    packages: set[str] = field(default_factory=set)
    own_async: set[str] = field(default_factory=set)  # `async def` of the file
    stars: set[str] = field(default_factory=set)  # other modules that everything was imported from

    @classmethod
    def of(cls, tree: ast.Module) -> "Vocabulary":
        """Read the imports and functions of a module."""
        found = cls()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                found._read(node)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name == PACKAGE:
                        found.packages.add(alias.asname or PACKAGE)
        found.own_async = {node.name for node in tree.body if isinstance(node, ast.AsyncFunctionDef)}
        for own in found.own_async | {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}:
            found.names.pop(own, None)
        return found

    def _read(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        for alias in node.names:
            if alias.name == "*" and module == PACKAGE:
                self.names |= {name: name for name in offered.__all__}
            elif alias.name == "*":
                self.stars.add(module)
            elif module == PACKAGE:
                self.names[alias.asname or alias.name] = alias.name
            elif module == "sipcore" and alias.name == "script":
                self.packages.add(alias.asname or alias.name)

    def offered(self, node: ast.expr) -> str | None:
        """The name in the package that this expression means."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in self.packages:
            return node.attr
        return None

    def decorator(self, node: ast.expr) -> str | None:
        """Which kind of route this decorator makes."""
        name = self.offered(node)
        return name if name in DECORATORS else None

    def function(self, node: ast.expr) -> tuple[str, Callable[..., Any]] | None:
        """The awaitable function of the package that is called here."""
        name = self.offered(node)
        found = getattr(offered, name, None) if name is not None else None
        return (name, found) if name is not None and inspect.iscoroutinefunction(found) else None
