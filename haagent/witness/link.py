"""IO shell: control and the witness: asks what the guard wants to know, holds the lock of a master.

One claim at a time, each within its time limit; the guard waits for none of them.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

from haagent.config import AgentConfig
from haagent.config.witness import WitnessConfig
from haagent.errors import ConfigError
from haagent.telemetry.events import Event
from haagent.witness.redis_lock import RedisLock
from haagent.witness.said import Outcome, Said

log = structlog.get_logger()

RENEWALS_PER_LEASE = 3


def open_witness(config: AgentConfig, on_said: Callable[[Said], None]) -> "WitnessLink":
    """The one of the configuration; without one nothing is asked and nothing is held."""
    witness = config.witness
    if witness is None:
        return WitnessLink(None, 0.0, on_said)
    lease, timeout, password = float(witness.lease), float(witness.timeout), read_password(witness)
    lock = RedisLock(witness.url, witness.name, config.node, lease=lease, timeout=timeout, password=password)
    return WitnessLink(lock, lease, on_said)


def read_password(witness: WitnessConfig | None) -> str | None:
    """Raises ConfigError when its file cannot be read."""
    if witness is None or witness.password_file is None:
        return None
    try:
        return Path(witness.password_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"witness.password_file: {witness.password_file!r}: {error}") from error


class WitnessLink:
    """Asked by the guard (`ask`), told the role (`on_role`)."""

    def __init__(self, lock: RedisLock | None, lease: float, on_said: Callable[[Said], None]) -> None:
        self._lock = lock
        self._pause = lease / RENEWALS_PER_LEASE
        self._on_said = on_said
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._asked: int | None = None
        self._holding: int | None = None
        if self._lock is None:
            return
        self._letting_go = False
        self._last = Said(Outcome.AWAY)
        self._reported: tuple[Outcome, str] | None = None

    def ask(self, epoch: int) -> None:
        """May this node take over? The newest question counts."""
        if self._lock is None:
            return
        self._asked = epoch
        self._wake.set()

    def on_role(self, role: str, epoch: int) -> None:
        """A master holds the lock; who was one lets it go."""
        self._letting_go = self._holding is not None and role != "MASTER"
        self._holding = epoch if role == "MASTER" else None
        self._settled.clear()
        self._wake.set()

    async def settle(self, seconds: float) -> None:
        """Until the lock is held or let go as the role wants it, but not longer than this."""
        if self._lock is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._settled.wait()

    async def run(self) -> None:
        """Until cancelled."""
        lock = self._lock
        if lock is None:
            return
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pause if self._holding is not None else None):
                        await self._wake.wait()
                self._wake.clear()
                await self._work(lock)
        finally:
            await lock.close()

    def status(self) -> dict[str, Any] | None:
        """As the last answer was; None without a witness."""
        if self._lock is None:
            return None
        last = self._last
        return {
            "answers": last.outcome is not Outcome.AWAY,
            "held": last.outcome is Outcome.GRANTED and self._holding is not None,
            "holder": last.holder or None,
            "epoch": last.epoch or None,
            "error": self._lock.error,
        }

    async def _work(self, lock: RedisLock) -> None:
        asked, self._asked = self._asked, None
        if self._holding is not None:
            self._tell(await lock.claim(self._holding, steal=True))
        elif asked is not None:
            self._tell(await lock.claim(asked, steal=False))
        elif self._letting_go:
            self._letting_go = False
            await lock.release()
        if not self._wake.is_set():
            self._settled.set()

    def _tell(self, said: Said) -> None:
        self._last = said
        self._on_said(said)
        seen = (said.outcome, said.holder)
        if seen != self._reported:
            self._reported = seen
            error = self._lock.error if self._lock is not None else None
            known = {"outcome": said.outcome, "holder": said.holder, "epoch": said.epoch}
            log.info(Event.WITNESS_CHANGED, **known, error=error)
