"""IO shell: the call detail records of the running core; without the table [cdr] it does nothing."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from sipcore.cdr.accounts import Accounts
from sipcore.cdr.file import CdrFile
from sipcore.cdr.writer import CdrWriter
from sipcore.config import SipcoreConfig
from sipcore.dialog.settings import Accounting as Wanted
from sipcore.errors import ConfigError
from sipcore.server.assemble import Parts
from sipcore.server.reload import Reloads


class Accounting:
    """Introduces the records to the dialogs, to the replication and to their file."""

    def __init__(
        self, config: SipcoreConfig, parts: Parts, flush: Callable[[float], None], reloads: Reloads
    ) -> None:
        self._writer: CdrWriter | None = None
        self._accounts: Accounts | None = None
        cdr = config.cdr
        if cdr is None:
            return
        path = Path(cdr.path)
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise ConfigError(f"cdr.path: {path}: no such folder, or no leave to write there")
        wanted = Wanted(0)
        for name in cdr.record:
            wanted |= Wanted[name.upper()]
        self._accounts = accounts = Accounts(parts.journal, _wall, wanted=wanted, limit=cdr.max_waiting)
        parts.core.dialogs.accountant = accounts.on_end
        parts.core.followers.append(accounts.on_role)
        if config.replication is not None:
            parts.journal.register(accounts)
        self._writer = CdrWriter(accounts, CdrFile(path, cdr.format, cdr.max_size), flush)
        reloads.add("cdr", self._writer.reopen)

    def after_batch(self) -> None:
        """The answers of a batch have been sent."""
        if self._writer is not None:
            self._writer.after_batch()

    async def stop(self) -> None:
        """Write what there is."""
        if self._writer is not None:
            await self._writer.stop()

    @property
    def waiting(self) -> int:
        """Records that are on no disk yet."""
        return len(self._accounts) if self._accounts is not None else 0

    @property
    def counters(self) -> dict[str, int]:
        """What was counted since the start, by name."""
        if self._accounts is None or self._writer is None:
            return {}
        return {**self._accounts.counters, "cdr_write_errors": self._writer.errors}


def _wall(now: float) -> float:
    return time.time() - time.monotonic() + now
