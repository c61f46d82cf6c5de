"""What the documents show can be used as it stands: scripts, Python and TOML."""

import ast
import re
import textwrap
import tomllib
from pathlib import Path

import pytest

from sipcore.config.sections import SipcoreConfig
from sipcore.script.loader import load

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SCRIPTS = sorted((ROOT / "docs/examples/scripts").glob("*.py"))
FENCED = re.compile(r"^```(toml|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"\n\n((?: {4,}.*\n|\n(?= {4}))+)")


def blocks(language: str) -> list[tuple[str, str]]:
    """Page and text of each block in this language; what is indented is known by how it begins."""
    begins = {"toml": ("[", "domains"), "python": ("@", "async def", "from sipcore.script")}[language]
    found = []
    for page in PAGES:
        text = page.read_text()
        for match in FENCED.finditer(text):
            if match[1] == language:
                found.append((f"{page.name}:{text.count(chr(10), 0, match.start())}", match[2]))
        for match in INDENTED.finditer(FENCED.sub("", text)):
            block = textwrap.dedent(match[1])
            if block.startswith(begins):
                found.append((page.name, block))
    return found


def ids(found: list[tuple[str, str]]) -> list[str]:
    return [place for place, _ in found]


TOML, PYTHON = blocks("toml"), blocks("python")


def test_blocks_are_found() -> None:
    assert len(TOML) > 5
    assert len(PYTHON) > 2


@pytest.mark.parametrize("path", SCRIPTS, ids=[path.name for path in SCRIPTS])
def test_an_example_script_passes_the_check(path: Path) -> None:
    assert len(load(path)) >= 1


@pytest.mark.parametrize("text", [text for _, text in PYTHON], ids=ids(PYTHON))
def test_python_on_a_page_is_python(text: str) -> None:
    text = textwrap.dedent(text)
    if not text.startswith(("from", "@", "async def")):
        text = "async def route() -> None:\n" + textwrap.indent(text, "    ")
    ast.parse(text)


@pytest.mark.parametrize("text", [text for _, text in TOML], ids=ids(TOML))
def test_toml_on_a_page_is_toml_of_tables_that_there_are(text: str) -> None:
    tables = {key for key, value in tomllib.loads(text).items() if isinstance(value, dict | list)}
    known = set(SipcoreConfig.__struct_fields__)
    assert tables <= known or not tables & known  # the others are of the agent or of another program
