"""IO shell: sysctls under /proc/sys, and a small file that remembers what they were before us."""

import json
from collections.abc import Mapping
from pathlib import Path

from netrules.errors import MissingPrivilegeError, RulesError

ROOT = Path("/proc/sys")


def read(name: str) -> str | None:
    """The value, or None where the kernel has no such switch."""
    try:
        return (ROOT / name).read_text().strip()
    except OSError:
        return None


def write(name: str, value: str) -> None:
    """Set a value."""
    try:
        (ROOT / name).write_text(value)
    except PermissionError as error:
        raise MissingPrivilegeError(f"{ROOT / name} cannot be written: needs root (CAP_NET_ADMIN)") from error
    except OSError as error:
        raise RulesError(f"{ROOT / name} cannot be set to {value}: {error.strerror}") from error


def differing(wanted: Mapping[str, str]) -> list[str]:
    """Which of these have another value; what the kernel does not have (an interface that went) is none."""
    return [name for name, value in wanted.items() if read(name) not in (value, None)]


class Remembered:
    """What the sysctls were before the first change, kept in `path` until they are restored."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[str, str]:
        """Name to earlier value; empty when nothing was changed (or the file is not ours to read)."""
        try:
            found = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}

    def set(self, wanted: Mapping[str, str]) -> list[str]:
        """Set each that has another value; the names that were changed."""
        earlier = self.load()
        changed = differing(wanted)
        self._save({**{name: read(name) or "0" for name in changed}, **earlier})
        for name in changed:
            write(name, wanted[name])
        return changed

    def restore(self) -> list[str]:
        """Put back what was there before; the names that were changed."""
        earlier = self.load()
        changed = differing(earlier)
        for name in changed:
            write(name, earlier[name])
        self._path.unlink(missing_ok=True)
        return changed

    def _save(self, values: Mapping[str, str]) -> None:
        if not values:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(values))
        fresh.replace(self._path)
