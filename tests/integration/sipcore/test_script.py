"""A SIP core with a routing script on loopback: mistakes, reload, failure route, stores, events."""

import http.client
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.redis_server import RedisServer
from tests.kit.sip_live import CoreProcess, LivePhones, sipcore, wait_for

HEAD = "from sipcore.script import *\n\n"
REGISTER = """
    if await is_method(call, "REGISTER"):
        if await www_authorize(call):
            await save(call, "location")
        else:
            await www_challenge(call)
        return
    if await has_totag(call):
        await loose_route(call)
        await relay(call)
        return
"""
PLAIN = (
    HEAD
    + "@request_route\nasync def main(call: Call) -> None:"
    + REGISTER
    + """
    await record_route(call)
    if await lookup(call, "location"):
        await relay(call)
    else:
        await sl_send_reply(call, 404)
"""
)


class Scripted(CoreProcess):
    """A core with a script, and a Redis server if one is given."""

    def __init__(self, folder: Path, text: str, *, redis: RedisServer | None = None) -> None:
        self.script = folder / "route.py"
        self.script.write_text(text)
        more = f'[script]\npath = "{self.script}"\n'
        if redis is not None:
            more += f'[[cachedb]]\nurl = "{redis.url}"\nbudget = "300ms"\n'
        super().__init__(folder, more=more)

    def line_of(self, text: str) -> str:
        """file:line of the line with this text."""
        lines = self.script.read_text().splitlines()
        return f"{self.script}:{next(n for n, line in enumerate(lines, 1) if text in line)}"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    folder = tmp_path / "redis"
    folder.mkdir()
    with RedisServer(folder) as server:
        yield server


def finished_call(phones: LivePhones, name: str, called: str = "bob") -> None:
    """A call from alice that is answered and ended."""
    phones.call(name, "alice", called)
    phones.phone.answer(name, time.monotonic())
    assert phones.until("answered", "failed", call=name)["event"] == "answered"
    phones.phone.bye(name, "caller", time.monotonic())
    phones.until("bye_answered", call=name)


def failed_call(phones: LivePhones, name: str, called: str = "bob") -> int:
    """The status that a call from alice fails with."""
    phones.phone.call(name, b"alice", called.encode(), time.monotonic())
    event = phones.until("failed", "answered", call=name)
    assert event["event"] == "failed"
    return int(str(event["status"]))


def test_an_exception_in_a_route_answers_500_and_the_log_names_the_line(tmp_path: Path) -> None:
    text = PLAIN.replace("    await record_route(call)", '    call.values["x"].strip()  # here')
    with Scripted(tmp_path, text) as core, LivePhones((core.address, core.port), "alice", "bob") as phones:
        phones.register("alice", "bob")
        assert failed_call(phones, "c1") == 500
        wait_for(lambda: core.line_of("# here") in core.log(), "the log names the line", core.log)
        assert "KeyError: 'x'" in core.log()
        assert core.counters()["script_failures"] == 1


def test_a_reload_changes_what_comes_and_leaves_the_calls_alone(tmp_path: Path) -> None:
    with Scripted(tmp_path, PLAIN) as core, LivePhones((core.address, core.port), "alice", "bob") as phones:
        phones.register("alice", "bob")
        phones.call("ringing", "alice", "bob")
        phones.call("up", "alice", "bob")
        phones.phone.answer("up", time.monotonic())
        phones.until("answered", call="up")
        core.script.write_text(
            PLAIN.replace("    await record_route(call)", "    await sl_send_reply(call, 503)\n    return")
        )
        done = core.cli("reload")
        assert done.returncode == 0, done.stderr
        assert "generation 2" in done.stdout
        assert failed_call(phones, "new") == 503
        phones.phone.answer("ringing", time.monotonic())
        phones.until("answered", call="ringing")
        for name in ("ringing", "up"):
            phones.phone.bye(name, "caller", time.monotonic())
            phones.until("bye_answered", call=name)


