"""A SIP core with a routing script on loopback: mistakes, reload, failure route, stores, events."""

import http.client
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.redis_server import RedisServer
from tests.kit.sip_live import ROOT, CoreProcess, LivePhones, sipcore, wait_for
from tests.kit.sip_streams import options

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

    def __init__(self, folder: Path, text: str, *, redis: RedisServer | None = None, more: str = "") -> None:
        self.script = folder / "route.py"
        self.script.write_text(text)
        more += f'[script]\npath = "{self.script}"\n'
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


def standing_call(phones: LivePhones, name: str, called: str = "bob") -> None:
    """A call from alice that is answered."""
    phones.call(name, "alice", called)
    phones.phone.answer(name, time.monotonic())
    assert phones.until("answered", "failed", call=name)["event"] == "answered"


def finished_call(phones: LivePhones, name: str, called: str = "bob") -> None:
    """A call from alice that is answered and ended."""
    standing_call(phones, name, called)
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


EVENTS = (
    PLAIN
    + """
async def seen(event: RaisedEvent, what: str) -> None:
    await cache_add(event, "redis:location", f"{event.name}:{what}", 1, 60)


@event_route("E_UL_AOR_INSERT")
@event_route("E_UL_AOR_DELETE")
async def on_aor(event: RaisedEvent) -> None:
    await seen(event, event.aor)


@event_route("E_UL_CONTACT_INSERT")
@event_route("E_UL_CONTACT_UPDATE")
@event_route("E_UL_CONTACT_DELETE")
async def on_contact(event: RaisedEvent) -> None:
    await seen(event, "contact" if event.contact else "none")


@event_route("E_DLG_STATE_CHANGED")
async def on_dialog(event: RaisedEvent) -> None:
    await seen(event, event.old_state + ">" + event.state)


@event_route("E_AUTH_FAILURE")
@event_route("E_PIKE_BLOCKED")
async def on_attack(event: RaisedEvent) -> None:
    await seen(event, event.key)
"""
)
PIKE = '[pike]\nsampling_time_unit = "2s"\nreqs_density_per_unit = 60\nremove_latency = "60s"\n'
HAPPENED = {
    "E_UL_AOR_INSERT:sip:bob@example.test",
    "E_UL_AOR_DELETE:sip:bob@example.test",
    "E_UL_CONTACT_INSERT:contact",
    "E_UL_CONTACT_UPDATE:contact",
    "E_UL_CONTACT_DELETE:contact",
    "E_DLG_STATE_CHANGED:>UNCONFIRMED",
    "E_DLG_STATE_CHANGED:UNCONFIRMED>EARLY",
    "E_DLG_STATE_CHANGED:EARLY>CONFIRMED_NA",
    "E_DLG_STATE_CHANGED:CONFIRMED_NA>CONFIRMED",
    "E_DLG_STATE_CHANGED:CONFIRMED>DELETED",
    "E_AUTH_FAILURE:bob",
    "E_PIKE_BLOCKED:127.0.0.1",
}


def test_every_event_of_the_core_reaches_its_route(tmp_path: Path, redis: RedisServer) -> None:
    with (
        Scripted(tmp_path, EVENTS, redis=redis, more=PIKE) as core,
        LivePhones((core.address, core.port), "alice", "bob") as phones,
    ):
        phones.register("alice", "bob")
        phones.register("bob")
        finished_call(phones, "c1")
        phones.register("bob", expires=0)
        with LivePhones((core.address, core.port), "bob", password="wrong") as liar:
            liar.phone.register(b"bob", 600, time.monotonic())
            liar.until("register_failed")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for number in range(200):
                stranger.sendto(options(number, transport="UDP"), (core.address, core.port))
        for name in sorted(HAPPENED):
            wait_for(lambda name=name: redis.command("GET", name) != b"$-1\r\n", name)  # type: ignore[misc]


def test_the_script_that_limits_concurrent_calls_does_so(tmp_path: Path) -> None:
    text = (ROOT / "docs/examples/scripts/concurrent_calls.py").read_text()
    more = '[dialog]\nprofiles = ["caller", "trunk"]\n'
    with (
        Scripted(tmp_path, text, more=more) as core,
        LivePhones((core.address, core.port), "alice", "bob") as phones,
    ):
        phones.register("alice", "bob")
        for number in range(2):
            standing_call(phones, f"c{number}")
        assert failed_call(phones, "c2") == 403
        phones.phone.bye("c0", "caller", time.monotonic())
        phones.until("bye_answered", call="c0")
        standing_call(phones, "c3")
        assert core.client.get("/v1/profiles/caller") == [{"value": "alice", "size": 2}]


def metrics(core: CoreProcess) -> bytes:
    """What Prometheus reads."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.connect(str(core.folder / "run" / "control.sock"))
    connection.request("GET", "/metrics")
    return connection.getresponse().read()
