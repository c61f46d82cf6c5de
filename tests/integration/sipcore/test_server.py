"""A standalone SIP core on loopback with phones: registration, calls, forking, bad input."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.sip_live import CoreProcess, LivePhones, wait_for


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreProcess]:
    with CoreProcess(tmp_path_factory.mktemp("core")) as running:
        yield running


@pytest.fixture
def proxy(core: CoreProcess) -> tuple[str, int]:
    return core.address, core.port


@pytest.fixture
def phones(proxy: tuple[str, int]) -> Iterator[LivePhones]:
    with LivePhones(proxy, "alice", "bob") as both:
        both.register("alice", "bob")
        yield both
        both.register("alice", "bob", expires=0)


def test_users_register_with_digest_and_leave(core: CoreProcess, proxy: tuple[str, int]) -> None:
    with LivePhones(proxy, "carol") as phones:
        phones.register("carol")
        (row,) = core.client.get("/v1/location?aor=carol@example.test")
        assert row["contact"].endswith(f":{phones.wire.socket.getsockname()[1]}")
        phones.register("carol", expires=0)
        assert core.client.get("/v1/location?aor=carol@example.test") == []


@pytest.mark.parametrize(("user", "password"), [("carol", "wrong"), ("nobody", "any")])
def test_a_wrong_password_and_an_unknown_user_are_refused(
    core: CoreProcess, proxy: tuple[str, int], user: str, password: str
) -> None:
    with LivePhones(proxy, user, password=password) as phones:
        phones.phone.register(user.encode(), 60, time.monotonic())
        event = phones.until("registered", "register_failed")
        assert (event["event"], event["status"]) in [("register_failed", 401), ("register_failed", 403)]
        assert core.client.get(f"/v1/location?aor={user}@example.test") == []


def test_nobody_registers_for_another(core: CoreProcess, proxy: tuple[str, int]) -> None:
    with LivePhones(proxy, "carol") as phones:
        phones.phone.register(b"carol", 60, time.monotonic())
        phones.until("registered")
        phones.phone.register(b"carol", 0, time.monotonic())
        data = phones.phone.outbox[0].data.replace(b"To: <sip:carol@", b"To: <sip:dave@")
        phones.phone.outbox[0] = phones.phone.outbox[0]._replace(data=data)
        assert phones.until("registered", "register_failed")["status"] == 403


def test_a_call_rings_is_answered_and_ended_by_either_side(core: CoreProcess, phones: LivePhones) -> None:
    for side in ("caller", "callee"):
        name = f"call-{side}"
        phones.call(name, "alice", "bob")
        (dialog,) = core.client.get("/v1/dialogs")
        assert dialog["state"] == "EARLY"
        assert {row["side"] for row in core.client.get("/v1/transactions")} == {"server", "client"}
        assert phones.phone.answer(name, time.monotonic())
        phones.until("answered", call=name)
        phones.until("established", call=name)
        (dialog,) = core.client.get("/v1/dialogs")
        assert dialog["state"] == "CONFIRMED"
        assert phones.phone.bye(name, side, time.monotonic())
        assert phones.until("bye_answered", call=name)["status"] == 200
        phones.until("bye_received", call=name)
        assert core.client.get("/v1/dialogs") == []


def test_a_refused_call_fails_with_the_status_of_the_phone(core: CoreProcess, phones: LivePhones) -> None:
    phones.call("r", "alice", "bob")
    phones.phone.reject("r", 486, time.monotonic())
    assert phones.until("failed", call="r")["status"] == 486
    assert core.client.get("/v1/dialogs") == []


def test_a_cancelled_call_stops_ringing(core: CoreProcess, phones: LivePhones) -> None:
    phones.call("c", "alice", "bob")
    phones.phone.cancel("c", time.monotonic())
    assert phones.until("cancel_answered", call="c")["status"] == 200
    phones.until("cancelled", call="c")
    assert phones.until("failed", call="c")["status"] == 487
    assert core.client.get("/v1/dialogs") == []


def test_two_contacts_ring_and_the_first_that_answers_gets_the_call(
    core: CoreProcess, proxy: tuple[str, int], phones: LivePhones
) -> None:
    with LivePhones(proxy, "bob") as second:
        second.register("bob")
        phones.call("f", "alice", "bob")
        second.until("ringing", call="f")
        second.phone.answer("f", time.monotonic())
        second.wire.flush()
        phones.until("answered", call="f")
        phones.until("cancelled", call="f")
        second.until("established", call="f")
        phones.phone.bye("f", "caller", time.monotonic())
        phones.wire.flush()
        second.until("bye_received", call="f")
        assert phones.until("bye_answered", call="f")["status"] == 200
        second.register("bob", expires=0)


@pytest.mark.parametrize(("called", "status"), [("dave", 480), ("nobody", 480), ("x@elsewhere.test", 500)])
def test_a_call_that_leads_nowhere_says_why(phones: LivePhones, called: str, status: int) -> None:
    phones.phone.call(called, b"alice", called.encode(), time.monotonic())
    assert phones.until("failed", call=called)["status"] == status


def test_options_to_the_core_are_answered(phones: LivePhones) -> None:
    phones.phone.options("o", b"alice", time.monotonic())
    assert phones.until("options_answered", call="o")["status"] == 200


def test_a_registration_ends_by_itself(core: CoreProcess, proxy: tuple[str, int]) -> None:
    with LivePhones(proxy, "dave") as phones:
        phones.register("dave", expires=1)
        assert core.client.get("/v1/location?aor=dave@example.test")
        wait_for(lambda: not core.client.get("/v1/location?aor=dave@example.test"), "dave is gone")


def test_garbage_is_counted_and_logged_at_a_bounded_rate(core: CoreProcess, phones: LivePhones) -> None:
    before = core.counters()["bad_datagrams"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attacker:
        for size in range(1, 201):  # 10 and 13 are line ends, a keepalive
            attacker.sendto(bytes([size % 256]) * size, (core.address, core.port))
        attacker.sendto(b"INVITE " + b"x" * 65000, (core.address, core.port))
    wait_for(lambda: core.counters()["bad_datagrams"] >= before + 199, "all are counted")
    assert core.log().count("bad datagrams") <= 2
    phones.phone.options("alive", b"alice", time.monotonic())
    assert phones.until("options_answered", call="alive")["status"] == 200


def test_no_message_of_this_file_broke_the_core(core: CoreProcess) -> None:
    assert core.counters()["failures"] == 0, core.log()


def test_sigterm_ends_it_cleanly_and_takes_the_socket_away(tmp_path: Path) -> None:
    with CoreProcess(tmp_path) as core:
        assert core.process is not None
        core.process.terminate()
        assert core.process.wait(5) == 0
        assert "stopped" in core.log()
        assert not (tmp_path / "a" / "run" / "control.sock").exists()
