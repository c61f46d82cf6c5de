"""The scripts of docs/examples/scripts with real cores as POPs on loopback and a real Redis server."""

import ast
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sipcore.script.loader import load
from tests.integration.sipcore.test_script import failed_call, finished_call
from tests.kit.redis_server import RedisServer
from tests.kit.sip_live import CoreProcess, LivePhones, free_port, wait_for

SCRIPTS = Path(__file__).parents[3] / "docs" / "examples" / "scripts"
BOB = "sip:bob@example.test"


class Pops:
    """Three POPs that share one store."""

    def __init__(self, folder: Path, redis: RedisServer, stack: ExitStack) -> None:
        self.redis = redis
        ports = {f"pop{number}": free_port() for number in (1, 2, 3)}
        places = {pop: f"127.0.0.1:{port}" for pop, port in ports.items()}
        self.cores: dict[str, CoreProcess] = {}
        for pop, port in ports.items():
            script = folder / f"{pop}.py"
            script.write_text(with_values((SCRIPTS / "pops.py").read_text(), MY_POP=pop, POPS=places))
            more = f'[script]\npath = "{script}"\n[[cachedb]]\nurl = "{redis.url}"\nbudget = "300ms"\n'
            self.cores[pop] = stack.enter_context(CoreProcess(folder, node=pop, port=port, more=more))
        self.places = {pop: ("127.0.0.1", port) for pop, port in ports.items()}

    def rows(self) -> bytes:
        """What the store holds of bob."""
        return self.redis.command("KEYS", f"aor:{BOB}:*")


def with_values(text: str, **values: object) -> str:
    """The script with other constants at its top."""
    lines = text.splitlines(keepends=True)
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in values:
                lines[node.lineno - 1] = f"{name} = {values[name]!r}\n"
    return "".join(lines)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    folder = tmp_path / "redis"
    folder.mkdir()
    with RedisServer(folder) as server:
        yield server


@pytest.fixture
def pops(tmp_path: Path, redis: RedisServer) -> Iterator[Pops]:
    with ExitStack() as stack:
        yield Pops(tmp_path, redis, stack)


def called(caller: LivePhones, callee: LivePhones, name: str) -> None:
    """alice calls bob, who is on other phones; the call is answered and ended."""
    caller.phone.call(name, b"alice", b"bob", time.monotonic())
    caller.idle(0.1)
    ringing = callee.until("ringing")
    callee.phone.answer(str(ringing["id"]), time.monotonic())
    callee.idle(0.1)
    event = caller.until("answered", "failed", call=name)
    assert event["event"] == "answered", event
    caller.idle(0.1)
    callee.until("established")
    caller.phone.bye(name, "caller", time.monotonic())
    caller.idle(0.1)
    callee.until("bye_received")
    callee.idle(0.1)
    caller.until("bye_answered", call=name)


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.py")), ids=lambda path: path.name)
def test_every_example_script_is_good(path: Path) -> None:
    assert load(path).request is not None


def test_a_user_of_one_pop_is_called_through_another(pops: Pops) -> None:
    with LivePhones(pops.places["pop1"], "alice") as alice, LivePhones(pops.places["pop2"], "bob") as bob:
        alice.register("alice")
        bob.register("bob")
        wait_for(lambda: b"pop2" in pops.rows(), "the row is there", pops.cores["pop2"].log)
        called(alice, bob, "c1")
        bob.register("bob", expires=0)
        wait_for(lambda: b"pop2" not in pops.rows(), "the row is gone", pops.cores["pop2"].log)
        assert failed_call(alice, "c2") == 480


def test_a_user_of_two_pops_rings_in_both(pops: Pops) -> None:
    with (
        LivePhones(pops.places["pop1"], "alice") as alice,
        LivePhones(pops.places["pop2"], "bob") as second,
        LivePhones(pops.places["pop3"], "bob") as third,
    ):
        alice.register("alice")
        second.register("bob")
        third.register("bob")
        wait_for(lambda: b"pop2" in pops.rows() and b"pop3" in pops.rows(), "both rows are there")
        alice.phone.call("c1", b"alice", b"bob", time.monotonic())
        alice.idle(0.1)
        second.until("ringing")
        third.until("ringing")


@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_a_dead_store_holds_no_call_and_local_users_are_still_reached(pops: Pops, how: str) -> None:
    with LivePhones(pops.places["pop1"], "alice", "bob") as phones:
        phones.register("alice", "bob")
        getattr(pops.redis, how)()
        for number in range(3):
            finished_call(phones, f"c{number}")
        assert failed_call(phones, "away", "carol") == 480
        assert pops.cores["pop1"].counters()["script_failures"] == 0


def test_a_lost_row_comes_back_with_the_next_refresh(pops: Pops) -> None:
    with LivePhones(pops.places["pop2"], "bob") as bob:
        bob.register("bob")
        wait_for(lambda: b"pop2" in pops.rows(), "the row is there")
        pops.redis.command("FLUSHALL")
        bob.register("bob")
        wait_for(lambda: b"pop2" in pops.rows(), "the row is back")


def test_calls_of_a_user_are_counted_until_they_end(tmp_path: Path, redis: RedisServer) -> None:
    url = redis.url.replace("redis:location", "redis:calls")
    more = f'[script]\npath = "{SCRIPTS / "limits.py"}"\n[[cachedb]]\nurl = "{url}"\nbudget = "300ms"\n'
    more += '[dialog]\nprofiles = ["caller"]\n'
    with (
        CoreProcess(tmp_path, more=more) as core,
        LivePhones((core.address, core.port), "alice", "bob") as phones,
    ):
        phones.register("alice", "bob")
        phones.call("c1", "alice", "bob")
        phones.phone.answer("c1", time.monotonic())
        phones.until("answered", call="c1")
        assert failed_call(phones, "c2") == 403
        phones.phone.bye("c1", "caller", time.monotonic())
        phones.until("bye_answered", call="c1")
        wait_for(lambda: redis.command("GET", "calls:alice").endswith(b"\r\n0\r\n"), "counted down", core.log)
        finished_call(phones, "c3")
        assert core.counters()["script_failures"] == 0
