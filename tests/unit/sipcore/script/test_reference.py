"""The reference of the routing script says what the code says."""

from pathlib import Path

from tests.kit.script_reference import tables

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "script.md"


def test_the_reference_lists_every_function_and_attribute_as_the_code_has_it() -> None:
    page = set(PAGE.read_text().splitlines())
    missing = [line for line in tables().splitlines() if line and line not in page]
    assert not missing, "python -m tests.kit.script_reference has these lines:\n" + "\n".join(missing)
