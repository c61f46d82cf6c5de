"""`/events` and the verdicts for load balancers, over real HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from haagent.control import api, stream
from haagent.telemetry.events import Event
from tests.integration.haagent.test_control_api import StatusOnly

Story = Callable[[StatusOnly, aiohttp.ClientSession], Awaitable[None]]


@asynccontextmanager
async def served(agent: StatusOnly, path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    runner = await api.serve_unix(agent, path)
    connector = aiohttp.UnixConnector(str(path), limit=0)
    agent.observer.attach()
    try:
        async with aiohttp.ClientSession("http://agent", connector=connector) as session:
            yield session
    finally:
        agent.observer.feed.close()
        await runner.cleanup()


def tell(tmp_path: Path, story: Story, role: str = "MASTER") -> None:
    async def run() -> None:
        agent = StatusOnly(role, core_ready=True)
        async with asyncio.timeout(30), served(agent, tmp_path / "s") as session:
            await story(agent, session)

    asyncio.run(run())


async def events(response: aiohttp.ClientResponse, count: int) -> list[dict[str, str]]:
    """The next so many events, as a browser reads them."""
    found: list[dict[str, str]] = []
    fields: dict[str, str] = {}
    async for line in response.content:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if line == b"\n":
            if "event" in fields:
                found.append(fields)
            fields = {}
        else:
            fields[name] = value
        if len(found) == count:
            break
    return found


def test_the_status_comes_first_and_then_each_event_with_its_number(tmp_path: Path) -> None:
    async def story(agent: StatusOnly, session: aiohttp.ClientSession) -> None:
        async with session.get("/events") as response:
            assert response.headers["Content-Type"] == "text/event-stream"
            (first,) = await events(response, 1)
            assert (first["event"], json.loads(first["data"])["role"]) == ("status", "MASTER")
            agent.observer.tap(Event.ALARM, {"event": Event.ALARM, "text": "look", "level": "warning"})
            (alarm,) = await events(response, 1)
            assert alarm["event"] == "alarm"
            assert alarm["id"].endswith("-1")
            assert json.loads(alarm["data"]) == {"text": "look", "level": "warning"}

    tell(tmp_path, story)


def test_a_reader_that_comes_back_gets_what_it_has_missed_and_only_what_it_wants(tmp_path: Path) -> None:
    async def story(agent: StatusOnly, session: aiohttp.ClientSession) -> None:
        async with session.get("/events?only=note") as response:
            agent.observer.tap(Event.NOTE, {"text": "0"})
            (seen,) = await events(response, 1)
        for number in range(1, 4):
            agent.observer.tap(Event.ALARM, {"text": "not asked for"})
            agent.observer.tap(Event.NOTE, {"text": str(number)})
        headers = {"Last-Event-ID": seen["id"]}
        async with session.get("/events?only=note", headers=headers) as response:
            assert [json.loads(e["data"])["text"] for e in await events(response, 3)] == ["1", "2", "3"]

    tell(tmp_path, story)


def test_a_reader_that_missed_too_much_is_told_how_much(tmp_path: Path) -> None:
    async def story(agent: StatusOnly, session: aiohttp.ClientSession) -> None:
        async with session.get("/events?only=note,lost") as response:
            agent.observer.tap(Event.NOTE, {"text": "0"})
            (seen,) = await events(response, 1)
        for _ in range(600):
            agent.observer.tap(Event.NOTE, {"text": "more"})
        headers = {"Last-Event-ID": seen["id"]}
        async with session.get("/events?only=note,lost", headers=headers) as response:
            found = await events(response, 513)
            assert (found[0]["event"], found[0]["data"]) == ("lost", '{"events":88}')

    tell(tmp_path, story)


def test_readers_are_bounded_and_leave_when_the_agent_stops(tmp_path: Path) -> None:
    async def story(agent: StatusOnly, session: aiohttp.ClientSession) -> None:
        readers = [await session.get("/events?only=alarm") for _ in range(stream.MAX_READERS)]
        async with session.get("/events") as refused:
            assert refused.status == 503
        readers.pop().close()
        async with asyncio.timeout(10):
            while (again := await session.get("/events?only=alarm")).status == 503:
                again.close()
                agent.observer.tap(Event.ALARM, {"text": "who is there still?"})
                await asyncio.sleep(0.01)
        agent.observer.feed.close()
        for reader in [*readers, again]:
            assert await reader.content.read() is not None  # it ends

    tell(tmp_path, story)


def test_an_unknown_kind_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    async def story(_agent: StatusOnly, session: aiohttp.ClientSession) -> None:
        async with session.get("/events?only=rolechange") as answer:
            assert answer.status == 400
            assert "role_changed" in (await answer.json())["error"]
        async with session.get("/events?last=513") as answer:
            assert answer.status == 400
        for last in ("-1", "1001", "x", "٣"):
            async with session.get("/history", params={"last": last}) as answer:
                assert answer.status == 400
        async with session.get("/history?last=2") as answer:
            assert len(await answer.json()) == 2

    tell(tmp_path, story)


@pytest.mark.parametrize(("role", "master", "backup"), [("MASTER", 200, 503), ("BACKUP", 503, 200)])
def test_head_and_options_have_the_status_and_no_body(
    tmp_path: Path, role: str, master: int, backup: int
) -> None:
    async def story(_agent: StatusOnly, session: aiohttp.ClientSession) -> None:
        for path, code in (("/master", master), ("/backup", backup), ("/health", 200), ("/ready", 200)):
            for method in ("GET", "HEAD", "OPTIONS"):
                async with session.request(method, path) as answer:
                    body: bytes | dict[str, Any] = await answer.read()
                    assert (answer.status, bool(body)) == (code, method == "GET"), (method, path)
            async with session.post(path) as answer:
                assert answer.status == 405

    tell(tmp_path, story, role)
