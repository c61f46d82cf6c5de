"""IO shell: the switchover that an operator has planned: kept on disk, carried out at its time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog

from haagent.schedule import Due, Planned, due, refuse
from haagent.state import StateDirectory
from haagent.telemetry.events import Event

log = structlog.get_logger()

LONGEST_SLEEP = 5.0  # seconds: the wall clock may be set meanwhile


class PlannedSwitchover:
    """At most one; a new one replaces it."""

    def __init__(
        self,
        state: StateDirectory,
        *,
        order: Callable[[str], Awaitable[str | None]],
        note: Callable[[str], None],
    ) -> None:
        """`order` asks for the switchover, by whom; `note` writes into the history."""
        self._state = state
        self._order = order
        self._note = note
        self._planned = state.planned()
        self._changed = asyncio.Event()

    def plan(self, at: float | None, by: str) -> str | None:
        """At this time (seconds UTC; None: not any more); the reason when that is refused."""
        if at is None:
            if self._planned is None:
                return "no switchover is planned"
            self._forget()
            log.info(Event.SWITCHOVER_PLANNED, at=None, by=by)
            self._note(f"the planned switchover is called off by {by}")
            return None
        refusal = refuse(at, time.time())
        if refusal is not None:
            return refusal
        planned = Planned(at, by)
        self._state.store_planned(planned)
        self._planned = planned
        self._changed.set()
        log.info(Event.SWITCHOVER_PLANNED, at=_utc(at), by=by)
        self._note(f"a switchover at {_utc(at)} is planned by {by}")
        return None

    def status(self) -> dict[str, object] | None:
        """When, and by whom."""
        return None if self._planned is None else {"at": _utc(self._planned.at), "by": self._planned.by}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            planned = self._planned
            wait = LONGEST_SLEEP if planned is None else min(planned.at - time.time(), LONGEST_SLEEP)
            try:
                async with asyncio.timeout(max(0.0, wait)):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()
            if planned is not None and planned is self._planned:
                await self._carry_out(planned)

    async def _carry_out(self, planned: Planned) -> None:
        """Only the master can hand over: a switchover in between has made the plan void."""
        verdict = due(planned, time.time())
        if verdict is Due.WAIT:
            return
        self._forget()
        refusal: str | None = "its time has passed while the agent did not run"
        if verdict is Due.NOW:
            refusal = await self._order(f"{planned.by}, planned for {_utc(planned.at)}")
        if refusal is not None:
            log.error(Event.SWITCHOVER_MISSED, at=_utc(planned.at), by=planned.by, reason=refusal)
            self._note(f"the switchover planned for {_utc(planned.at)} did not take place: {refusal}")

    def _forget(self) -> None:
        self._planned = None
        self._changed.set()
        self._state.store_planned(None)


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
