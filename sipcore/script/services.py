"""Sans-IO: what the functions of a script work with."""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from sipcore.auth.digest import DigestAuth
from sipcore.cachedb import CacheDB, CacheQueryError
from sipcore.dialog.keeper import Keeper
from sipcore.dialog.table import DialogTable
from sipcore.location.table import LocationTable
from sipcore.proxy import Proxy
from sipcore.registrar import Registrar
from sipcore.script.route import Generation

MAX_LOG_LINES = 1000


class LogLine(NamedTuple):
    """A line for the log; `level` is debug, info, warning, error or critical."""

    level: str
    text: str
    fields: dict[str, object]


class Stores(Protocol):
    """The key-value stores of the config."""

    def __getitem__(self, store: str, /) -> CacheDB:
        """The store of this id; CacheQueryError when the config has none."""


class NoStores:
    """A config without stores."""

    def __getitem__(self, store: str, /) -> CacheDB:
        raise CacheQueryError(f"{store}: no such store in the config, configured are none")


@dataclass(slots=True)
class Services:
    """The parts of the core that a script may use; its log lines wait here until there is time for them."""

    proxy: Proxy
    registrar: Registrar
    location: LocationTable
    dialogs: DialogTable
    auth: DigestAuth | None = None
    keeper: Keeper | None = None
    generation: Generation = field(default_factory=Generation)
    stores: Stores = field(default_factory=NoStores)
    lines: deque[LogLine] = field(default_factory=deque)
    lost_lines: int = 0

    def log(self, level: str, text: str, **fields: object) -> None:
        """Have a line written after the answers of this batch have been sent."""
        if len(self.lines) >= MAX_LOG_LINES:
            self.lost_lines += 1
        else:
            self.lines.append(LogLine(level, text, fields))
