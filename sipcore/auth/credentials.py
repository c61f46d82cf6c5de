"""IO shell: users from an htdigest file (user:realm:ha1), read again when it changes."""

import threading
import time
from pathlib import Path
from typing import NamedTuple

import structlog

from sipcore.auth.algorithm import HASHES, MD5, NAMES, SHA_256, Algorithm
from sipcore.errors import ConfigError

log = structlog.get_logger(__name__)
LOOK_AGAIN = 1.0  # seconds between two looks at the file's time
_BY_LENGTH = {32: MD5, 64: SHA_256}
_BY_LABEL = {b"{" + name + b"}": algorithm for algorithm, name in NAMES.items()}
_HEX = frozenset(b"0123456789abcdef")
Users = dict[Algorithm, dict[bytes, bytes]]


class UsersFile:
    """Credentials of one realm: per user one line for each algorithm of which there is a ha1.

    An algorithm is offered when all users of the realm have a line for it: a challenge goes out before we
    know who asks. `wanted` limits and orders them. A file that changes is read in a thread, since many users
    take long; one that becomes unreadable is reported. Until it is read the users stay as they were.
    """

    def __init__(self, path: str, realm: str, wanted: tuple[Algorithm, ...] = ()) -> None:
        self._path = Path(path)
        self._realm = realm.encode()
        self._wanted = wanted or strongest_first()
        self._look_at = 0.0
        self._reader: threading.Thread | None = None
        self._state = self._stat()
        self._table = self._read()

    def algorithms(self) -> tuple[Algorithm, ...]:
        """Those that each user of the realm can answer."""
        self._look_now_and_then()
        return self._table.algorithms

    def ha1(self, user: bytes, algorithm: Algorithm) -> bytes | None:
        """The user's hash, None when the file has none."""
        self._look_now_and_then()
        return self._table.users[algorithm].get(user)

    def __len__(self) -> int:
        return self._table.size

    def _look_now_and_then(self) -> None:
        if time.monotonic() >= self._look_at and (self._reader is None or not self._reader.is_alive()):
            self.look()

    def look(self) -> None:
        """If the file has changed, begin to read it."""
        self._look_at = time.monotonic() + LOOK_AGAIN
        state = self._stat()
        if state != self._state:
            self._state = state  # also when the file is bad: say so once per change
            self._reader = threading.Thread(target=self._renew, name="users", daemon=True)
            self._reader.start()

    def wait(self) -> None:
        """Until what `look` began is done."""
        if self._reader is not None:
            self._reader.join()

    def _renew(self) -> None:
        try:
            self._table = self._read()
        except ConfigError as error:
            log.error("users file not taken over", error=str(error))  # noqa: TRY400 the text says it all

    def _stat(self) -> tuple[int, int, int]:
        """What changes with the file; zeros when there is none, which `_read` complains of."""
        try:
            stat = self._path.stat()
        except OSError:
            return 0, 0, 0
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def _read(self) -> "_Table":
        try:
            text = self._path.read_bytes()
        except OSError as error:
            raise ConfigError(f"auth.users_file: {self._path}: {error.strerror}") from error
        users = parse_users(text, self._realm, str(self._path))
        counts = {algorithm: len(found) for algorithm, found in users.items()}
        size = len(set().union(*users.values()))
        log.info("users read", path=str(self._path), users=size)
        return _Table(users, offered(counts, size, self._wanted), size)


class _Table(NamedTuple):
    """What one reading of the file gave; replaced as a whole."""

    users: Users
    algorithms: tuple[Algorithm, ...]
    size: int


def parse_users(text: bytes, realm: bytes, path: str) -> Users:
    """The users of one realm; a ConfigError names the line."""
    users: Users = {algorithm: {} for algorithm in Algorithm}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith(b"#"):
            continue
        try:
            user, line_realm, algorithm, ha1 = parse_line(line)
        except ValueError as error:
            raise ConfigError(f"auth.users_file: {path} line {number}: {error}") from None
        if line_realm == realm:
            users[algorithm][user] = ha1
    return users


def parse_line(line: bytes) -> tuple[bytes, bytes, Algorithm, bytes]:
    """User, realm, algorithm and ha1 of `user:realm:ha1`, or of `user:realm:{SHA-512-256}ha1`."""
    user, _, rest = line.partition(b":")
    realm, _, ha1 = rest.rpartition(b":")
    if not user or not realm:
        raise ValueError("not user:realm:ha1")
    label, brace, digits = ha1.rpartition(b"}")
    algorithm = _BY_LABEL.get(label.upper() + brace) if brace else _BY_LENGTH.get(len(digits))
    digits = digits.lower()
    if algorithm is None or len(digits) != (32 if algorithm is MD5 else 64) or not set(digits) <= _HEX:
        raise ValueError(
            f"ha1 of {len(ha1)} characters is not 32 (MD5) or 64 (SHA-256, or with {{SHA-512-256}} before"
            " them) hexadecimal digits"
        )
    return user, realm, algorithm, digits


def strongest_first() -> tuple[Algorithm, ...]:
    """The order of RFC 8760 section 2.3, of what this host can compute."""
    return tuple(algorithm for algorithm in reversed(Algorithm) if algorithm in HASHES)


def offered(counts: dict[Algorithm, int], users: int, wanted: tuple[Algorithm, ...]) -> tuple[Algorithm, ...]:
    """Algorithms for which each user has a hash; those that any user has when there is none for all."""
    complete = tuple(a for a in wanted if users and counts.get(a, 0) == users and a in HASHES)
    return complete or tuple(a for a in wanted if counts.get(a, 0) and a in HASHES) or wanted[-1:]
