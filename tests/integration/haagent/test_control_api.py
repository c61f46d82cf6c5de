"""IO shell: the control API and the link to the SIP core, over real sockets, without privileges."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from haagent.control import api
from haagent.notify.core import CoreLink
from haagent.notify.told import CoreState, Told
from haagent.telemetry.observer import Observer


class StatusOnly:
    """An agent that is nothing but a status."""

    def __init__(self, role: str, core_ready: bool) -> None:
        self.orders: list[tuple[str, bool, str]] = []
        self.observer = Observer()
        self._status = {
            "node": "a",
            "role": role,
            "epoch": 7,
            "reason": "no master advertises",
            "guard_pid": 1,
            "routers": [],
            "peer": None,
            "core": {"ready": core_ready},
            "realtime": {"fifo": True},
        }

    def status(self) -> dict[str, Any]:
        return self._status

    def explain(self) -> dict[str, Any]:
        return {"lines": ["because"]}

    def history(self, last: int) -> list[dict[str, Any]]:
        return [{"id": number} for number in range(last)]

    async def command(self, name: str, *, force: bool, by: str, seconds: float | None = None) -> str | None:
        self.orders.append((name, force, by))
        return None if force else "this node is BACKUP"

    def plan(self, at: float | None, by: str) -> str | None:
        return "no switchover is planned" if at is None else None

    async def reload(self, by: str) -> tuple[list[str], str | None]:
        return ["log.level"], None


@asynccontextmanager
async def unix_session(agent: StatusOnly, path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    runner = await api.serve_unix(agent, path)
    try:
        connector = aiohttp.UnixConnector(str(path))
        async with aiohttp.ClientSession("http://agent", connector=connector) as session:
            yield session
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("role", "ready", "codes"),
    [
        ("MASTER", True, {"/health": 200, "/master": 200, "/backup": 503, "/ready": 200}),
        ("BACKUP", True, {"/health": 200, "/master": 503, "/backup": 200, "/ready": 200}),
        ("BACKUP", False, {"/health": 200, "/master": 503, "/backup": 200, "/ready": 503}),
        ("FAULT", True, {"/health": 503, "/master": 503, "/backup": 503, "/ready": 503}),
    ],
)
def test_status_codes_tell_load_balancers_the_role(
    tmp_path: Path, role: str, ready: bool, codes: dict[str, int]
) -> None:
    async def ask() -> dict[str, int]:
        found = {}
        async with unix_session(StatusOnly(role, ready), tmp_path / "s") as session:
            for path in codes:
                async with session.get(path) as answer:
                    found[path] = answer.status
                    assert (await answer.json())["role"] == role
        return found

    assert asyncio.run(ask()) == codes


def test_metrics_show_role_and_epoch(tmp_path: Path) -> None:
    async def ask() -> str:
        async with unix_session(StatusOnly("MASTER", True), tmp_path / "s") as session:
            async with session.get("/metrics") as answer:
                return await answer.text()

    text = asyncio.run(ask())
    assert 'haagent_role{role="MASTER"} 1.0' in text
    assert "haagent_epoch 7.0" in text


def test_command_carries_the_users_id_and_a_refusal_is_a_conflict(tmp_path: Path) -> None:
    agent = StatusOnly("BACKUP", True)

    async def ask() -> tuple[int, dict[str, Any], int]:
        async with unix_session(agent, tmp_path / "s") as session:
            async with session.post("/v1/failover", json={"force": False}) as refused:
                error = await refused.json()
            async with session.post("/v1/failover", json={"force": True}) as done:
                return refused.status, error, done.status

    assert asyncio.run(ask()) == (409, {"error": "this node is BACKUP"}, 200)
    assert agent.orders[0] == ("failover", False, f"operator (uid {os.getuid()})")


def test_bodies_and_queries_that_are_wrong_are_refused(tmp_path: Path) -> None:
    async def ask() -> list[int]:
        found = []
        async with unix_session(StatusOnly("MASTER", True), tmp_path / "s") as session:
            for body in (b"{", b"[]", b'{"force": "yes"}'):
                async with session.post("/v1/switchover", data=body) as answer:
                    found.append(answer.status)
            async with session.get("/v1/history?last=x") as answer:
                found.append(answer.status)
        return found

    assert asyncio.run(ask()) == [400, 400, 400, 400]


class Core:
    """The plain core as a process, and what the link said of it."""

    def __init__(self, path: Path, silence: float) -> None:
        self.path = path
        self.states: list[CoreState] = []
        self.gone: list[str] = []
        self.told: list[Told] = []
        self.link = CoreLink(
            str(path),
            on_state=self.states.append,
            on_gone=self.gone.append,
            on_told=lambda told, _now: self.told.append(told),
            silence=silence,
        )

    async def start(self) -> asyncio.subprocess.Process:
        argv = [sys.executable, "-m", "tests.kit.plain_core", str(self.path)]
        return await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - the core's process has no event of ours to set
            await asyncio.sleep(0.005)


def with_core(tmp_path: Path, story: Callable[[Core], Awaitable[None]], *, silence: float = 5.0) -> None:
    async def run() -> None:
        core = Core(tmp_path / "core.sock", silence)
        task = asyncio.create_task(core.link.run())
        try:
            await story(core)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    asyncio.run(run())


def test_core_is_told_the_newest_role_once_it_is_there(tmp_path: Path) -> None:
    async def story(core: Core) -> None:
        core.link.tell(Told("BACKUP", 1, "startup"))
        core.link.tell(Told("MASTER", 2, "no master advertises"))
        process = await core.start()
        await until(lambda: len(core.told) > 0)
        assert {told.role for told in core.told} == {"MASTER"}
        assert process.stdout is not None
        assert json.loads(await process.stdout.readline())["epoch"] == 2
        process.kill()
        await process.wait()

    with_core(tmp_path, story)


def test_silence_that_the_agent_has_slept_through_is_no_death_of_the_core(tmp_path: Path) -> None:
    async def story(core: Core) -> None:
        process = await core.start()
        await until(lambda: bool(core.states))
        process.send_signal(signal.SIGSTOP)  # as in a machine that is paused, the core stands still, too
        time.sleep(3)  # noqa: ASYNC251 - so does the agent
        process.send_signal(signal.SIGCONT)
        before = len(core.states)
        await until(lambda: len(core.states) > before)
        assert core.gone == []
        process.send_signal(signal.SIGSTOP)  # the core alone: that is one
        await until(lambda: bool(core.gone))
        process.kill()
        await process.wait()

    with_core(tmp_path, story, silence=1.5)


def test_death_of_the_core_is_seen_and_the_next_one_is_told_the_role(tmp_path: Path) -> None:
    async def story(core: Core) -> None:
        first = await core.start()
        core.link.tell(Told("MASTER", 5, "no master advertises"))
        await until(lambda: bool(core.told and core.states) and core.states[-1].pid == first.pid)
        killed = time.monotonic()
        first.send_signal(signal.SIGKILL)
        await until(lambda: bool(core.gone))
        assert time.monotonic() - killed < 2, "by the end of its stream, not by its silence"
        await first.wait()
        second = await core.start()
        before = len(core.told)
        await until(lambda: len(core.told) > before)
        assert core.told[-1].epoch == 5
        second.kill()
        await second.wait()

    with_core(tmp_path, story)
