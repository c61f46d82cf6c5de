"""IO shell: notify scripts, the event stream and webhooks, each by itself and for real."""

import asyncio
import hashlib
import hmac
import json
import os
import stat
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from haagent.config.hooks import HookConfig, HooksConfig, WebhookConfig
from haagent.config.kinds import Duration
from haagent.errors import ConfigError, HostError
from haagent.hooks.fifo import Fifo
from haagent.hooks.script import Script
from haagent.hooks.transition import Transition
from haagent.hooks.webhook import Webhook
from haagent.hooks.worker import Outcome
from haagent.lab.watch import wait_until

MASTER = Transition("INSTANCE", "sip", "BACKUP", "MASTER", 150, 7, "the peer hands over", 0.0)
SECRET = b"a secret of 32 bytes for webhooks"


def script(folder: Path, body: str, **options: object) -> Outcome:
    folder.chmod(0o777)  # nobody writes there
    path = folder / "notify"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    config = HookConfig(name="x", command=(str(path), "own"), **options)  # type: ignore[arg-type]
    return asyncio.run(Script(config, "a", "").deliver(MASTER))


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder that another user reaches."""
    for parent in [tmp_path, *tmp_path.parents][:4]:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o055)
    return tmp_path


def test_a_script_gets_keepalived_s_arguments_after_its_own_and_more_in_its_environment(
    open_folder: Path,
) -> None:
    said = open_folder / "said"
    outcome = script(
        open_folder, f'echo "$@|$HAAGENT_NODE $HAAGENT_OLD $HAAGENT_EPOCH $HAAGENT_REASON" > {said}'
    )
    assert outcome == Outcome("ok", "exit code 0")
    assert said.read_text() == "own INSTANCE sip MASTER 150|a BACKUP 7 the peer hands over\n"


def test_a_script_for_one_state_gets_its_own_arguments_alone(open_folder: Path) -> None:
    said = open_folder / "said"
    script(open_folder, f'echo "$@" > {said}', arguments="none")
    assert said.read_text() == "own\n"


@pytest.mark.root
def test_a_script_runs_as_another_user_without_any_capability(open_folder: Path) -> None:
    said = open_folder / "said"
    script(open_folder, f"id -un > {said}; grep -E 'Cap(Prm|Eff|Amb)' /proc/self/status >> {said}")
    lines = said.read_text().splitlines()
    assert lines[0] == "nobody"
    assert [int(line.split()[1], 16) for line in lines[1:]] == [0, 0, 0]


def command_line(pid: str) -> bytes:
    """Empty when the process is gone, or a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_script_that_hangs_is_ended_with_all_that_it_has_started(open_folder: Path) -> None:
    pid = open_folder / "pid"
    outcome = script(open_folder, f"sleep 3673 & echo $! > {pid}; wait", timeout=Duration(1.0))
    assert outcome == Outcome("timeout", "killed after 1 s")
    assert wait_until(lambda: b"3673" not in command_line(pid.read_text().strip()), 10)


def test_a_script_that_fails_that_is_unsafe_or_that_is_not_there_is_said_to_be(open_folder: Path) -> None:
    assert script(open_folder, "exit 3") == Outcome("failed", "exit code 3")
    assert (
        script(open_folder, "", user="nobody-of-this-name").detail == "there is no user 'nobody-of-this-name'"
    )
    (open_folder / "notify").chmod(0o777)
    config = HookConfig(name="x", command=(str(open_folder / "notify"),))
    outcome = asyncio.run(Script(config, "a", "").deliver(MASTER))
    assert outcome.detail == f"{open_folder / 'notify'} is not safe: others may write to it"
    gone = HookConfig(name="x", command=("/nowhere/notify",))
    outcome = asyncio.run(Script(gone, "a", "").deliver(MASTER))
    assert outcome == Outcome("failed", "/nowhere/notify cannot be started: No such file or directory")


def stream(path: Path, work: Callable[[Fifo], Awaitable[None]], backlog: int = 1000) -> None:
    async def main() -> None:
        fifo = Fifo(HooksConfig(fifo=str(path), fifo_backlog=backlog))
        await work(fifo)
        fifo.close()

    asyncio.run(main())


def read_all(path: Path) -> list[bytes]:
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return os.read(reader, 1 << 20).splitlines()
    except BlockingIOError:
        return []
    finally:
        os.close(reader)


def test_the_event_stream_has_keepalived_s_lines_and_keeps_them_for_a_later_reader(tmp_path: Path) -> None:
    path = tmp_path / "run" / "notify.fifo"

    async def work(fifo: Fifo) -> None:
        fifo.offer(MASTER)
        fifo.offer(Transition("GROUP", "a", "BACKUP", "MASTER", 0, 7, "why", 0.0))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert read_all(path) == [b'INSTANCE "sip" MASTER 150', b'GROUP "a" MASTER 0']

    stream(path, work)
    assert not path.exists()


