"""IO shell: probes against real services on the loopback, without privileges: good, bad and hanging."""

import asyncio
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from haagent.config import AgentConfig, load
from haagent.health.check import Result
from haagent.health.probes import open_probe
from haagent.health.runner import Findings, HealthChecks
from tests.kit.redis_server import RedisServer, free_tcp_port

CONFIG = """
node = "a"
[[virtual_router]]
name = "sip"
vrid = 51
interface = "eth0"
vips = ["10.88.0.100"]
[[check]]
name = "c"
timeout = "200ms"
interval = "50ms"
"""


def config(table: str) -> AgentConfig:
    return load(CONFIG + table)


def probe(table: str, seconds: float = 5.0) -> Result:
    """One run; a TimeoutError when it hangs."""

    async def run() -> Result:
        one = open_probe(config(table).check[0])
        try:
            async with asyncio.timeout(seconds):
                return await one.run()
        finally:
            one.close()

    return asyncio.run(run())


class Web(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        code, body = (200, b"all is well") if self.path == "/health" else (503, b"no")
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        return


@pytest.fixture
def web() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@contextmanager
def silent(kind: socket.SocketKind) -> Iterator[int]:
    """A port whose owner never says anything."""
    with socket.socket(socket.AF_INET, kind) as listener:
        listener.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            listener.listen()
        yield listener.getsockname()[1]


def test_http_looks_at_status_and_body(web: str) -> None:
    assert probe(f'kind = "http"\nurl = "{web}/health"\ncontains = "is well"').good
    assert probe(f'kind = "http"\nurl = "{web}/down"\naccept = ["503"]').good
    down = probe(f'kind = "http"\nurl = "{web}/down"')
    assert (down.good, down.reason) == (False, f"{web}/down: 503 Service Unavailable")
    text = probe(f'kind = "http"\nurl = "{web}/health"\ncontains = "ill"')
    assert text.reason == f"{web}/health: the body does not contain 'ill'"


def test_redis_is_asked_with_ping_and_a_killed_one_refuses(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        table = f'kind = "redis"\nurl = "redis://127.0.0.1:{server.port}"'
        assert probe(table).good
        server.kill()
        assert not probe(table).good


@pytest.mark.parametrize(
    "table",
    [
        'kind = "tcp"\ntarget = "127.0.0.1:{port}"',
        'kind = "http"\nurl = "http://127.0.0.1:{port}/"',
        'kind = "redis"\nurl = "redis://127.0.0.1:{port}"',
        'kind = "sip-options"\ntransport = "udp"\ntarget = "127.0.0.1:{port}"',
        'kind = "sip-options"\ntransport = "tcp"\ntarget = "127.0.0.1:{port}"',
    ],
)
def test_a_refused_service_is_a_result_and_no_exception(table: str) -> None:
    result = probe(table.format(port=free_tcp_port()))
    assert not result.good
    assert result.reason


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        ('kind = "http"\nurl = "http://127.0.0.1:{port}/"', socket.SOCK_STREAM),
        ('kind = "redis"\nurl = "redis://127.0.0.1:{port}"', socket.SOCK_STREAM),
        ('kind = "sip-options"\ntarget = "127.0.0.1:{port}"', socket.SOCK_DGRAM),
        ('kind = "sip-options"\ntransport = "tcp"\ntarget = "127.0.0.1:{port}"', socket.SOCK_STREAM),
    ],
)
def test_a_service_that_accepts_and_is_silent_fails_at_the_limit_of_the_check(
    table: str, kind: socket.SocketKind
) -> None:
    async def run(port: int) -> Findings:
        told: list[Findings] = []
        checks = HealthChecks(config(table.format(port=port)), told.append)
        task = asyncio.create_task(checks.run())
        async with asyncio.timeout(10):
            while not told:  # noqa: ASYNC110 - the runner calls back, it has no event to wait for
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return told[0]

    with silent(kind) as port:
        (found,) = asyncio.run(run(port))
    assert found.reason == "no answer within 200 ms"


def test_a_file_is_looked_at_for_presence_text_age_and_number(tmp_path: Path) -> None:
    path = tmp_path / "file"
    table = f'kind = "file"\npath = "{path}"\n'
    assert probe(table).reason == f"{path}: No such file or directory"
    path.write_text("-40\n")
    assert probe(table) == Result(True, f"{path} is there")
    assert probe(table + 'contains = "-4"').good
    assert not probe(table + 'contains = "5"').good
    path.write_text("-40\n")
    content = CONFIG.replace("vips =", "preempt = true\nvips =") + table + "weigh_content = true\nweight = 1"

    async def number() -> Result:
        return await open_probe(load(content).check[0]).run()

    assert asyncio.run(number()) == Result(True, f"{path} holds -40", -40)
    path.write_text("many\n")
    assert asyncio.run(number()).reason == f"{path} holds no whole number"
    os.utime(path, (0, 0))
    assert "s old, more than 60 s" in probe(table + 'max_age = "60s"').reason


def test_a_file_that_hangs_hangs_alone(tmp_path: Path) -> None:
    """Opening a FIFO that nobody writes blocks as a file on a dead file server does."""
    path = tmp_path / "fifo"
    os.mkfifo(path)

    async def run() -> tuple[bool, Result]:
        one = open_probe(config(f'kind = "file"\npath = "{path}"').check[0])
        hung = False
        try:
            async with asyncio.timeout(0.2):
                await one.run()
        except TimeoutError:
            hung = True
        return hung, await one.run()

    hung, second = asyncio.run(run())
    assert hung
    assert second == Result(False, "an earlier look still hangs")
    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))


def test_a_process_is_found_by_name_and_by_pidfile_and_a_stopped_one_does_not_run(tmp_path: Path) -> None:
    name = "haprobe-sleeper"
    program = tmp_path / name
    program.symlink_to("/bin/sleep")
    pidfile = tmp_path / "pid"
    table = f'kind = "process"\nprogram = "{name}"\n'
    by_file = f'kind = "process"\npidfile = "{pidfile}"\n'
    assert probe(table) == Result(False, f"{name} does not run")
    process = subprocess.Popen([program, "60"])
    try:
        pidfile.write_text(f"{process.pid}\n")
        while not probe(table).good:
            pass
        assert probe(by_file).good
        assert not probe(table + "at_least = 2").good
        process.send_signal(signal.SIGSTOP)
        while probe(table).good:
            pass
        assert "is stopped or a zombie" in probe(table).reason
    finally:
        process.kill()
        process.wait()
    assert not probe(by_file).good


def test_a_script_that_cannot_be_started_is_a_result(tmp_path: Path) -> None:
    user = "root" if os.geteuid() == 0 else os.environ.get("USER", "nobody")
    missing = tmp_path / "no.sh"
    result = probe(f'kind = "script"\nuser = "{user}"\ncommand = ["{missing}"]')
    assert result.reason == f"{missing} cannot be started: No such file or directory"
    unknown = probe('kind = "script"\nuser = "nobody-of-this-name"\ncommand = ["/bin/true"]')
    assert unknown.reason == "there is no user 'nobody-of-this-name'"
