"""IO shell: where users are kept, for the operator: add, remove, list, in an htdigest file or in SQLite."""

import fcntl
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from sipcore.auth.algorithm import HASHES, NAMES, SHA_512_256, Algorithm, ha1
from sipcore.auth.credentials import parse_line
from sipcore.auth.sqlite import COLUMNS, SCHEMA
from sipcore.errors import SipcoreError

MAX_NAME = 64  # characters, as in OpenSIPS's table
MODE = 0o640


class AccountError(SipcoreError):
    """The users cannot be changed so; the text says which and why."""


class Account(NamedTuple):
    """A user, and the algorithms of which there is a hash."""

    user: str
    algorithms: tuple[str, ...]


class Accounts(Protocol):
    """The users of one realm."""

    def add(self, user: str, password: str) -> bool:
        """Add a user or give him another password; True when he is new."""

    def remove(self, user: str) -> bool:
        """Remove a user; False when there is none."""

    def users(self) -> list[Account]:
        """All users by name."""


class FileAccounts:
    """An htdigest file: what is not of this realm stays as it is; written anew and put in place at once."""

    def __init__(self, path: Path, realm: str) -> None:
        self._path = path
        self._realm = realm.encode()

    def add(self, user: str, password: str) -> bool:
        """Add a user or give him another password; True when he is new."""
        name = _checked(user, password).encode()
        with self._lock():
            lines = self._lines()
            kept = [line for line in lines if not self._is(line, name)]
            for algorithm in HASHES:
                label = b"{" + NAMES[algorithm] + b"}" if algorithm is SHA_512_256 else b""
                digest = ha1(name, self._realm, password.encode(), algorithm)
                kept.append(name + b":" + self._realm + b":" + label + digest)
            self._write(kept)
        return len(kept) == len(lines) + len(HASHES)

    def remove(self, user: str) -> bool:
        """Remove a user; False when there is none."""
        with self._lock():
            lines = self._lines()
            kept = [line for line in lines if not self._is(line, user.encode())]
            if len(kept) == len(lines):
                return False
            self._write(kept)
        return True

    def users(self) -> list[Account]:
        """All users by name."""
        found: dict[bytes, list[Algorithm]] = {}
        for line in self._lines():
            try:
                user, realm, algorithm, _ = parse_line(line.strip())
            except ValueError:
                continue
            if realm == self._realm:
                found.setdefault(user, []).append(algorithm)
        return [
            Account(user.decode(errors="replace"), tuple(NAMES[a].decode() for a in sorted(found[user])))
            for user in sorted(found)
        ]

    def _is(self, line: bytes, user: bytes) -> bool:
        return line.startswith(user + b":" + self._realm + b":")

    def _lines(self) -> list[bytes]:
        return self._path.read_bytes().splitlines() if self._path.exists() else []

    def _write(self, lines: list[bytes]) -> None:
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(b"".join(line + b"\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
            old = self._path.stat() if self._path.exists() else None
            os.fchmod(file.fileno(), old.st_mode & 0o777 if old is not None else MODE)
            if old is not None and os.geteuid() == 0:
                os.fchown(file.fileno(), old.st_uid, old.st_gid)
        os.replace(name, self._path)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Two operators at once take turns."""
        with self._path.with_name(f".{self._path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class SqliteAccounts:
    """OpenSIPS's table `subscriber`, made when it is not there; `domain` is the realm."""

    def __init__(self, path: Path, realm: str) -> None:
        self._path = path
        self._realm = realm

    def add(self, user: str, password: str) -> bool:
        """Add a user or give him another password; True when he is new."""
        name = _checked(user, password)
        values = [
            ha1(name.encode(), self._realm.encode(), password.encode(), algorithm).decode()
            if algorithm in HASHES
            else ""
            for algorithm in Algorithm
        ]
        with self._open() as connection:
            connection.execute(SCHEMA)
            new = not connection.execute(
                "SELECT 1 FROM subscriber WHERE username = ? AND domain = ?", (name, self._realm)
            ).fetchone()
            connection.execute(
                "INSERT INTO subscriber (username, domain, ha1, ha1_sha256, ha1_sha512t256)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT (username, domain) DO UPDATE SET ha1 = excluded.ha1,"
                " ha1_sha256 = excluded.ha1_sha256, ha1_sha512t256 = excluded.ha1_sha512t256",
                (name, self._realm, *values),
            )
        return new

    def remove(self, user: str) -> bool:
        """Remove a user; False when there is none."""
        if not self._path.exists():
            return False
        with self._open() as connection:
            connection.execute(SCHEMA)
            done = connection.execute(
                "DELETE FROM subscriber WHERE username = ? AND domain = ?", (user, self._realm)
            )
        return done.rowcount > 0

    def users(self) -> list[Account]:
        """All users by name."""
        if not self._path.exists():
            return []
        with self._open() as connection:
            rows = connection.execute(
                f"SELECT username, {COLUMNS} FROM subscriber WHERE domain = ? ORDER BY username",  # noqa: S608 ours
                (self._realm,),
            ).fetchall()
        names = [NAMES[algorithm].decode() for algorithm in Algorithm]
        return [
            Account(user, tuple(name for name, value in zip(names, hashes, strict=True) if value))
            for user, *hashes in rows
        ]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        new = not self._path.exists()
        try:
            with closing(sqlite3.connect(self._path, timeout=5.0)) as connection, connection:
                if new:
                    self._path.chmod(MODE)
                yield connection
        except sqlite3.Error as error:
            raise AccountError(f"{self._path}: {error}") from error


def _checked(user: str, password: str) -> str:
    if not 0 < len(user) <= MAX_NAME or ":" in user or not user.isprintable() or user.startswith("#"):
        raise AccountError(f"user: {user!r} is not 1..{MAX_NAME} printable characters without a colon")
    if not password:
        raise AccountError("password: it is empty")
    return user
