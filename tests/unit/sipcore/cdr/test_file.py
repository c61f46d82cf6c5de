"""The file of the records: whole lines in two forms, rotated, read back."""

import errno
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sipcore.cdr.file import CdrFile
from sipcore.cdr.reading import COLUMNS, merge, read_rows
from sipcore.cdr.record import Cdr, row
from sipcore.dialog.dialog import EndReason

NASTY = b'sip:"a,b"\n\xff@example.test'


def fields(number: int = 1, *, recovered: bool = False, caller: bytes = b"sip:a@x") -> dict[str, object]:
    cdr = Cdr(
        b"call-%d" % number, b"f", b"t", caller, b"sip:b@x", b"sip:b@192.0.2.2", 1.0, 2.0, 3.0 + number,
        EndReason.BYE, 200, "a", 1, {"pop": "1,\n2"},
    )  # fmt: skip
    return row(b"%d" % number, cdr, recovered=recovered)


def ids(path: Path) -> list[Any]:
    return [found["id"] for found in read_rows(path.read_text())]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A disk that is full at this size of a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("form", ["json", "csv"])
def test_what_is_written_is_read_back_whatever_phones_send(tmp_path: Path, form: str) -> None:
    path = tmp_path / "cdr"
    CdrFile(path, form).append([fields(1, caller=NASTY), fields(2)])
    first, second = read_rows(path.read_text())
    assert first["caller"] == NASTY.decode("utf-8", "replace")
    assert (second["id"], float(str(second["duration"]))) == ("2", 3.0)
    assert tuple(first) == COLUMNS
    if form == "json":
        assert len(path.read_bytes().splitlines()) == 2
        assert first["values"] == {"pop": "1,\n2"}


def test_a_group_that_does_not_fit_leaves_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "cdr"
    file = CdrFile(path, "json")
    file.append([fields(1)])
    size = path.stat().st_size
    with files_of_at_most(size + 50), pytest.raises(OSError, match="File too large") as caught:
        file.append([fields(2)])
    assert (caught.value.errno, path.stat().st_size) == (errno.EFBIG, size)
    file.append([fields(2)])
    assert ids(path) == ["1", "2"]


def test_half_a_line_of_a_power_cut_takes_no_other_with_it(tmp_path: Path) -> None:
    path = tmp_path / "cdr"
    path.write_bytes(b'{"id": "0", "call')
    CdrFile(path, "json").append([fields(1)])
    assert ids(path) == ["1"]


def test_it_goes_on_in_a_new_file_when_the_old_one_was_moved(tmp_path: Path) -> None:
    path, moved = tmp_path / "cdr", tmp_path / "cdr.1"
    file = CdrFile(path, "csv")
    file.append([fields(1)])
    path.rename(moved)
    file.append([fields(2)])
    assert (ids(moved), ids(path)) == (["1"], ["2"])
    assert path.read_text().startswith("id,call_id,")


def test_a_file_that_has_grown_gets_the_time_as_its_suffix(tmp_path: Path) -> None:
    path = tmp_path / "cdr"
    file = CdrFile(path, "json", max_size=700)
    for number in range(5):
        file.append([fields(number)])
    old = sorted(tmp_path.glob("cdr.*"))
    assert len(old) >= 2
    assert [name for part in (*old, path) for name in ids(part)] == ["0", "1", "2", "3", "4"]
    assert all(part.stat().st_size <= 700 for part in old)


def test_a_call_in_the_files_of_both_nodes_is_one_call() -> None:
    rows = merge([fields(2, recovered=True), fields(1), fields(2), fields(1, recovered=True)])
    assert [(found["id"], found["recovered"]) for found in rows] == [("1", False), ("2", False)]
    texts: list[dict[str, object]] = [
        {name: str(value) for name, value in found.items()}
        for found in (fields(1, recovered=True), fields(1))
    ]
    assert [found["recovered"] for found in merge(texts)] == ["False"]
