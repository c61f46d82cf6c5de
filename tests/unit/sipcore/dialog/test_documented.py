"""What the reference says about dialogs is what the code does."""

import re
from pathlib import Path

from sipcore.config.dialog import Dialog
from sipcore.dialog.dialog import LEGAL, EndReason

PAGE = (Path(__file__).parents[4] / "docs/reference/dialog.md").read_text()


def test_the_diagram_has_the_arrows_of_legal_and_no_other() -> None:
    drawn = set(re.findall(r"^ +([A-Z_]+) --> ([A-Z_]+)", PAGE, re.MULTILINE))
    assert drawn == {(old.name, new.name) for old, states in LEGAL.items() for new in states}


def test_every_key_is_in_the_table() -> None:
    assert set(Dialog.__struct_fields__) == set(re.findall(r"^\| `([a-z_]+)` \|", PAGE, re.MULTILINE))


def test_every_reason_for_an_end_is_named() -> None:
    assert all(f"`{reason.name.lower()}`" in PAGE for reason in EndReason)
