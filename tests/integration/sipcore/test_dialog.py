"""Calls that the running core ends: by the operator, by their lifetime, because an end is gone."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sipcore.control.client import RefusedError
from tests.kit.sip_live import CoreProcess, LivePhones, wait_for


def talk(phones: LivePhones, name: str = "1", caller: str = "alice", called: str = "bob") -> None:
    """A call that is answered and acknowledged."""
    phones.call(name, caller, called)
    phones.phone.answer(name, time.monotonic())
    phones.until("answered", call=name)
    phones.until("established", call=name)


def hung_up(phones: LivePhones, name: str = "1") -> None:
    """Both ends of a call get a BYE."""
    ends = {phones.until("bye_received", call=name)["leg"] for _ in range(2)}
    assert ends == {"caller", "callee"}


def gone(core: CoreProcess) -> None:
    wait_for(lambda: core.client.get("/v1/dialogs") == [], "no dialog is left", core.log)
    assert core.counters()["failures"] == 0, core.log()


def meanwhile(event: str, at: LivePhones, other: LivePhones) -> None:
    """Both listen until this happens at one of them."""
    end = time.monotonic() + 10.0
    while not any(found["event"] == event for found in at.phone.events):
        assert time.monotonic() < end, f"{event}: {at.phone.events}"
        other.idle(0.02)
        at.idle(0.02)


def run(folder: Path, dialog: str, test: Callable[[CoreProcess, LivePhones], None]) -> None:
    """A core with these keys in [dialog], and phones of four users."""
    with CoreProcess(folder, more=f"[dialog]\n{dialog}\n") as core:
        users = ("alice", "bob", "carol", "dave")
        with LivePhones((core.address, core.port), *users) as phones:
            phones.register(*users)
            test(core, phones)
            gone(core)


def test_an_operator_ends_a_call_and_both_phones_get_a_bye(tmp_path: Path) -> None:
    def test(core: CoreProcess, phones: LivePhones) -> None:
        talk(phones)
        (row,) = json.loads(core.cli("dialog", "--json").stdout)
        assert (row["state"], row["from"]) == ("CONFIRMED", "sip:alice@example.test")
        assert row["call_id"] in core.cli("dialog").stdout
        done = core.cli("dialog", "end", row["call_id"], "--json")
        assert (done.returncode, json.loads(done.stdout)) == (0, {"ending": 1})
        hung_up(phones)
        gone(core)
        status = core.status()
        assert (status["dialogs_ended"]["operator"], status["counters"]["dialog_byes_sent"]) == (1, 2)
        assert core.cli("dialog", "end", row["call_id"]).returncode == 1

    run(tmp_path, "", test)


def test_an_operator_ends_the_calls_of_one_caller_then_all(tmp_path: Path) -> None:
    def test(core: CoreProcess, phones: LivePhones) -> None:
        talk(phones, "1", "alice", "bob")
        talk(phones, "2", "carol", "bob")
        phones.call("3", "dave", "bob")
        done = core.cli("dialog", "end", "--from", "alice@example.test", "--yes", "--json")
        assert json.loads(done.stdout) == {"ending": 1}
        hung_up(phones, "1")
        assert core.cli("dialog", "end", "--all").returncode != 0  # nobody confirms
        done = core.cli("dialog", "end", "--all", "--yes", "--json")
        assert json.loads(done.stdout) == {"ending": 2}
        hung_up(phones, "2")
        phones.until("cancelled", call="3")
        assert phones.until("failed", call="3")["status"] == 487

    run(tmp_path, "", test)


def test_a_call_ends_with_its_lifetime(tmp_path: Path) -> None:
    def test(core: CoreProcess, phones: LivePhones) -> None:
        talk(phones)
        hung_up(phones)

    run(tmp_path, 'lifetime = "1s"', test)


def test_a_phone_that_has_forgotten_the_call_ends_it_for_the_other(tmp_path: Path) -> None:
    with CoreProcess(tmp_path, more='[dialog]\nping = "both"\nping_interval = "1s"\n') as core:
        proxy = (core.address, core.port)
        with LivePhones(proxy, "alice") as alice:
            bob = LivePhones(proxy, "bob")
            alice.register("alice")
            bob.register("bob")
            alice.phone.call("1", b"alice", b"bob", time.monotonic())
            meanwhile("ringing", bob, alice)
            bob.phone.answer("1", time.monotonic())
            meanwhile("established", bob, alice)
            pings = core.counters()["dialog_pings_sent"]
            while core.counters()["dialog_pings_sent"] < pings + 4:
                alice.idle(0.05)
                bob.idle(0.05)
            assert core.client.get("/v1/dialogs")[0]["state"] == "CONFIRMED"
            bob.phone._legs.clear()  # as after a restart on the same address
            meanwhile("bye_received", alice, bob)
            gone(core)
            assert core.status()["dialogs_ended"]["ping_failed"] == 1
            bob.wire.socket.close()


def test_profiles_are_shown_with_their_sizes_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    def test(core: CoreProcess, phones: LivePhones) -> None:
        del phones
        rows = json.loads(core.cli("profile", "--json").stdout)
        assert rows == [{"profile": name, "size": 0, "values": 0} for name in ("caller", "trunk")]
        assert core.client.get("/v1/profiles/caller") == []
        refused = core.cli("profile", "calle")
        assert (refused.returncode, "'calle': not declared" in refused.stderr) == (1, True)

    run(tmp_path, 'profiles = ["caller", "trunk/s"]', test)


def test_a_standby_ends_nothing_and_says_so(tmp_path: Path) -> None:
    with CoreProcess(tmp_path, standalone=False) as core:
        with pytest.raises(RefusedError, match="this node is BACKUP"):
            core.client.delete("/v1/dialogs?all=true")
        core.role("MASTER", 1)
        with pytest.raises(RefusedError, match="name a Call-ID, from=URI or all=true"):
            core.client.delete("/v1/dialogs")
        with pytest.raises(RefusedError, match="is not a SIP URI"):
            core.client.delete("/v1/dialogs?from=sip:")
        assert core.client.delete("/v1/dialogs?all=true") == {"ending": 0}


def test_the_metrics_tell_the_calls_by_state(tmp_path: Path) -> None:
    def test(core: CoreProcess, phones: LivePhones) -> None:
        talk(phones)
        status = core.status()
        assert status["dialog_states"]["confirmed"] == 1
        core.cli("dialog", "end", "--all", "--yes")
        hung_up(phones)

    run(tmp_path, "", test)
