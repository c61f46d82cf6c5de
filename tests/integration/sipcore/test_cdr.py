"""Call detail records of running cores: one per call, also over a takeover, also with a full disk."""

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from haagent.lab.topology import Lan
from tests.integration.sipcore.test_dialog import talk
from tests.kit.core_pair import Pair
from tests.kit.sip_live import CoreProcess, LivePhones, sipcore, wait_for


def hang_up(phones: LivePhones, name: str) -> None:
    phones.phone.bye(name, "caller", time.monotonic())
    assert phones.until("bye_answered", call=name)["status"] == 200


def records(*paths: Path) -> list[dict[str, Any]]:
    """What `sipcore cdr` finds in the files."""
    present = [str(path) for path in paths if path.exists()]
    if not present:
        return []
    found: list[dict[str, Any]] = json.loads(sipcore("cdr", *present, "--json").stdout)
    return found


def test_each_call_has_a_record_and_a_moved_file_is_followed_by_another(tmp_path: Path) -> None:
    path = tmp_path / "cdr.jsonl"
    with CoreProcess(tmp_path, more=f'[cdr]\npath = "{path}"\n') as core:
        with LivePhones((core.address, core.port), "alice", "bob") as phones:
            phones.register("alice", "bob")
            talk(phones, "1")
            hang_up(phones, "1")
            phones.call("2", "alice", "bob")
            phones.phone.reject("2", 486, time.monotonic())
            phones.until("failed", call="2")
            wait_for(lambda: core.counters()["cdrs_written"] == 2, "both are written", core.log)
            answered, missed = records(path)
            assert (answered["cause"], answered["status"], missed["status"]) == ("bye", 200, 486)
            assert answered["start"] <= answered["answer"] <= answered["end"] <= missed["end"]

            path.rename(tmp_path / "old")
            assert core.process is not None
            core.process.send_signal(signal.SIGHUP)
            talk(phones, "3")
            hang_up(phones, "3")
            wait_for(lambda: len(records(path)) == 1, "the third is in the new file", core.log)
            shown = sipcore("cdr", "--config", str(core.config))
            assert (shown.returncode, "sip:alice@example.test" in shown.stdout) == (0, True)
            assert sipcore("cdr", "--config", str(core.config), "--call-id", "none").returncode == 1
            assert core.counters()["failures"] == 0


def test_a_full_disk_loses_no_call_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cdr.jsonl"
    path.symlink_to("/dev/full")
    with CoreProcess(tmp_path, more=f'[cdr]\npath = "{path}"\n') as core:
        with LivePhones((core.address, core.port), "alice", "bob") as phones:
            phones.register("alice", "bob")
            for name in ("1", "2"):
                talk(phones, name)
                hang_up(phones, name)
            wait_for(lambda: core.counters()["cdr_write_errors"] >= 1, "it is told", core.log)
            assert core.status()["cdrs_waiting"] == 2
            assert "No space left on device" in core.log()
            path.unlink()
            wait_for(lambda: core.counters()["cdrs_written"] == 2, "there is room again", core.log)
            assert len(records(path)) == 2


@pytest.mark.root
def test_a_call_has_one_record_whichever_node_it_ends_on(tmp_path: Path) -> None:
    """That of a call that ended just before the power cut is on the dead disk, on the other, or both."""
    with Lan() as lan:
        pair = Pair(lan, tmp_path)
        paths = [tmp_path / f"{name}.jsonl" for name in "ab"]
        for core, path in zip((pair.a, pair.b), paths, strict=True):
            with core.config.open("a") as config:
                config.write(f'[cdr]\npath = "{path}"\n')
        with pair:
            pair.up("before")
            pair.up("over")
            hang_up(pair.phones, "before")
            pair.power_cut()
            hang_up(pair.phones, "over")
            wait_for(lambda: len(records(*paths)) == 2, "both calls have a record", pair.b.log)
            assert pair.b.counters()["cdrs_lost"] == 0
            over = records(paths[1])[-1]
            assert (over["node"], over["epoch"], over["recovered"], over["duration"] > 0) == (
                "b",
                2,
                False,
                True,
            )
