"""IO shell: users from an SQLite database with OpenSIPS's table `subscriber`, read beside the event loop.

The fast path asks a bounded cache; what is not in it is looked for by one thread, and the request waits
(digest.Pending). A user that is none costs the same look-up, and the answer is kept as long. The cache is
emptied when the database file changes.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import structlog

from sipcore.auth.algorithm import Algorithm
from sipcore.auth.credentials import LOOK_AGAIN, offered, strongest_first
from sipcore.auth.digest import CredentialsUnavailableError, Pending
from sipcore.errors import ConfigError

log = structlog.get_logger(__name__)

TTL = 60.0  # seconds that an answer of the database is kept
ERROR_TTL = 1.0  # and that it is left in peace after an error
MAX_CACHED = 65536  # known users, and as many names that are none
MAX_NAME = 255  # bytes; nobody with a longer name is looked for
MAX_ASKED = 1024  # look-ups that wait at once
SCHEMA = """
CREATE TABLE IF NOT EXISTS subscriber (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    username CHAR(64) DEFAULT '' NOT NULL,
    domain CHAR(64) DEFAULT '' NOT NULL,
    ha1 CHAR(64) DEFAULT '' NOT NULL,
    ha1_sha256 CHAR(64) DEFAULT '' NOT NULL,
    ha1_sha512t256 CHAR(64) DEFAULT '' NOT NULL,
    CONSTRAINT subscriber_account_idx UNIQUE (username, domain)
)"""
COLUMNS = "ha1, ha1_sha256, ha1_sha512t256"  # in the order of Algorithm
_ONE = f"SELECT {COLUMNS} FROM subscriber WHERE username = ? AND domain = ?"  # noqa: S608 ours
_COUNT = (
    "SELECT count(*), count(nullif(ha1, '')), count(nullif(ha1_sha256, '')),"
    " count(nullif(ha1_sha512t256, '')) FROM subscriber WHERE domain = ?"
)
Row = tuple[bytes, bytes, bytes]
Answer = Row | None | Exception


class _Known(NamedTuple):
    until: float
    answer: Answer


class SqliteUsers:
    """Credentials of one realm (column `domain`); `start` it in the loop before the first request."""

    def __init__(self, path: str, realm: str, wanted: tuple[Algorithm, ...] = ()) -> None:
        self._path = Path(path)
        self._realm = realm
        self._wanted = wanted or strongest_first()
        self._cache: tuple[dict[bytes, _Known], dict[bytes, _Known]] = ({}, {})  # users; names that are none
        self._asked: dict[bytes, Pending] = {}
        self._look_at = 0.0
        self._state = self._file_state()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="subscriber")
        self._connection: sqlite3.Connection | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._flush: Callable[[], None] = lambda: None
        self.queries = 0
        try:
            with closing(_connect(self._path)) as connection:
                self._offered = self._count(connection)
        except sqlite3.Error as error:
            raise ConfigError(f"auth.users_db: {path}: {error}") from error

    def start(self, loop: asyncio.AbstractEventLoop, flush: Callable[[], None]) -> None:
        """Answers come in this loop; `flush` sends what they set going."""
        self._loop, self._flush = loop, flush

    def close(self) -> None:
        """End the thread."""
        self._thread.submit(self._disconnect)
        self._thread.shutdown(wait=True, cancel_futures=False)

    def algorithms(self) -> tuple[Algorithm, ...]:
        """Those that each user of the realm can answer."""
        self._look_now_and_then()
        return self._offered

    def ha1(self, user: bytes, algorithm: Algorithm) -> bytes | Pending | None:
        """The user's hash, None when there is none; Pending while the database is asked."""
        if len(user) > MAX_NAME:
            return None
        self._look_now_and_then()
        known = self._cache[0].get(user) or self._cache[1].get(user)
        if known is None or known.until < time.monotonic():
            return self._ask(user)
        if isinstance(known.answer, Exception):
            raise CredentialsUnavailableError(str(known.answer))
        return known.answer[algorithm] or None if known.answer is not None else None

    # The database

    def _ask(self, user: bytes) -> Pending:
        pending = self._asked.get(user)
        if pending is not None:
            return pending
        if self._loop is None or len(self._asked) >= MAX_ASKED:
            raise CredentialsUnavailableError(f"{len(self._asked)} look-ups are waiting already")
        pending = self._asked[user] = Pending()
        self.queries += 1
        self._thread.submit(self._look_up, user).add_done_callback(lambda found: self._deliver(user, found))
        return pending

    def _look_up(self, user: bytes) -> Row | None:
        if self._connection is None:
            self._connection = _connect(self._path)
        name = user.decode("utf-8", "surrogateescape")
        try:
            row = self._connection.execute(_ONE, (name, self._realm)).fetchone()
        except UnicodeEncodeError:  # no text at all, so no user's name
            row = None
        except sqlite3.Error:
            self._disconnect()
            raise
        return tuple(str(value or "").lower().encode() for value in row) if row is not None else None  # type: ignore[return-value] # three columns

    def _deliver(self, user: bytes, found: "Future[Row | None]") -> None:
        """In the thread: hand it over to the loop."""
        error = found.exception()
        answer: Answer = found.result() if error is None else Exception(str(error))
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._on_answer, user, answer)

    def _on_answer(self, user: bytes, answer: Answer) -> None:
        now = time.monotonic()
        failed = isinstance(answer, Exception)
        if failed:
            log.error("users database", path=str(self._path), error=str(answer))
        cache = self._cache[answer is None]
        self._cache[answer is not None].pop(user, None)
        cache.pop(user, None)
        if len(cache) >= MAX_CACHED:
            del cache[next(iter(cache))]
        cache[user] = _Known(now + (ERROR_TTL if failed else TTL), answer)
        self._asked.pop(user).resolve(now)
        self._flush()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # Changes of the file

    def _look_now_and_then(self) -> None:
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_AGAIN
        state = self._file_state()
        if state == self._state or self._loop is None:
            return
        self._state = state
        for cache in self._cache:
            cache.clear()
        self._thread.submit(self._count_again)

    def _count_again(self) -> None:
        try:
            with closing(_connect(self._path)) as connection:
                self._offered = self._count(connection)
        except sqlite3.Error as error:
            log.error("users database", path=str(self._path), error=str(error))  # noqa: TRY400 the text says it all

    def _count(self, connection: sqlite3.Connection) -> tuple[Algorithm, ...]:
        users, *counts = connection.execute(_COUNT, (self._realm,)).fetchone()
        return offered(dict(zip(Algorithm, counts, strict=True)), users, self._wanted)

    def _file_state(self) -> tuple[tuple[int, int, int], ...]:
        found = []
        for path in (self._path, self._path.with_name(self._path.name + "-wal")):
            try:
                stat = path.stat()
            except OSError:
                continue
            found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
        return tuple(found)


def _connect(path: Path) -> sqlite3.Connection:
    """For reading; what locks the database longer than a second is an error."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0, check_same_thread=False
    )
