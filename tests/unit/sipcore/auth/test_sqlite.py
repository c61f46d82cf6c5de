"""IO shell: users from SQLite: looked for beside the loop, kept for a while, unknown ones like known ones."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sipcore.auth import sqlite
from sipcore.auth.accounts import SqliteAccounts
from sipcore.auth.algorithm import MD5, SHA_256, ha1
from sipcore.auth.digest import CredentialsUnavailableError, Pending
from sipcore.auth.sqlite import SqliteUsers
from sipcore.errors import ConfigError

REALM = "example.test"
ALICE = ha1(b"alice", REALM.encode(), b"secret", MD5)


@asynccontextmanager
async def opened(path: Path, flush: Callable[[], None] = lambda: None) -> AsyncIterator[SqliteUsers]:
    users = SqliteUsers(str(path), REALM)
    users.start(asyncio.get_running_loop(), flush)
    try:
        yield users
    finally:
        users.close()


async def asked(users: SqliteUsers, user: bytes) -> bytes | None:
    """Ask, wait for the database, ask again."""
    pending = users.ha1(user, MD5)
    assert isinstance(pending, Pending)
    done = asyncio.Event()
    pending.then(lambda now: done.set())
    await asyncio.wait_for(done.wait(), 20)
    again = users.ha1(user, MD5)
    assert not isinstance(again, Pending)
    return again


def database(folder: Path) -> Path:
    SqliteAccounts(folder / "db", REALM).add("alice", "secret")
    return folder / "db"


def run(test: Coroutine[None, None, None]) -> None:
    asyncio.run(test)


def test_a_user_is_looked_for_once_and_then_known(tmp_path: Path) -> None:
    flushed: list[float] = []

    async def story() -> None:
        async with opened(database(tmp_path), lambda: flushed.append(time.monotonic())) as users:
            assert await asked(users, b"alice") == ALICE
            assert users.ha1(b"alice", SHA_256) == ha1(b"alice", REALM.encode(), b"secret", SHA_256)
            assert (users.queries, len(flushed)) == (1, 1)

    run(story())


@pytest.mark.parametrize("user", [b"mallory", b"\xff\xfe", b"' OR 1=1 --", b""])
def test_a_user_that_is_none_costs_the_same_look_up_and_is_kept_as_long(tmp_path: Path, user: bytes) -> None:
    async def story() -> None:
        async with opened(database(tmp_path)) as users:
            assert await asked(users, user) is None
            assert await asked(users, b"alice") == ALICE
            assert users.ha1(user, MD5) is None
            assert users.queries == 2

    run(story())


def test_who_asks_for_the_same_user_meanwhile_waits_for_the_same_answer(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(database(tmp_path)) as users:
            first, second = users.ha1(b"alice", MD5), users.ha1(b"alice", SHA_256)
            assert first is second
            assert await asked(users, b"alice") == ALICE

    run(story())


def test_a_flood_of_made_up_names_pushes_no_user_out_and_waits_in_a_bounded_queue(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(database(tmp_path)) as users:
            assert await asked(users, b"alice") == ALICE
            refused = 0
            for number in range(2 * sqlite.MAX_ASKED):
                try:
                    users.ha1(b"x%d" % number, MD5)
                except CredentialsUnavailableError:
                    refused += 1
            assert refused >= sqlite.MAX_ASKED
            assert users.ha1(b"alice", MD5) == ALICE

    run(story())


def test_a_new_password_is_good_without_a_restart(tmp_path: Path) -> None:
    async def story() -> None:
        path = database(tmp_path)
        async with opened(path) as users:
            assert await asked(users, b"alice") == ALICE
            SqliteAccounts(path, REALM).add("alice", "another")
            end = time.monotonic() + 20
            while users.ha1(b"alice", MD5) == ALICE:
                assert time.monotonic() < end
                await asyncio.sleep(0.05)
            assert await asked(users, b"alice") == ha1(b"alice", REALM.encode(), b"another", MD5)

    run(story())


def test_a_database_that_breaks_is_not_a_wrong_password(tmp_path: Path) -> None:
    async def story() -> None:
        path = database(tmp_path)
        async with opened(path) as users:
            path.write_bytes(b"this is no database, and long enough to be read as one" * 100)
            pending = users.ha1(b"alice", MD5)
            assert isinstance(pending, Pending)
            done = asyncio.Event()
            pending.then(lambda now: done.set())
            await asyncio.wait_for(done.wait(), 20)
            with pytest.raises(CredentialsUnavailableError):
                users.ha1(b"alice", MD5)

    run(story())


def test_a_database_that_is_none_is_named_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        SqliteUsers(str(tmp_path / "nowhere"), REALM)


def test_a_name_that_is_too_long_for_a_user_is_not_looked_for(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(database(tmp_path)) as users:
            assert users.ha1(b"x" * 256, MD5) is None
            assert users.queries == 0

    run(story())
