"""IO shell: what the operator writes is what the server reads, in the file and in the database."""

import sqlite3
from pathlib import Path

import pytest

from sipcore.auth.accounts import AccountError, Accounts, FileAccounts, SqliteAccounts
from sipcore.auth.algorithm import HASHES, NAMES, Algorithm, ha1
from sipcore.auth.credentials import UsersFile

ALL = tuple(NAMES[algorithm].decode() for algorithm in HASHES)


@pytest.fixture(params=[FileAccounts, SqliteAccounts])
def accounts(request: pytest.FixtureRequest, tmp_path: Path) -> Accounts:
    made: Accounts = request.param(tmp_path / "users", "example.test")
    return made


def test_users_are_added_changed_listed_and_removed(accounts: Accounts) -> None:
    assert accounts.users() == []
    assert accounts.add("bob", "one") is True
    assert accounts.add("alice", "two") is True
    assert accounts.add("bob", "three") is False
    assert accounts.users() == [("alice", ALL), ("bob", ALL)]
    assert accounts.remove("bob") is True
    assert accounts.remove("bob") is False
    assert accounts.users() == [("alice", ALL)]


@pytest.mark.parametrize(
    ("user", "password"), [("", "x"), ("a:b", "x"), ("a" * 65, "x"), ("a\n", "x"), ("a", "")]
)
def test_what_cannot_be_a_user_is_refused(accounts: Accounts, user: str, password: str) -> None:
    with pytest.raises(AccountError):
        accounts.add(user, password)
    assert accounts.users() == []


def test_the_file_keeps_what_is_not_ours_and_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text(f"# comment\nalice:elsewhere:{'a' * 32}\nalice:example.test:{'b' * 32}\n")
    path.chmod(0o600)
    FileAccounts(path, "example.test").add("alice", "secret")
    lines = path.read_text().splitlines()
    assert lines[:2] == ["# comment", f"alice:elsewhere:{'a' * 32}"]
    assert len(lines) == 2 + len(HASHES)
    assert path.stat().st_mode & 0o777 == 0o600
    users = UsersFile(str(path), "example.test")
    for algorithm in HASHES:
        assert users.ha1(b"alice", algorithm) == ha1(b"alice", b"example.test", b"secret", algorithm)


def test_the_table_is_that_of_opensips(tmp_path: Path) -> None:
    SqliteAccounts(tmp_path / "db", "example.test").add("alice", "secret")
    connection = sqlite3.connect(tmp_path / "db")
    row = connection.execute("SELECT username, domain, ha1 FROM subscriber").fetchall()
    connection.close()
    assert row == [
        ("alice", "example.test", ha1(b"alice", b"example.test", b"secret", Algorithm.MD5).decode())
    ]
