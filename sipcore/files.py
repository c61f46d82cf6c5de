"""IO shell: reads sipcore.toml and the files that it names; what is missing or unreadable is named."""

from dataclasses import dataclass
from pathlib import Path

from sipcore.auth.credentials import parse_users
from sipcore.config import SipcoreConfig, parse_config
from sipcore.config.sections import Replication
from sipcore.errors import ConfigError

MIN_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class Loaded:
    """A config with the contents of its files."""

    config: SipcoreConfig
    secret: bytes  # signs nonces, the same on both nodes
    replication_key: bytes
    capture_key: bytes = b""  # what a capture server knows us by


def load_config(path: Path) -> Loaded:
    """Read the config and its files; a ConfigError says which key names a file that cannot be used."""
    text = _read(path, "config").decode("utf-8", "replace")
    try:
        config = parse_config(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    auth, replication = config.auth, config.replication
    if auth.users_file:
        parse_users(_read(Path(auth.users_file), "auth.users_file"), auth.realm.encode(), auth.users_file)
    elif not Path(auth.users_db).is_file():
        raise ConfigError(f"auth.users_db: {auth.users_db}: no such file; `sipcore user add` makes it")
    return Loaded(
        config,
        _key(Path(auth.secret_file), "auth.secret_file"),
        _replication_key(replication) if replication else b"",
        _read(Path(config.trace.key_file), "trace.key_file").strip() if config.trace.key_file else b"",
    )


def _replication_key(replication: Replication) -> bytes:
    if replication.ca:
        for name in ("certificate", "key", "ca"):
            _read(Path(getattr(replication, name)), f"replication.{name}")
    return _key(Path(replication.key_file), "replication.key_file") if replication.key_file else b""


def _key(path: Path, name: str) -> bytes:
    data = _read(path, name).strip()
    if len(data) < MIN_KEY_BYTES:
        raise ConfigError(f"{name}: {path} holds {len(data)} bytes, at least {MIN_KEY_BYTES} are needed")
    return data


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{name}: {path}: {error.strerror}") from error
