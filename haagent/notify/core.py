"""IO shell: tells the SIP core its role (`PUT /v1/role`) and follows its state (`GET /v1/events`).

Any server that speaks these two requests on a Unix socket can be failed over: sipcore, or an adapter in front
of another one. Nothing of a takeover waits for it; the newest role is told until the core has taken it.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec
import structlog

from haagent.awake import Awake
from haagent.notify.core_adapter import CoreAdapter
from haagent.notify.told import CoreState, Told
from haagent.telemetry.events import Event

log = structlog.get_logger()

RETRY_SECONDS = 0.05
TELL_TIMEOUT = 2.0
SILENCE_SECONDS = 5.0  # a core sends a heartbeat every second; one that is frozen does not
MAX_EVENT_BYTES = 1 << 20
_HTTP_CONFLICT = 409


class CoreLink(CoreAdapter):
    """One persistent connection for the role and one for the events, both made again when they break."""

    def __init__(
        self,
        path: str,
        *,
        on_state: Callable[[CoreState], None],
        on_gone: Callable[[str], None],
        on_told: Callable[[Told, float], None],
        silence: float = SILENCE_SECONDS,
    ) -> None:
        """`silence`: seconds without a word after which the core is gone."""
        self._silence = silence
        self._awake = Awake()
        self._path = path
        super().__init__(on_state=on_state, on_gone=on_gone, on_told=on_told)

    async def run(self) -> None:
        """Follow and tell until cancelled."""
        connector = aiohttp.UnixConnector(path=self._path)
        async with (
            aiohttp.ClientSession("http://core", connector=connector) as session,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(self._awake.run())
            tasks.create_task(self._follow(session))
            tasks.create_task(self._tell(session))

    async def _follow(self, session: aiohttp.ClientSession) -> None:
        """A core that was silent while we stood still is asked again before it counts as gone."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=TELL_TIMEOUT, sock_read=self._silence)
        doubted = False
        while True:
            late = False
            try:
                async with session.get("/v1/events", timeout=timeout, read_bufsize=MAX_EVENT_BYTES) as stream:
                    stream.raise_for_status()
                    await self._read(stream.content)
                reason = "its event stream closed"
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                reason = f"its event stream failed: {error or type(error).__name__}"
                late = isinstance(error, TimeoutError)
            was_there = self.connected or doubted
            self.connected, doubted = False, was_there and late and self._awake.just_woke
            if was_there and not doubted:
                self._on_gone(f"the SIP core is gone: {reason}")
            await asyncio.sleep(RETRY_SECONDS)

    async def _read(self, content: aiohttp.StreamReader) -> None:
        """Every line holds the status fields; the first one means a new core, which knows no role yet."""
        async for line in content:
            fields = msgspec.json.decode(line, type=dict[str, Any])
            self.last.update(fields)
            first, self.connected = not self.connected, True
            self._on_state(msgspec.convert(self.last, CoreState))
            self._heard.set()
            if first and self._wanted is not None:
                self._pending.set()

    async def _tell(self, session: aiohttp.ClientSession) -> None:
        while True:
            await self._pending.wait()
            self._pending.clear()
            told = self._wanted
            if told is not None and not await self._put(session, told):
                await asyncio.sleep(RETRY_SECONDS)
                self._pending.set()
            elif told is self._wanted:
                self._settled.set()

    async def _put(self, session: aiohttp.ClientSession, told: Told) -> bool:
        """True when the core has taken the role, or has refused it for good."""
        body = {"role": told.role, "epoch": told.epoch, "reason": told.reason}
        timeout = aiohttp.ClientTimeout(total=TELL_TIMEOUT)
        try:
            async with session.put("/v1/role", json=body, timeout=timeout) as answer:
                if answer.status == _HTTP_CONFLICT:
                    log.error(Event.CORE_REFUSES_ROLE, answer=await answer.text(), **body)
                    return True
                answer.raise_for_status()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log.debug(Event.CORE_NOT_TOLD, error=repr(error), **body)
            return False
        self._on_told(told, time.monotonic())
        return True
