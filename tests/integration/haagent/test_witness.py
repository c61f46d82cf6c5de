"""The witness: a lock in a real Redis server, and a real pair that is cut in two."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from haagent.lab.namespaces import Host, stop
from haagent.lab.topology import Lan, address
from haagent.lab.watch import wait_until
from haagent.witness.redis_lock import RedisLock
from haagent.witness.said import Outcome, Said
from tests.integration.haagent.pair import AgentNode, Pair
from tests.kit.cut import Cut
from tests.kit.redis_server import RedisServer

LEASE = 0.3
Locks = dict[str, RedisLock]


@pytest.fixture(name="server")
def _server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@asynccontextmanager
async def opened(server: RedisServer, patience: float) -> AsyncIterator[Locks]:
    url = f"redis://127.0.0.1:{server.port}/0"
    locks = {node: RedisLock(url, "sip", node, lease=LEASE, timeout=patience) for node in "ab"}
    try:
        yield locks
    finally:
        for lock in locks.values():
            await lock.close()


def tell(server: RedisServer, story: Callable[[Locks], Awaitable[None]], patience: float = 5.0) -> None:
    async def run() -> None:
        async with opened(server, patience) as locks:
            await story(locks)

    asyncio.run(run())


async def answered(lock: RedisLock, outcome: Outcome) -> Said:
    """Ask until the answer is this."""
    async with asyncio.timeout(20):
        while True:
            said = await lock.claim(1, steal=False)
            if said.outcome is outcome:
                return said
            await asyncio.sleep(0.01)


def test_one_holds_the_lock_until_its_lease_ends(server: RedisServer) -> None:
    async def story(locks: Locks) -> None:
        asked = time.monotonic()
        first = await locks["a"].claim(3, steal=False)
        assert (first.outcome, first.holder, first.epoch) == (Outcome.GRANTED, "a", 3)
        assert asked + LEASE <= first.until <= time.monotonic() + LEASE
        refused = await locks["b"].claim(1, steal=False)
        if time.monotonic() < first.until:  # else this machine was too busy
            assert refused == Said(Outcome.REFUSED, "a", 3)
        taken = await answered(locks["b"], Outcome.GRANTED)
        assert time.monotonic() >= first.until, "never before the holder itself knows that it has ended"
        assert (taken.outcome, taken.epoch) == (Outcome.GRANTED, 3), "it learns the greatest epoch"

    tell(server, story)


def test_a_master_that_was_made_one_by_its_peer_takes_the_lock_with_its_greater_epoch(
    server: RedisServer,
) -> None:
    async def story(locks: Locks) -> None:
        assert (await locks["a"].claim(5, steal=True)).outcome is Outcome.GRANTED
        assert (await locks["b"].claim(6, steal=True)).outcome is Outcome.GRANTED
        assert (await locks["a"].claim(5, steal=True)) == Said(Outcome.REFUSED, "b", 6), "fenced"
        await asyncio.sleep(LEASE + 0.05)
        assert (await locks["a"].claim(5, steal=True)).outcome is Outcome.REFUSED, "also when it is free"

    tell(server, story)


def test_who_lets_go_lets_the_other_have_it_at_once_and_nobody_lets_go_for_another(
    server: RedisServer,
) -> None:
    async def story(locks: Locks) -> None:
        await locks["a"].claim(1, steal=True)
        await locks["a"].release()
        held = await locks["b"].claim(1, steal=False)
        assert held.outcome is Outcome.GRANTED
        await locks["a"].release()
        refused = (await locks["a"].claim(1, steal=False)).outcome is Outcome.REFUSED
        assert refused or time.monotonic() > held.until

    tell(server, story)


def test_a_server_that_is_dead_or_frozen_is_away_in_time_and_is_asked_again(server: RedisServer) -> None:
    async def story(locks: Locks) -> None:
        server.freeze()
        began = time.monotonic()
        assert (await locks["a"].claim(1, steal=False)).outcome is Outcome.AWAY
        assert time.monotonic() - began < 5
        assert locks["a"].error == "no answer within 300 ms"
        server.thaw()
        await answered(locks["a"], Outcome.GRANTED)
        server.kill()
        assert (await locks["a"].claim(1, steal=False)).outcome is Outcome.AWAY
        assert locks["a"].error
        server.start()
        await answered(locks["a"], Outcome.GRANTED)

    tell(server, story, patience=0.3)


def test_a_server_that_holds_something_else_under_the_name_is_away(server: RedisServer) -> None:
    async def story(locks: Locks) -> None:
        server.command("LPUSH", "{haagent:sip}:lock", "x")
        assert (await locks["a"].claim(1, steal=False)).outcome is Outcome.AWAY
        assert "WRONGTYPE" in str(locks["a"].error)

    tell(server, story)


# A real pair: both nodes and the witness on the client's host

WITNESS = """
[witness]
url = "redis://{client}:6379/0"
name = "sip"
lease = "600ms"
timeout = "150ms"
when_away = "{when_away}"
"""


@pytest.fixture(name="witnessed")
def _witnessed(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Pair, Cut]]:
    with Lan() as lan:
        both = Pair(lan, tmp_path)
        for node in both.nodes.values():
            extra = WITNESS.format(client=address("client"), when_away=request.param)
            node.config.write_text(node.config.read_text() + extra)
        argv = ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""]
        redis = lan.hosts["client"].spawn([*argv, "--dir", str(tmp_path)])
        try:
            assert wait_until(lambda: listens(lan.hosts["client"]), 10)
            both.start()
            yield both, Cut(lan)
        finally:
            both.stop()
            stop(redis)


def listens(host: Host) -> bool:
    with host.entered(), socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", 6379)) == 0


def masters(pair: Pair) -> list[str]:
    return [node.name for node in pair.nodes.values() if node.role() == "MASTER"]


def witness(node: AgentNode) -> dict[str, object]:
    found: dict[str, object] = node.status()["witness"]
    return found


@pytest.mark.root
@pytest.mark.timeout(150)
@pytest.mark.parametrize("witnessed", ["decide-alone"], indirect=True)
def test_with_a_witness_a_partition_has_one_master_and_a_dead_witness_two(
    witnessed: tuple[Pair, Cut],
) -> None:
    pair, cut = witnessed
    pair.until(lambda: bool(witness(pair.a)["held"]), 5)
    cut.between("a", "b")
    cut.between("b", "a")
    pair.until(lambda: "but no takeover: the witness knows a as master" in pair.b.log, 10)
    time.sleep(1.0)  # longer than a lease
    assert masters(pair) == ["a"]
    assert pair.owners(0.3) == {"a"}
    cut.heal("b")
    cut.between("b", "a", "client")  # now b is cut off from the witness, too, and may decide alone
    pair.until(lambda: masters(pair) == ["a", "b"], 10)
    assert pair.b.history()[-1]["reason"] == "no master advertises; the witness does not answer"
    cut.heal("a")
    cut.heal("b")
    pair.until(lambda: len(masters(pair)) == 1, 10)
    pair.until(lambda: pair.owners(0.2) == set(masters(pair)), 10)


@pytest.mark.root
@pytest.mark.timeout(150)
@pytest.mark.parametrize("witnessed", ["stand-still"], indirect=True)
def test_a_strict_master_that_is_cut_off_makes_way_and_never_two_answer(
    witnessed: tuple[Pair, Cut],
) -> None:
    pair, cut = witnessed
    pair.until(lambda: bool(witness(pair.a)["held"]), 5)
    cut.between("a", "b", "client")
    cut.between("b", "a")
    pair.until(lambda: masters(pair) == ["b"], 15)
    stepped_back = next(r for r in reversed(pair.a.history()) if r["old"] == "MASTER")
    taken = next(r for r in reversed(pair.b.history()) if r["role"] == "MASTER")
    assert stepped_back["reason"] == "neither the peer nor the witness is heard"
    assert stepped_back["monotonic"] < taken["monotonic"]
    assert taken["epoch"] > stepped_back["epoch"]
    assert witness(pair.b)["holder"] == "b"
    cut.heal("a")
    cut.heal("b")
    pair.until(lambda: pair.settled("b"), 15)
    assert masters(pair) == ["b"]
