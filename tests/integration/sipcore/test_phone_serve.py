"""`sipcore phone serve`: JSON commands in, JSON events out, against a core on loopback."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from tests.kit.sip_live import DOMAIN, ROOT, USERS, CoreProcess, sipcore


class Served:
    """The phones in their process."""

    def __init__(self, folder: Path, core: CoreProcess) -> None:
        users = folder / "phones"
        users.write_text("# two phones\n" + "".join(f"{user}:{USERS[user]}\n" for user in ("alice", "bob")))
        argv = [sys.executable, "-m", "sipcore", "phone", "serve", "--local", "127.0.0.1"]
        argv += ["--proxy", f"{core.address}:{core.port}", "--users", str(users), "--domain", DOMAIN]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)

    def __enter__(self) -> Self:
        assert self.next()["event"] == "ready"
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.process.communicate()

    def do(self, cmd: str, **values: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"cmd": cmd, **values}).encode() + b"\n")
        self.process.stdin.flush()

    def next(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def until(self, event: str) -> Any:
        while (seen := self.next())["event"] != event:
            pass
        return seen


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreProcess]:
    with CoreProcess(tmp_path_factory.mktemp("core")) as running:
        yield running


@pytest.fixture
def phones(core: CoreProcess, tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path, core) as running:
        yield running


def test_a_call_from_register_to_bye_in_json(phones: Served) -> None:
    for user in ("alice", "bob"):
        phones.do("register", user=user, expires=60)
        registered = phones.until("registered")
        assert (registered["user"], registered["status"]) == (user, 200)
        assert isinstance(registered["t"], float)
    phones.do("call", id="x", **{"from": "alice", "to": "bob"})
    ringing = phones.until("ringing")
    assert (ringing["id"], ringing["leg"]) == ("x", "callee")
    progress = phones.until("progress")
    assert (progress["id"], progress["leg"], progress["status"]) == ("x", "caller", 180)
    phones.do("answer", id="x")
    assert {phones.next()["event"] for _ in range(2)} == {"answered", "established"}
    phones.do("bye", id="x", by="callee")
    assert {phones.next()["event"] for _ in range(2)} == {"bye_received", "bye_answered"}
    for user in ("alice", "bob"):
        phones.do("register", user=user, expires=0)
        assert phones.until("registered")["expires"] == 0


def test_automatic_phones_cancel_reject_and_options(phones: Served) -> None:
    for user in ("alice", "bob"):
        phones.do("register", user=user)
        phones.until("registered")
    phones.do("auto", user="bob", mode="answer")
    phones.do("call", id="auto", **{"from": "alice", "to": "bob"})
    assert phones.until("answered")["status"] == 200
    phones.do("auto", user="bob", mode="ring")
    for name, command, status in (("c", "cancel", 487), ("r", "reject", 486)):
        phones.do("call", id=name, **{"from": "alice", "to": f"bob@{DOMAIN}"})
        phones.until("progress")
        phones.do(command, id=name)
        assert phones.until("failed")["status"] == status
    phones.do("options", user="alice", id="o")
    answered = phones.until("options_answered")
    assert (answered["id"], answered["status"]) == ("o", 200)
    assert answered["ms"] > 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"nonsense", "malformed"),
        (b'{"cmd":"dance"}', "dance"),
        (b'{"cmd":"register"}', "user"),
        (b'{"cmd":"reject","id":"x","status":200}', "400"),
        (b'{"cmd":"answer","id":"x"}', "no such call"),
        (b"\xff", ""),
    ],
)
def test_a_command_that_makes_no_sense_is_an_error_event(phones: Served, line: bytes, said: str) -> None:
    assert phones.process.stdin is not None
    phones.process.stdin.write(line + b"\n")
    phones.process.stdin.flush()
    event = phones.next()
    assert event["event"] == "error"
    assert said in event["error"]


def test_quit_and_the_end_of_stdin_end_it(core: CoreProcess, tmp_path: Path) -> None:
    with Served(tmp_path, core) as first:
        first.do("quit")
        assert first.process.wait(5) == 0
    with Served(tmp_path, core) as second:
        assert second.process.stdin is not None
        second.process.stdin.close()
        second.process.stdin = None
        assert second.process.wait(5) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--proxy", "127.0.0.1:99999"), "0..65535"),
        (("--proxy", "127.0.0.1", "--users", "/nonexistent"), "--users: /nonexistent"),
        (("--proxy", "127.0.0.1", "--t1", "soon"), "--t1"),
        (("--proxy", "127.0.0.1", "--local", "192.0.2.77"), "--local: 192.0.2.77"),
    ],
)
def test_wrong_usage_names_the_option_and_exits_2(words: tuple[str, ...], said: str) -> None:
    result = sipcore("phone", "serve", *words)
    assert (result.returncode, said in result.stderr) == (2, True), result.stderr
