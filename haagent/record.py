"""IO shell: the history of role changes as control writes it: reason, and the time that each step took."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from haagent.notify.told import Told
from haagent.pipe import PauseReport, Report, RoleChange
from haagent.state import StateDirectory
from haagent.telemetry.events import Event

log = structlog.get_logger()

LOOKED_AT = 100  # records
SAME_END = 5.0  # seconds


class History:
    """Writes to disk in the background, in order; nothing waits for it."""

    def __init__(self, node: str, state: StateDirectory) -> None:
        self._node = node
        self._state = state
        self._writes: asyncio.Queue[Callable[[], None]] = asyncio.Queue()
        self._untold: dict[str, Any] | None = None
        self._changed = 0.0
        self._failing = False
        self._paused = state.pause()
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

    def pause(self, report: Report) -> None:
        """Maintenance has begun or is over, if this report says other than what is known."""
        pause, was = report.pause, self._paused
        if pause is None:
            if was is not None:
                self._paused = None
                log.info(Event.RESUMED)
                self.note(report, "the pause is over")
                self._writes.put_nowait(lambda: self._state.store_pause("", None))
            return
        until = None if pause.left is None else time.time() + pause.left
        if was is not None and was[0] == pause.by and _is_near(was[1], until):
            return
        self._paused = pause.by, until
        log.info(Event.PAUSED, by=pause.by, seconds=pause.left and round(pause.left))
        end = "" if pause.left is None else f" for {pause.left:.0f} s"
        self.note(report, f"paused by {pause.by}{end}")
        self._writes.put_nowait(lambda: self._state.store_pause(pause.by, until))

    def paused(self) -> PauseReport | None:
        """The maintenance that the next guard is to go on with."""
        if self._paused is None:
            return None
        by, until = self._paused
        left = None if until is None else until - time.time()
        return None if left is not None and left <= 0 else PauseReport(by=by, left=left)

    @property
    def was_master(self) -> bool:
        """Whether the newest record of a change says so: a planned end would have been recorded."""
        changes = (one for one in reversed(self._state.history(LOOKED_AT)) if one.get("phases"))
        return next((one["role"] == "MASTER" for one in changes), False)

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


def _is_near(one: float | None, other: float | None) -> bool:
    """Whether it is the same end: the wall clock may have been set meanwhile by a little."""
    return one is other or (one is not None and other is not None and abs(one - other) < SAME_END)


def _wall(monotonic: float) -> str:
    seconds = time.time() - time.monotonic() + monotonic
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _milliseconds(start: float, end: float | None) -> float | None:
    return None if end is None else round((end - start) * 1000, 3)
