"""Sans-IO: names and attributes that are nowhere defined, with the one that was probably meant."""

import ast
import builtins
import inspect
import symtable
from collections.abc import Iterator

import sipcore.script as offered
from sipcore.script.call import Call
from sipcore.script.event import RaisedEvent
from sipcore.script.suggest import hint
from sipcore.script.vocabulary import Vocabulary

MODULE_NAMES = frozenset({"__file__", "__name__", "__doc__", "__annotations__"})
ENDS_THE_PROCESS = frozenset({"exit", "quit"})
ATTRIBUTES = {
    "event_route": frozenset(dir(RaisedEvent)),
    "": frozenset(dir(Call)),
}


def check_names(text: str, tree: ast.Module, path: str, vocabulary: Vocabulary) -> Iterator[tuple[int, str]]:
    """Unknown names, unknown attributes of the call or event, and what would end the process."""
    table = symtable.symtable(text, path, "exec")
    own = {symbol.get_name() for symbol in table.get_symbols() if _is_defined(symbol)}
    own |= set(_globals(table))
    known = own | set(dir(builtins)) | MODULE_NAMES | set(vocabulary.names)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "sipcore.script":
            yield from _unknown_imports(node)
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Name) and called.id in ENDS_THE_PROCESS - own:
            yield called.lineno, f"{called.id}() would end the process; a route ends with `return`"
    if not vocabulary.stars:
        unknown = set(_unknown(table, known))
        near = (
            known | set(offered.__all__) | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        )
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id in unknown:
                yield (
                    node.lineno,
                    f"unknown name {node.id!r}{hint(node.id, sorted(near), show_all=False)}",
                )
    for function in tree.body:
        if isinstance(function, ast.AsyncFunctionDef):
            yield from _unknown_attributes(function, vocabulary)


def _is_defined(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    """Names that functions assign after `global`."""
    for child in table.get_children():
        for symbol in child.get_symbols():
            if symbol.is_declared_global() and symbol.is_assigned():
                yield symbol.get_name()
        yield from _globals(child)


def _unknown(table: symtable.SymbolTable, known: set[str]) -> Iterator[str]:
    for symbol in table.get_symbols():
        name = symbol.get_name()
        outside = symbol.is_global() or (table.get_type() == "module" and not _is_defined(symbol))
        if symbol.is_referenced() and outside and name not in known:
            yield name
    for child in table.get_children():
        yield from _unknown(child, known)


def _unknown_imports(node: ast.ImportFrom) -> Iterator[tuple[int, str]]:
    for alias in node.names:
        if alias.name != "*" and not hasattr(offered, alias.name):
            close = hint(alias.name, offered.__all__, show_all=False)
            yield node.lineno, f"sipcore.script has no {alias.name!r}{close}"


def _unknown_attributes(function: ast.AsyncFunctionDef, vocabulary: Vocabulary) -> Iterator[tuple[int, str]]:
    """Only of the argument of a route: what other names stand for nobody knows."""
    kinds = [
        kind
        for decorator in function.decorator_list
        if (kind := vocabulary.decorator(decorator.func if isinstance(decorator, ast.Call) else decorator))
    ]
    if not kinds or not function.args.args:
        return
    argument = function.args.args[0].arg
    known = ATTRIBUTES.get(kinds[0], ATTRIBUTES[""])
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == argument and node.attr not in known:
                public = {name for name in known if not name.startswith("_")}
                yield node.lineno, f"{argument} has no {node.attr!r}{hint(node.attr, public, show_all=False)}"
            elif node.value.id == argument and isinstance(node.ctx, ast.Store) and _is_fixed(node.attr):
                yield node.lineno, f"{argument}.{node.attr} cannot be set"


def _is_fixed(attribute: str) -> bool:
    found = inspect.getattr_static(Call, attribute, None)
    return isinstance(found, property) and found.fset is None
