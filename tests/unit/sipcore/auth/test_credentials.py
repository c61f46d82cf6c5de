"""IO shell: the htdigest file and its changes."""

import os
from pathlib import Path

import pytest

from sipcore.auth.credentials import UsersFile, parse_users
from sipcore.auth.digest import Algorithm
from sipcore.errors import ConfigError

MD5, SHA = "a" * 32, "b" * 64


def test_users_of_the_realm_are_found_and_the_algorithms_that_all_have_are_offered(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text(f"# users\nalice:r:{MD5}\nalice:r:{SHA}\nbob:r:{MD5.upper()}\n\ncarol:elsewhere:{SHA}\n")
    users = UsersFile(str(path), "r")
    assert users.ha1(b"alice", Algorithm.SHA_256) == SHA.encode()
    assert users.ha1(b"bob", Algorithm.MD5) == MD5.encode()
    assert users.ha1(b"carol", Algorithm.SHA_256) is None
    assert users.algorithms() == (Algorithm.MD5,)
    assert len(users) == 2


@pytest.mark.parametrize(
    "bad", ["alice", "alice:r", f":r:{MD5}", "alice:r:12", f"alice:r:{'g' * 32}", "alice:r:{CRC}00"]
)
def test_a_bad_line_is_named(bad: str) -> None:
    with pytest.raises(ConfigError, match="line 2"):
        parse_users(f"bob:r:{MD5}\n{bad}\n".encode(), b"r", "users")


def test_sha_512_256_is_named_since_its_length_is_that_of_sha_256(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text(f"alice:r:{{sha-512-256}}{SHA}\nalice:r:{MD5}\n")
    users = UsersFile(str(path), "r")
    assert users.ha1(b"alice", Algorithm.SHA_512_256) == SHA.encode()
    assert users.ha1(b"alice", Algorithm.SHA_256) is None
    assert users.algorithms() == (Algorithm.SHA_512_256, Algorithm.MD5)
    assert UsersFile(str(path), "r", (Algorithm.MD5,)).algorithms() == (Algorithm.MD5,)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        UsersFile(str(tmp_path / "nowhere"), "r")


def test_a_changed_file_is_read_again_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text(f"alice:r:{MD5}\n")
    users = UsersFile(str(path), "r")
    path.write_text(f"alice:r:{MD5}\nbob:r:{MD5}\n")
    users.look()
    users.wait()
    assert users.ha1(b"bob", Algorithm.MD5) == MD5.encode()
    path.write_text("broken\n")
    users.look()
    users.wait()
    assert users.ha1(b"bob", Algorithm.MD5) == MD5.encode()


def test_users_are_asked_for_while_a_changed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text(f"alice:r:{MD5}\n")
    users = UsersFile(str(path), "r")
    path.unlink()
    os.mkfifo(path)  # whoever reads it waits until somebody writes
    users.look()
    assert users.ha1(b"alice", Algorithm.MD5) == MD5.encode()
    path.write_text(f"alice:r:{MD5}\nbob:r:{MD5}\n")
    users.wait()
    assert users.ha1(b"bob", Algorithm.MD5) == MD5.encode()


def test_a_file_that_is_gone_is_reported_and_the_users_stay(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text(f"alice:r:{MD5}\n")
    users = UsersFile(str(path), "r")
    path.unlink()
    users.look()
    users.wait()
    assert users.ha1(b"alice", Algorithm.MD5) == MD5.encode()
