"""The history on a disk that is full, and after it: nothing waits, nothing stops, what is newest is shown."""

import asyncio
from pathlib import Path

from haagent.pipe import RoleChange
from haagent.record import History
from haagent.state import StateDirectory


def change(epoch: int) -> RoleChange:
    return RoleChange(
        old="BACKUP",
        role="MASTER",
        epoch=epoch,
        reason=f"reason {epoch}",
        detected=1.0,
        decided=1.0,
        vip=None,
        announced=None,
    )


async def play(place: Path, *, full: bool) -> list[str]:
    state = StateDirectory(place)
    history = History("a", state)
    files = (place / "history.jsonl", place / ".epoch.new")
    if full:
        for file in files:
            file.symlink_to("/dev/full")
    running = asyncio.create_task(history.run())
    history.add(change(7))
    async with asyncio.timeout(10):
        await history.flush()
    if full:
        for file in files:
            file.unlink(missing_ok=True)
    history.add(change(8))
    async with asyncio.timeout(10):
        await history.flush()
    assert not running.done(), "a full disk ended the writer"
    running.cancel()
    return [record["reason"] for record in state.history(10)]


def test_a_full_disk_hurts_nothing_and_what_comes_after_it_is_kept(tmp_path: Path) -> None:
    assert asyncio.run(play(tmp_path, full=True)) == ["reason 7", "reason 8"]
    later = StateDirectory(tmp_path)
    assert [record["reason"] for record in later.history(10)] == ["reason 8"]
    assert later.epoch() == 8


def test_a_line_that_was_cut_off_takes_no_later_one_with_it(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").write_bytes(b'{"id": 1, "reason": "cut o')
    asyncio.run(play(tmp_path, full=False))
    assert [record["reason"] for record in StateDirectory(tmp_path).history(10)] == ["reason 7", "reason 8"]


def test_reasons_survive_a_restart(tmp_path: Path) -> None:
    asyncio.run(play(tmp_path, full=False))
    assert [record["reason"] for record in StateDirectory(tmp_path).history(10)] == ["reason 7", "reason 8"]
