"""IO shell: cores that are asked again and again: OpenSIPS by its MI, anything behind a command.

OpenSIPS has no Debian package: its MI is played by tests/kit/opensips_mi.py. Kamailio is tested for real in
test_kamailio_core.py.
"""

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from haagent.config.core import CommandConfig, OpensipsConfig, PolledConfig
from haagent.config.kinds import Duration
from haagent.notify.dialects import open_dialect
from haagent.notify.jsonrpc import DatagramRpc, RpcError, RpcRefusedError
from haagent.notify.polled import PolledCore
from haagent.notify.told import CoreState, Told
from tests.kit.opensips_mi import OpensipsMi

FAST = {"poll": Duration(0.05), "timeout": Duration(2.0), "fall": 2}
MASTER, BACKUP = Told("MASTER", 7, "why"), Told("BACKUP", 8, "why")


class Heard:
    """What the agent would hear."""

    def __init__(self) -> None:
        self.states: list[CoreState] = []
        self.gone: list[str] = []
        self.told: list[Told] = []


@asynccontextmanager
async def running(config: PolledConfig) -> AsyncIterator[tuple[PolledCore, Heard]]:
    heard = Heard()
    core = PolledCore(
        open_dialect(config, "a"),
        config,
        on_state=heard.states.append,
        on_gone=heard.gone.append,
        on_told=lambda told, _at: heard.told.append(told),
    )
    task = asyncio.create_task(core.run())
    try:
        yield core, heard
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


def opensips(mi: OpensipsMi, **options: object) -> OpensipsConfig:
    return OpensipsConfig(mi=mi.url, pidfile="", **FAST, **options)  # type: ignore[arg-type]


def test_opensips_gets_its_sharing_tag_active_and_its_twin_steps_down() -> None:
    async def main() -> None:
        async with OpensipsMi(active=True) as a, OpensipsMi() as b, running(opensips(b)) as (core, heard):
            a.twin, b.twin = b, a
            await core.first_word(20)
            assert heard.states[0] == CoreState(pid=0, role="BACKUP", ready=True, synced=True)
            core.tell(MASTER)
            await core.settle(20)
            assert (a.active, b.active, heard.told) == (False, True, [MASTER])
            assert ("clusterer_shtag_set_active", ["vip/1"]) in b.calls
            await until(lambda: core.last["role"] == "MASTER")

    asyncio.run(main())


def test_a_tag_that_was_lost_is_set_again_but_not_by_a_backup() -> None:
    async def main() -> None:
        async with OpensipsMi() as mi, running(opensips(mi)) as (core, _heard):
            core.tell(MASTER)
            await core.settle(20)
            mi.active = False  # OpenSIPS was started anew
            await until(lambda: mi.active)
            core.tell(BACKUP)
            await core.settle(20)
            mi.active = False
            seen = len(mi.calls)
            await until(lambda: len(mi.calls) > seen + 3)
            assert not mi.active

    asyncio.run(main())


def test_a_server_that_answers_no_more_is_gone_after_its_misses_and_is_told_when_it_is_back() -> None:
    async def main() -> None:
        async with OpensipsMi() as mi, running(opensips(mi)) as (core, heard):
            await core.first_word(20)
            mi.broken = True
            core.tell(MASTER)
            await until(lambda: bool(heard.gone))
            assert heard.gone == [
                f"the SIP core is gone: clusterer_list_shtags: {mi.url}: HTTP 500: Internal server error!"
            ]
            assert not core.connected
            mi.broken = False
            await core.settle(20)
            assert mi.active

    asyncio.run(main())


def test_a_refusal_is_tried_again_and_a_newer_role_does_not_wait_for_it() -> None:
    async def main() -> None:
        async with OpensipsMi() as mi:
            calls = (("no_such_method", "{role}", "{epoch}"),)
            async with running(opensips(mi, on_master=calls)) as (core, heard):
                core.tell(MASTER)
                await until(lambda: [name for name, _ in mi.calls].count("no_such_method") >= 2)
                assert ("no_such_method", ["MASTER", "7"]) in mi.calls
                core.tell(BACKUP)
                await core.settle(20)
                assert heard.told == [BACKUP]

    asyncio.run(main())