def test_without_a_reader_the_stream_is_bounded_and_the_oldest_of_what_waits_is_dropped(
    tmp_path: Path,
) -> None:
    path = tmp_path / "notify.fifo"

    async def work(fifo: Fifo) -> None:
        for number in range(10_000):
            fifo.offer(Transition("INSTANCE", "sip", "BACKUP", "MASTER", number, 7, "why", 0.0))
        status = fifo.status()
        assert status["waiting"] == 100
        assert status["ok"] + status["waiting"] + status["dropped"] == 10_000
        seen: list[bytes] = []
        while len(seen) < status["ok"] + 100:
            seen += read_all(path)
            await asyncio.sleep(0.001)  # the loop writes on as there is room
        assert seen[-1] == b'INSTANCE "sip" MASTER 9999'
        assert seen == sorted(seen, key=lambda line: int(line.split()[-1]))

    stream(path, work, backlog=100)


def test_a_file_that_is_no_pipe_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HostError, match="is there and is no FIFO"):
        Fifo(HooksConfig(fifo=str(tmp_path / "file")))


class Receiver:
    """A web server that answers as told."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.seen: list[tuple[dict[str, str], bytes]] = []
        self.hang = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        self.seen.append((dict(request.headers), await request.read()))
        status = self.statuses.pop(0) if self.statuses else 204
        if status == 0:
            await self.hang.wait()
        return web.Response(status=status or 204)


def post(folder: Path, *statuses: int, attempts: int = 5, timeout: float = 5.0) -> tuple[Outcome, Receiver]:
    secret = folder / "secret"
    secret.write_bytes(SECRET + b"\n")

    async def main() -> tuple[Outcome, Receiver]:
        receiver = Receiver(*statuses)
        app = web.Application()
        app.router.add_post("/ha", receiver.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        config = WebhookConfig(
            name="x",
            url=f"http://127.0.0.1:{port}/ha",
            secret_file=str(secret),
            attempts=attempts,
            timeout=Duration(timeout),
        )
        try:
            outcome = await Webhook(config, "a").deliver(MASTER)
        finally:
            receiver.hang.set()
            await runner.cleanup()
        return outcome, receiver

    return asyncio.run(main())


def test_a_webhook_posts_json_with_a_signature_over_time_and_body(tmp_path: Path) -> None:
    outcome, receiver = post(tmp_path)
    headers, body = receiver.seen[0]
    assert outcome.result == "ok"
    told = json.loads(body)
    assert told.pop("time").endswith("Z")
    assert told == {
        "node": "a",
        "kind": "INSTANCE",
        "name": "sip",
        "old": "BACKUP",
        "state": "MASTER",
        "priority": 150,
        "epoch": 7,
        "reason": "the peer hands over",
    }
    assert headers["X-Haagent-Event"] == "INSTANCE.MASTER"
    signed = headers["X-Haagent-Timestamp"].encode() + b"." + body
    assert headers["X-Haagent-Signature"] == "sha256=" + hmac.new(SECRET, signed, hashlib.sha256).hexdigest()
    assert abs(int(headers["X-Haagent-Timestamp"]) - time.time()) < 60


def test_a_webhook_is_tried_again_until_the_receiver_is_back(tmp_path: Path) -> None:
    outcome, receiver = post(tmp_path, 503, 429, 200)
    assert (outcome.result, len(receiver.seen)) == ("ok", 3)
    assert len({body for _, body in receiver.seen}) == 1


def test_a_webhook_that_is_refused_is_not_tried_again(tmp_path: Path) -> None:
    outcome, receiver = post(tmp_path, 403)
    assert (outcome.result, len(receiver.seen)) == ("failed", 1)
    assert outcome.detail.endswith("/ha: 403")
    assert len(post(tmp_path, 302)[1].seen) == 1


def test_a_webhook_gives_up_after_its_attempts_and_says_whether_it_was_too_late(tmp_path: Path) -> None:
    outcome, receiver = post(tmp_path, 500, 500, 500, attempts=2)
    assert (outcome.result, len(receiver.seen)) == ("failed", 2)
    outcome, _ = post(tmp_path, 0, 0, attempts=2, timeout=0.2)
    assert outcome.result == "timeout"


def test_a_secret_that_is_too_short_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("short")
    config = WebhookConfig(name="x", url="http://127.0.0.1/", secret_file=str(tmp_path / "secret"))
    with pytest.raises(ConfigError, match="holds 5 bytes, at least 16"):
        Webhook(config, "a")
