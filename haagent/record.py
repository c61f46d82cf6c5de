"""IO shell: the history of role changes as control writes it: reason, and the time that each step took."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from haagent.notify.told import Told
from haagent.pipe import Report, RoleChange
from haagent.state import StateDirectory
from haagent.telemetry.events import Event

log = structlog.get_logger()


class History:
    """Writes to disk in the background, in order; nothing waits for it."""

    def __init__(self, node: str, state: StateDirectory) -> None:
        self._node = node
        self._state = state
        self._writes: asyncio.Queue[Callable[[], None]] = asyncio.Queue()
        self._untold: dict[str, Any] | None = None
        self._changed = 0.0
        self._failing = False
        self.since = _wall(time.monotonic())

    def add(self, change: RoleChange) -> None:
        """A change of role or epoch."""
        phases = {
            "decided_ms": _milliseconds(change.detected, change.decided),
            "vip_ms": _milliseconds(change.detected, change.vip),
            "announced_ms": _milliseconds(change.detected, change.announced),
            "action_ms": _milliseconds(change.decided, change.announced or change.vip),
            "core_told_ms": None,
        }
        record = {
            "id": self._state.next_id(),
            "time": _wall(change.detected),
            "monotonic": round(change.detected, 6),
            "node": self._node,
            "old": change.old,
            "role": change.role,
            "epoch": change.epoch,
            "reason": change.reason,
            "phases": phases,
        }
        self._untold, self._changed, self.since = record, change.detected, _wall(change.detected)
        self._state.remember(record)
        said = {key: record[key] for key in ("id", "old", "role", "epoch", "reason", "phases")}
        log.info(Event.ROLE_CHANGED, **said)
        self._writes.put_nowait(lambda: self._state.store_epoch(change.epoch))
        self._writes.put_nowait(lambda: self._state.write(record))

    def pause(self, before: Report | None, report: Report) -> None:
        """Maintenance has begun or is over, if one of these reports says so and the other does not."""
        was, pause = before.pause if before is not None else None, report.pause
        if (was is None) is (pause is None):
            return
        if pause is None:
            log.info(Event.RESUMED)
        else:
            log.info(Event.PAUSED, by=pause.by, seconds=pause.left and round(pause.left))
        end = "" if pause is None or pause.left is None else f" for {pause.left:.0f} s"
        self.note(report, "the pause is over" if pause is None else f"paused by {pause.by}{end}")

    def note(self, report: Report, reason: str) -> None:
        """Something that changes no role, but that one looks for afterwards."""
        record = {
            "id": self._state.next_id(),
            "time": _wall(time.monotonic()),
            "monotonic": round(time.monotonic(), 6),
            "node": self._node,
            "old": report.role,
            "role": report.role,
            "epoch": report.epoch,
            "reason": reason,
            "phases": {},
        }
        self._state.remember(record)
        self._writes.put_nowait(lambda: self._state.write(record))

    def core_told(self, told: Told, now: float) -> None:
        """The core has taken the role: complete the newest record if it is that one's."""
        record = self._untold
        if record is None or record["epoch"] != told.epoch:
            return
        self._untold = None
        phases = {**record["phases"], "core_told_ms": _milliseconds(self._changed, now)}
        complete = {**record, "phases": phases}
        took = phases["core_told_ms"]
        log.info(Event.CORE_TOLD, id=record["id"], role=told.role, epoch=told.epoch, core_told_ms=took)
        self._state.remember(complete)
        self._writes.put_nowait(lambda: self._state.write(complete))

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            write = await self._writes.get()
            try:
                await asyncio.to_thread(write)
            except (
                OSError
            ) as error:  # a full or broken disk stops no takeover; what is newest stays in memory
                self._failed(error)
            else:
                self._failing = False
            finally:
                self._writes.task_done()

    def _failed(self, error: OSError) -> None:
        """Said once until a write succeeds again."""
        if not self._failing:
            log.error(Event.STATE_NOT_WRITTEN, lost="epoch and history are not kept", error=str(error))
        self._failing = True

    async def flush(self) -> None:
        """Until everything is on disk."""
        await self._writes.join()


def _wall(monotonic: float) -> str:
    seconds = time.time() - time.monotonic() + monotonic
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _milliseconds(start: float, end: float | None) -> float | None:
    return None if end is None else round((end - start) * 1000, 3)
