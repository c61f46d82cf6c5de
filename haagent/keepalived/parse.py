"""Sans-IO: keepalived.conf as a tree of statements, with includes, comments, definitions and @node lines.

Deviations: ~SEQ, ~LST and definitions over several lines are not expanded (an error names the line).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from haagent.errors import HaagentError

MAX_DEPTH = 16  # of blocks, and of files that include files
MAX_STATEMENTS = 100_000

_TOKEN = re.compile(r'"((?:\\.|[^"\\])*)"|\'([^\']*)\'|([{}])|((?:\$\{\w+\}|[^\s{}"\'])+)')
_DEFINITION = re.compile(r"\$(\w+)=(.*)")
_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")

Include = Callable[[str, str], Sequence[tuple[str, str]]]  # pattern, from which file -> (file, text) each


class ConvertError(HaagentError):
    """The file cannot be read as keepalived would; the text names file and line."""


@dataclass(slots=True, frozen=True)
class Place:
    """Where something stands."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(slots=True)
class Statement:
    """One keyword with what follows on its line, and the statements in its braces."""

    place: Place
    words: tuple[str, ...]
    block: list["Statement"] | None = None

    @property
    def keyword(self) -> str:
        """The first word."""
        return self.words[0]

    @property
    def value(self) -> str:
        """The second word, or nothing."""
        return self.words[1] if len(self.words) > 1 else ""


@dataclass(slots=True)
class _Reader:
    node: str
    include: Include
    root: list[Statement] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    open: list[Statement] = field(default_factory=list)  # the innermost block is the last
    waiting: Statement | None = None  # whose brace may stand on the next line
    skipping: int = 0  # open braces of a block that is another node's
    skipped_last: bool = False
    count: int = 0


def parse(text: str, file: str, *, node: str = "", include: Include) -> list[Statement]:
    """The statements; raises ConvertError."""
    reader = _Reader(node, include)
    _read_file(reader, text, file, 0)
    if reader.open:
        block = reader.open[-1]
        raise ConvertError(f"{block.place}: {block.keyword}: its brace is never closed")
    return reader.root


def _read_file(reader: _Reader, text: str, file: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ConvertError(f"{file}: files include each other more than {MAX_DEPTH} deep")
    for number, line in enumerate(text.split("\n"), 1):
        place = Place(file, number)
        tokens = _tokens(line, place)
        if not tokens:
            continue
        definition = _DEFINITION.fullmatch(line.strip())
        if definition is not None:
            if definition[2].endswith("\\"):
                raise ConvertError(f"{place}: a definition over several lines: write it out first")
            reader.variables[definition[1]] = definition[2]
            continue
        if tokens[0][0] in ("include", "includer", "includem", "includew", "includeb") and len(tokens) > 1:
            for name, content in reader.include(tokens[1][0], file):
                _read_file(reader, content, name, depth + 1)
            continue
        _read_line(reader, [_expanded(reader, token, place) for token in tokens], place)


def _tokens(line: str, place: Place) -> list[tuple[str, bool]]:
    """Words and braces, each with whether it is a bare brace; comments begin with # or !."""
    found: list[tuple[str, bool]] = []
    at = 0
    while at < len(line):
        if line[at].isspace():
            at += 1
            continue
        if line[at] in "#!":
            break
        match = _TOKEN.match(line, at)
        if match is None:
            raise ConvertError(f"{place}: a quote is never closed")
        text = next(group for group in match.groups() if group is not None)
        found.append((text, match[3] is not None))
        at = match.end()
    return found


def _expanded(reader: _Reader, token: tuple[str, bool], place: Place) -> tuple[str, bool]:
    text, brace = token
    if text.startswith(("~SEQ", "~LST")):
        raise ConvertError(f"{place}: {text.partition('(')[0]}: write its lines out first")
    known = reader.variables
    return _VARIABLE.sub(lambda m: known.get(m[1] or m[2], m[0]), text), brace


def _read_line(reader: _Reader, tokens: list[tuple[str, bool]], place: Place) -> None:
    is_ours, tokens = _for_us(reader, tokens)
    if not is_ours or reader.skipping:
        _skip(reader, tokens)
        return
    opens_skipped = reader.skipped_last and tokens[:1] == [("{", True)]
    reader.skipped_last = False
    if opens_skipped:
        _skip(reader, tokens)
        return
    words: list[str] = []
    for text, brace in tokens:
        if not brace:
            words.append(text)
            continue
        _end_statement(reader, words, place)
        words = []
        if text == "{":
            _open(reader, place)
        elif not reader.open:
            raise ConvertError(f"{place}: a brace closes that none has opened")
        else:
            reader.open.pop()
            reader.waiting = None
    _end_statement(reader, words, place)


def _for_us(reader: _Reader, tokens: list[tuple[str, bool]]) -> tuple[bool, list[tuple[str, bool]]]:
    """`@name` before a line: only on that node; `@^name`: on all others."""
    first = tokens[0][0]
    if not first.startswith("@") or len(first) == 1:
        return True, tokens
    wanted = first[1:]
    negated, name = wanted.startswith("^"), wanted.removeprefix("^")
    return (name == reader.node) is not negated, tokens[1:]


def _skip(reader: _Reader, tokens: list[tuple[str, bool]]) -> None:
    """Another node's line, with its block if it opens one."""
    depth = reader.skipping
    for text, brace in tokens:
        if brace:
            depth = max(0, depth + (1 if text == "{" else -1))
    reader.skipped_last = depth == 0 and reader.skipping == 0
    reader.skipping = depth


def _end_statement(reader: _Reader, words: list[str], place: Place) -> None:
    if not words:
        return
    reader.count += 1
    if reader.count > MAX_STATEMENTS:
        raise ConvertError(f"{place}: more than {MAX_STATEMENTS} statements")
    statement = Statement(place, tuple(words))
    inside = reader.open[-1].block if reader.open else reader.root
    assert inside is not None
    inside.append(statement)
    reader.waiting = statement


def _open(reader: _Reader, place: Place) -> None:
    if reader.waiting is None or len(reader.open) >= MAX_DEPTH:
        reason = (
            "a brace opens without a keyword" if reader.waiting is None else f"more than {MAX_DEPTH} deep"
        )
        raise ConvertError(f"{place}: {reason}")
    reader.waiting.block = []
    reader.open.append(reader.waiting)
    reader.waiting = None


def inside(statement: Statement) -> Iterator[Statement]:
    """What stands in its braces."""
    yield from statement.block or ()
