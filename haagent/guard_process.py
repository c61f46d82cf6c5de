"""IO shell: the guard as the control process sees it: started, watched by pidfd, talked to, started again."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import IO

import structlog

from haagent.health.weights import Finding
from haagent.host import write_owner
from haagent.pipe import (
    MAX_PACKET,
    Answer,
    AskedWitness,
    Core,
    Findings,
    Line,
    Order,
    Repair,
    Report,
    RoleChange,
    Rules,
    Setup,
    Shutdown,
    Stopped,
    ToGuard,
    Witnessed,
    decode_to_control,
    encode,
)
from haagent.telemetry.events import Event
from haagent.witness.said import Said

log = structlog.get_logger()

ANSWER_SECONDS = 2.0
_SOCKET_BUFFER = 1 << 20


class GuardProcess:
    """One guard; make a new one after its death."""

    def __init__(
        self,
        setup: Setup,
        lock: IO[str],
        *,
        on_report: Callable[[Report], None],
        on_role: Callable[[RoleChange], None],
        on_rules: Callable[[Rules], None],
        on_ask: Callable[[AskedWitness], None],
    ) -> None:
        self._on_report = on_report
        self._on_role = on_role
        self._on_rules = on_rules
        self._on_ask = on_ask
        self._answers: deque[asyncio.Future[str | None]] = deque()
        self._ended = asyncio.Event()
        self.stopped = False
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
        ours.setblocking(False)
        self._pipe = ours
        with theirs:
            argv = [sys.executable, "-m", "haagent.lean_guard", str(theirs.fileno())]
            self._process = subprocess.Popen(argv, pass_fds=(theirs.fileno(), lock.fileno()))
        write_owner(lock, self.pid)
        self._pidfd = os.pidfd_open(self.pid)
        self._send(setup)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._pidfd, self._on_death)
        loop.add_reader(self._pipe, self._on_packet)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def wait(self) -> int:
        """Wait until it has ended; its return code."""
        await self._ended.wait()
        return self._process.wait()

    def tell_core(self, core: Core) -> None:
        """What control knows of the SIP core."""
        self._send(core)

    def tell_findings(self, findings: tuple[Finding, ...]) -> None:
        """What the health checks say."""
        self._send(Findings(findings))

    def tell_witness(self, said: Said) -> None:
        """What the witness says."""
        self._send(Witnessed(said))

    def tell_repair(self, *, done: bool) -> None:
        """The packet rules are being written again, or have been."""
        self._send(Repair(done))

    def shut_down(self) -> None:
        """Have it leave in a planned way."""
        self._send(Shutdown())

    def kill(self) -> None:
        """When it does not leave."""
        self._process.kill()

    async def order(self, order: Order) -> str | None:
        """Give an operator's command; the reason when it is refused."""
        return await self._ask(order)

    async def renew(self, setup: Setup) -> str | None:
        """Have it go over to another setup; the reason when it does not."""
        return await self._ask(setup)

    async def _ask(self, message: Order | Setup) -> str | None:
        answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        self._send(message)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer
        except TimeoutError:
            return f"the guard has not answered within {ANSWER_SECONDS:g} s"

    def _send(self, message: ToGuard) -> None:
        try:
            self._pipe.send(encode(message))
        except OSError as error:  # it hangs or has died: its death is handled where it is seen
            log.warning(Event.GUARD_NOT_TOLD, message=type(message).__name__, error=str(error))

    def _on_death(self) -> None:
        self._on_packet()
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._pidfd)
        loop.remove_reader(self._pipe)
        os.close(self._pidfd)
        self._pipe.close()
        for answer in self._answers:
            if not answer.done():
                answer.set_result("the guard has died")
        self._ended.set()

    def _on_packet(self) -> None:
        while True:
            try:
                packet = self._pipe.recv(MAX_PACKET)
            except OSError:
                return
            if not packet:
                asyncio.get_running_loop().remove_reader(self._pipe)
                return
            self._take(packet)

    def _take(self, packet: bytes) -> None:
        message = decode_to_control(packet)
        if isinstance(message, RoleChange):
            self._on_role(message)
        elif isinstance(message, Report):
            self._on_report(message)
        elif isinstance(message, Rules):
            self._on_rules(message)
        elif isinstance(message, AskedWitness):
            self._on_ask(message)
        elif isinstance(message, Answer):
            answer = self._answers.popleft()
            if not answer.done():
                answer.set_result(message.refusal)
        elif isinstance(message, Line):
            _say(message)
        elif isinstance(message, Stopped):
            self.stopped = True


def _say(line: Line) -> None:
    if line.level == "warning":
        log.warning(Event.ALARM, text=line.text)
    else:
        log.info(Event.NOTE, text=line.text)


def death(role: str, epoch: int, code: int) -> RoleChange:
    """What the death of a guard in this role means for the node: it has none."""
    now = time.monotonic()
    reason = f"the guard died (code {code})"
    return RoleChange(
        old=role,
        role="INIT",
        epoch=epoch,
        reason=reason,
        detected=now,
        decided=now,
        vip=now,
        announced=None,
    )
