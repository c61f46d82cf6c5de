"""IO shell: users from an htdigest file (user:realm:ha1), read again when it changes."""

import time
from pathlib import Path

import structlog

from sipcore.auth.digest import Algorithm
from sipcore.errors import ConfigError

log = structlog.get_logger(__name__)
LOOK_AGAIN = 1.0  # seconds between two looks at the file's time
_BY_LENGTH = {32: Algorithm.MD5, 64: Algorithm.SHA_256}
_HEX = frozenset(b"0123456789abcdef")
Users = dict[Algorithm, dict[bytes, bytes]]


class UsersFile:
    """Credentials of one realm: per user one line with an MD5 ha1, one with a SHA-256 ha1, or both.

    An algorithm is offered when all users of the realm have a line for it: a challenge goes out before we
    know who asks. A file that becomes unreadable later is reported and the users stay as they were.
    """

    def __init__(self, path: str, realm: str) -> None:
        self._path = Path(path)
        self._realm = realm.encode()
        self._look_at = 0.0
        self._state: tuple[int, int, int] | None = None
        self._users: Users = {}
        self._algorithms: tuple[Algorithm, ...] = ()
        self._read()

    def algorithms(self) -> tuple[Algorithm, ...]:
        """Those that each user of the realm can answer."""
        self._look_now_and_then()
        return self._algorithms

    def ha1(self, user: bytes, algorithm: Algorithm) -> bytes | None:
        """The user's hash, None when the file has none."""
        self._look_now_and_then()
        return self._users[algorithm].get(user)

    def __len__(self) -> int:
        return len(set().union(*self._users.values()))

    def _look_now_and_then(self) -> None:
        if time.monotonic() >= self._look_at:
            self.look()

    def look(self) -> None:
        """Read the file again if it has changed."""
        try:
            self._read()
        except ConfigError as error:
            log.error("users file not taken over", error=str(error))  # noqa: TRY400 the text says it all

    def _read(self) -> None:
        self._look_at = time.monotonic() + LOOK_AGAIN
        try:
            stat = self._path.stat()
            state = stat.st_mtime_ns, stat.st_size, stat.st_ino
            if state == self._state:
                return
            self._state = state  # also when the file is bad: say so once per change
            text = self._path.read_bytes()
        except OSError as error:
            raise ConfigError(f"auth.users_file: {self._path}: {error.strerror}") from error
        self._users = parse_users(text, self._realm, str(self._path))
        self._algorithms = offered(self._users)
        log.info("users read", path=str(self._path), users=len(self))


def parse_users(text: bytes, realm: bytes, path: str) -> Users:
    """The users of one realm; a ConfigError names the line."""
    users: Users = {algorithm: {} for algorithm in Algorithm}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith(b"#"):
            continue
        user, _, rest = line.partition(b":")
        line_realm, _, ha1 = rest.rpartition(b":")
        ha1 = ha1.lower()
        if not user or not line_realm:
            raise ConfigError(f"auth.users_file: {path} line {number}: not user:realm:ha1")
        if len(ha1) not in _BY_LENGTH or not set(ha1) <= _HEX:
            raise ConfigError(
                f"auth.users_file: {path} line {number}: ha1 of {len(ha1)} characters is not 32 (MD5) or 64"
                " (SHA-256) hexadecimal digits"
            )
        if line_realm == realm:
            users[_BY_LENGTH[len(ha1)]][user] = ha1
    return users


def offered(users: Users) -> tuple[Algorithm, ...]:
    """Algorithms for which each user has a hash; those that any user has when there is none for all."""
    everyone = set().union(*users.values())
    complete = tuple(algorithm for algorithm in Algorithm if set(users[algorithm]) == everyone and everyone)
    return complete or tuple(algorithm for algorithm in Algorithm if users[algorithm]) or (Algorithm.MD5,)