def test_a_missing_tag_is_said() -> None:
    async def main() -> None:
        async with OpensipsMi(tag="other/1") as mi:
            dialect = open_dialect(opensips(mi), "a")
            with pytest.raises(Exception, match="there is no sharing tag vip/1"):
                await dialect.probe()
            await dialect.close()

    asyncio.run(main())


def command(folder: Path, **options: object) -> CommandConfig:
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(0o755)
    (folder / "said").touch()
    (folder / "said").chmod(0o666)
    for name, body in (
        ("role", f'echo "$@ $HAAGENT_REASON" >> {folder}/said'),
        ("health", f"test -e {folder}/well"),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    (folder / "well").touch()
    every: dict[str, object] = {**FAST, "health": (str(folder / "health"),), **options}
    return CommandConfig(on_role=(str(folder / "role"), "ours"), **every)  # type: ignore[arg-type]


def test_a_command_is_run_with_the_role_and_the_epoch(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(command(tmp_path)) as (core, heard):
            await core.first_word(20)
            core.tell(MASTER)
            await core.settle(20)
            core.tell(BACKUP)
            await core.settle(20)
            assert heard.told == [MASTER, BACKUP]

    asyncio.run(main())
    # a core that has just been heard for the first time is told again: at least once, in order
    lines = list(dict.fromkeys((tmp_path / "said").read_text().splitlines()))
    assert lines == ["ours MASTER 7 why", "ours BACKUP 8 why"]


def test_a_bad_health_or_the_end_of_its_process_is_the_end_of_a_core(tmp_path: Path) -> None:
    process = subprocess.Popen(["sleep", "300"])
    (tmp_path / "pid").write_text(f"{process.pid}\n")

    async def main() -> None:
        config = command(tmp_path, pidfile=str(tmp_path / "pid"))
        async with running(config) as (core, heard):
            await core.first_word(20)
            assert heard.states[0].pid == process.pid
            (tmp_path / "well").unlink()
            await until(lambda: len(heard.gone) == 1)
            assert heard.gone[0].endswith("health: exit code 1")
            (tmp_path / "well").touch()
            await until(lambda: core.connected)
            process.kill()
            process.wait()
            await until(lambda: len(heard.gone) == 2)
            assert heard.gone[1].endswith(f"the process of {tmp_path}/pid does not run")

    asyncio.run(main())


def test_a_command_that_hangs_is_killed_and_tried_again(tmp_path: Path) -> None:
    config = command(tmp_path, timeout=Duration(0.5))
    (tmp_path / "role").write_text(
        f"#!/bin/sh\ntest -e {tmp_path}/may || exec sleep 3679\necho $1 $2 >> {tmp_path}/said\n"
    )

    async def main() -> None:
        async with running(config) as (core, heard):
            core.tell(MASTER)
            await core.settle(1.5)
            assert not heard.told
            (tmp_path / "may").touch()
            await until(lambda: heard.told == [MASTER])

    asyncio.run(main())


def test_datagrams_that_are_no_answer_are_errors_that_say_so(tmp_path: Path) -> None:
    path = str(tmp_path / "rpc.sock")

    async def ask(answer: bytes) -> object:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
            server.bind(path)
            server.setblocking(False)
            loop = asyncio.get_running_loop()
            call = asyncio.create_task(DatagramRpc(path).call("core.uptime"))
            _, sender = await loop.sock_recvfrom(server, 65536)
            await loop.sock_sendto(server, answer, sender)
            return await call

    def asked(answer: bytes) -> object:
        try:
            return asyncio.run(asyncio.wait_for(ask(answer), 20))
        finally:
            Path(path).unlink()

    assert asked(b'{"jsonrpc": "2.0", "id": 1, "result": 5}') == 5
    for answer, error, text in (
        (b"nonsense", RpcError, "no JSON-RPC: nonsense"),
        (b'{"id": 2, "result": 5}', RpcError, "answer 2 to request 1"),
        (
            b'{"id": 1, "error": {"code": 500, "message": "Method Not Found"}}',
            RpcRefusedError,
            "Method Not Found",
        ),
    ):
        with pytest.raises(error, match=text):
            asked(answer)
    with pytest.raises(RpcError, match="No such file"):
        asyncio.run(DatagramRpc(str(tmp_path / "nowhere")).call("core.uptime"))