def test_a_broken_script_is_refused_with_its_line_and_the_old_one_serves_on(tmp_path: Path) -> None:
    with Scripted(tmp_path, PLAIN) as core, LivePhones((core.address, core.port), "alice", "bob") as phones:
        phones.register("alice", "bob")
        core.script.write_text(PLAIN.replace("await record_route(call)", "record_rote(call)"))
        refused = core.cli("reload")
        assert refused.returncode == 1
        assert f"{core.line_of('record_rote')}: unknown name 'record_rote'" in refused.stderr
        finished_call(phones, "c1")
        checked = sipcore("check", str(core.config))
        assert checked.returncode == 2
        assert checked.stderr.startswith(f"{core.line_of('record_rote')}: unknown name 'record_rote'")


def test_check_is_silent_about_a_good_script(tmp_path: Path) -> None:
    core = Scripted(tmp_path, PLAIN)
    done = sipcore("check", str(core.config))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_core_does_not_start_with_a_broken_script(tmp_path: Path) -> None:
    core = Scripted(tmp_path, PLAIN.replace("await relay(call)", "relay(call)"))
    done = sipcore("run", str(core.config))
    assert done.returncode == 2
    assert f"{core.line_of('  relay(call)')}: relay(...) is not awaited" in done.stderr


def test_a_busy_user_is_answered_by_voicemail(tmp_path: Path) -> None:
    text = PLAIN.replace(
        "    await record_route(call)", '    await record_route(call)\n    await t_on_failure(call, "busy")'
    )
    text += """
@failure_route("busy")
async def busy(call: Call) -> None:
    if await t_check_status(call, "486"):
        call.ru = "sip:carol@example.test"
        await append_hf(call, "X-Voicemail: yes")
        if await lookup(call, "location"):
            await relay(call)
"""
    with (
        Scripted(tmp_path, text) as core,
        LivePhones((core.address, core.port), "alice", "bob") as phones,
        LivePhones((core.address, core.port), "carol") as voicemail,
    ):
        phones.register("alice", "bob")
        voicemail.register("carol")
        phones.call("c1", "alice", "bob")
        phones.phone.reject("c1", 486, time.monotonic())
        phones.idle(0.3)
        ringing = voicemail.until("ringing")
        voicemail.phone.answer(str(ringing["id"]), time.monotonic())
        voicemail.idle(0.1)
        assert phones.until("answered", "failed", call="c1")["event"] == "answered"


LIMIT = PLAIN.replace(
    "    await record_route(call)",
    """\
    calls = await cache_add(call, "redis:location", f"calls:{call.fU}", 1, 600)
    if calls is None:
        await append_to_reply(call, "X-Store: away")
    elif calls > 1:
        await sl_send_reply(call, 403, "One Call At A Time")
        return
    await record_route(call)""",
)


def test_a_route_awaits_redis_and_other_calls_go_on(tmp_path: Path, redis: RedisServer) -> None:
    with (
        Scripted(tmp_path, LIMIT, redis=redis) as core,
        LivePhones((core.address, core.port), "alice", "bob") as phones,
    ):
        phones.register("alice", "bob")
        finished_call(phones, "c1")
        assert failed_call(phones, "c2") == 403
        assert redis.command("GET", "calls:alice").endswith(b"2\r\n")


@pytest.mark.parametrize("how", ["freeze", "kill"])
def test_a_dead_redis_does_not_hold_a_call(tmp_path: Path, redis: RedisServer, how: str) -> None:
    with (
        Scripted(tmp_path, LIMIT, redis=redis) as core,
        LivePhones((core.address, core.port), "alice", "bob") as phones,
    ):
        phones.register("alice", "bob")
        finished_call(phones, "c1")
        redis.command("DEL", "calls:alice")
        getattr(redis, how)()
        for number in range(5):
            finished_call(phones, f"dead-{number}")
        (store,) = core.client.get("/v1/script")["stores"]
        assert store["breaker"] == "OPEN"
        assert store["rejected"] >= 1
        assert core.counters()["script_failures"] == 0
        assert b'sipcore_cachedb_usable{store="redis:location"} 0.0' in metrics(core)


def metrics(core: CoreProcess) -> bytes:
    """What Prometheus reads."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.connect(str(core.folder / "run" / "control.sock"))
    connection.request("GET", "/metrics")
    return connection.getresponse().read()
