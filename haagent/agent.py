"""IO shell: the control process: its parts, start and stop order, and what happens when the guard dies."""

import asyncio
import os
import signal
import time
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog
from tenacity import AsyncRetrying, retry_if_result, wait_exponential

from haagent import logs, service
from haagent.control import api
from haagent.control.planned import PlannedSwitchover
from haagent.control.status import priorities, view
from haagent.errors import HaagentError
from haagent.groups import Groups
from haagent.guard_process import GuardProcess, death
from haagent.health.runner import HealthChecks
from haagent.health.weights import Finding
from haagent.hooks.runner import Hooks
from haagent.notify.adapter import open_core
from haagent.notify.core_adapter import CoreAdapter
from haagent.notify.told import CoreState, Told
from haagent.pipe import Core, Order, Report, RoleChange
from haagent.record import History
from haagent.reload import Renewal, read_renewal
from haagent.rescue import Rescue
from haagent.startup import Prepared
from haagent.telemetry.changes import core_change, peer_change
from haagent.telemetry.events import Event
from haagent.vip.owners import OwnerWatch
from haagent.witness.link import open_witness
from haagent.witness.said import Said
from netrules import RulesError

log = structlog.get_logger()

STOP_SECONDS = 5.0
TELL_SECONDS = 1.0
CORE_FIRST_SECONDS = 0.25
FIRST_WORD_SECONDS = 0.5
HOOKS_SECONDS = 3.0  # that they have at the stop
RESTART = wait_exponential(multiplier=0.02, max=5.0)
NO_CORE = {"ready": False, "synced": False, "role": None, "epoch": None, "pid": None}


class Control:
    """The asyncio half of the agent."""

    def __init__(self, prepared: Prepared) -> None:
        self._path = prepared.path
        self._config = prepared.config
        self._setup = prepared.setup
        self._groups = Groups(prepared.path, prepared.config)
        self._state = prepared.state
        self._lock = prepared.guard_lock
        self._rules = prepared.rules
        self._history = History(prepared.config.node, prepared.state)
        self._heir = self._history.was_master
        self._tasks: set[asyncio.Task[object]] = set()
        self.observer = prepared.observer
        self._rescue = Rescue(prepared.setup, flip=prepared.rules.flip)
        self._owners = OwnerWatch(prepared.setup.routers)
        self._guard: GuardProcess | None = None
        self._report: Report | None = None
        self._reported = 0.0
        self._epoch = prepared.state.epoch()
        self._core_seen = Core(pid=0, ready=False, synced=False)
        self._stopping = asyncio.Event()
        self._hooks = Hooks(prepared.config, self._core_settled)
        self._checks = HealthChecks(prepared.config, self._on_findings)
        self._watchdog = prepared.watchdog
        self._witness = open_witness(prepared.config, self._on_witness)
        self._planned = PlannedSwitchover(prepared.state, order=self._hand_over, note=self._note)
        core = prepared.config.core
        self._core: CoreAdapter | None = None
        if core is not None:
            self._core = open_core(
                core,
                prepared.config.node,
                on_state=self._on_core,
                on_gone=self._on_core_gone,
                on_told=self._history.core_told,
            )

    async def run(self) -> int:
        """Until SIGTERM or SIGINT, and the planned stop after it."""
        loop = asyncio.get_running_loop()
        self.observer.attach()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._spawn(self.reload("SIGHUP")))
        servers = [await api.serve_unix(self, Path(self._config.run_dir) / "control.sock")]
        if self._config.api is not None:
            listen = self._config.api.listen
            servers.append(await api.serve_tcp(self, listen.host, listen.port))
        work = [self._history.run(), self._checks.run(), self._rules.keep(self._tell_repair)]
        work += [self._groups.run(), service.sign_of_life(lambda: self._reported), self._witness.run()]
        work.append(self._planned.run())
        work.append(self._owners.run())
        if self._core is not None:
            work.append(self._core.run())
        if self._watchdog is not None:
            work.append(self._watchdog.run())
        background = [asyncio.create_task(one) for one in work]
        self._hooks.start()
        if self._core is not None:
            await self._core.first_word(FIRST_WORD_SECONDS)  # else each start would begin with a fault
        guarding = asyncio.create_task(self._keep_guard())
        await asyncio.wait(
            [guarding, asyncio.create_task(self._stopping.wait())], return_when=asyncio.FIRST_COMPLETED
        )
        await self._stop(guarding)
        if guarding.done() and not guarding.cancelled():
            guarding.result()  # an error of ours must be seen
        self.observer.feed.close()
        for server in servers:
            await server.cleanup()
        await self._history.flush()
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        if self._watchdog is not None:
            self._watchdog.disarm()
        return 0

    # What the API asks for

    def status(self) -> dict[str, Any]:
        """The whole state."""
        guard_pid = self._guard.pid if self._guard else None
        adapter = self._core
        core = {**NO_CORE, **adapter.last, "connected": adapter.connected} if adapter else None
        state = view(self._config, self._report, epoch=self._epoch, guard_pid=guard_pid, core=core)
        return {
            **state,
            "checks": self._checks.status(),
            "hooks": self._hooks.status(),
            "planned": self._planned.status(),
            "groups": self._groups.status(),
            "witness": self._witness.status(),
            "two_owners": self._owners.others,
            "since": self._history.since,
            "pid": os.getpid(),
        }

    def explain(self) -> dict[str, Any]:
        """Why the node has the role that it has."""
        return {"node": self._config.node, "lines": self._report.explain if self._report else []}

    def history(self, last: int) -> list[dict[str, Any]]:
        """The newest records, oldest first."""
        return self._state.history(last)

    async def command(self, name: str, *, force: bool, by: str, seconds: float | None = None) -> str | None:
        """Hand an operator's command to the guard."""
        if self._guard is None:
            return "the guard does not run now"
        return await self._guard.order(Order(name, force, by, seconds))

    def plan(self, at: float | None, by: str) -> str | None:
        """Plan a switchover, or (None) call it off."""
        return self._planned.plan(at, by)

    async def _hand_over(self, by: str) -> str | None:
        return await self.command("switchover", force=False, by=by)

    def _note(self, text: str) -> None:
        if self._report is not None:
            self._history.note(self._report, text)

    async def reload(self, by: str) -> tuple[list[str], str | None]:
        """Take over the changed file: the keys that differ, and the reason when nothing is taken."""
        service.reloading()
        async with self._rules.lock:
            try:
                renewal = await asyncio.to_thread(read_renewal, self._path, self._config, self._setup)
                refusal = await self._renew(renewal)
            except (HaagentError, RulesError, OSError) as error:
                refusal = f"{self._path}: {error}"
        service.notify("READY=1")
        if refusal is not None:
            log.error(Event.RELOAD_REFUSED, reason=refusal, by=by)
            return [], refusal
        log.info(Event.RELOADED, by=by, changed=renewal.changed)
        self._groups.reload()
        if renewal.changed:
            self._note(f"reloaded by {by}: {', '.join(renewal.changed)}")
        return renewal.changed, None

    async def _renew(self, renewal: Renewal) -> str | None:
        """The guard first, since it alone can still refuse."""
        if self._guard is None:
            return "the guard does not run now"
        fresh = self._hooks.prepare(renewal.config)
        renewal.setup.epoch, renewal.setup.findings = self._epoch, self._checks.findings
        refusal = await self._guard.renew(renewal.setup)
        if refusal is None:
            self._config, self._setup = renewal.config, renewal.setup
            self._rules.renew(renewal.setup)
            self._owners.routers = renewal.setup.routers
            self._rescue = Rescue(renewal.setup, flip=self._rules.flip)
            self._checks.renew(renewal.config)
            await self._hooks.renew(renewal.config, fresh)
            logs.set_level(renewal.config.log.level)
        return refusal

    # What the guard and the core say

    def _on_report(self, report: Report) -> None:
        if self._report is None:
            service.notify("READY=1")
        before, self._report = self._report, report
        self._reported = time.monotonic()
        self._owners.on_report(report)
        if self._watchdog is not None:
            renews = all(router.lease_renews for router in report.routers)
            self._watchdog.feeding.on_report(lease_renews=renews, now=self._reported)
        self._history.pause(report)
        if (change := peer_change(before, report)) is not None:
            log.info(Event.PEER_CHANGED, **change)

    def _on_role(self, change: RoleChange) -> None:
        """The core first: its time counts."""
        told = Told("MASTER" if change.role == "MASTER" else "BACKUP", change.epoch, change.reason)
        if self._core is not None:
            self._core.tell(told)
        self._witness.on_role(change.role, change.epoch)
        self._checks.on_role(change.role)
        self._epoch = max(self._epoch, change.epoch)
        self._history.add(change)
        group = self._setup.group or self._config.node
        self._hooks.on_role(change, group, priorities(self._config, self._report))
        service.notify(f"STATUS={change.role}, epoch {change.epoch}: {change.reason}")

    async def _core_settled(self) -> None:
        """Hooks wait for this: the SIP core learns of a takeover first."""
        if self._core is not None:
            await self._core.settle(CORE_FIRST_SECONDS)

    def _on_core(self, state: CoreState) -> None:
        self._tell_guard(Core(pid=state.pid, ready=state.ready, synced=state.synced, epoch=state.epoch))

    def _on_core_gone(self, reason: str) -> None:
        log.warning(Event.CORE_GONE, reason=reason)
        self._tell_guard(Core(pid=0, ready=False, synced=False))

    def _on_findings(self, findings: tuple[Finding, ...]) -> None:
        if self._guard is not None:
            self._guard.tell_findings(findings)

    def _on_witness(self, said: Said) -> None:
        if self._guard is not None:
            self._guard.tell_witness(said)

    def _tell_guard(self, core: Core) -> None:
        if core == self._core_seen:
            return
        if (change := core_change(self._core_seen, core)) is not None:
            log.info(Event.CORE_CHANGED, **change)
        self._core_seen = core
        if self._guard is not None:
            self._guard.tell_core(core)

    def _tell_repair(self, done: bool) -> None:
        if self._guard is not None:
            self._guard.tell_repair(done=done)

    # The guard's life

    async def _keep_guard(self) -> None:
        """Start it, and start it again when it has died; ever slower while it dies at once."""
        await AsyncRetrying(wait=RESTART, retry=retry_if_result(bool))(self._run_guard)

    async def _run_guard(self) -> bool:
        """One life of the guard; True when there is to be another."""
        started = time.monotonic()
        self._setup.epoch, self._setup.findings = self._epoch, self._checks.findings
        self._setup.pause, self._setup.heir = self._history.paused(), self._heir
        self._guard = GuardProcess(
            self._setup,
            self._lock,
            on_report=self._on_report,
            on_role=self._on_role,
            on_rules=lambda rules: self._rules.flip(rules.show),
            on_ask=lambda asked: self._witness.ask(asked.epoch),
        )
        if self._core is not None:
            self._guard.tell_core(self._core_seen)
        code = await self._guard.wait()
        stopped, self._guard = self._guard.stopped, None
        if stopped:
            return False
        self._on_guard_death(code)
        if self._stopping.is_set():
            return False
        log.error(Event.GUARD_DIED, code=code, lived=time.monotonic() - started)
        return True

    def _on_guard_death(self, code: int) -> None:
        """Do at once what it can no longer do: priority 0, the VIPs away, the core a backup."""
        self._heir = self._report is not None and self._report.role == "MASTER"
        self._rescue.release(say_goodbye=self._heir)
        self._setup.settings = replace(
            self._setup.settings, startup_delay=0.0
        )  # the machine is up long since
        role = self._report.role if self._report else "INIT"
        self._report = None
        self._on_role(death(role, self._epoch, code))

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Do it beside the rest; asyncio itself holds a task only weakly."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stop(self, guarding: asyncio.Task[None]) -> None:
        """A planned stop: the guard hands over, then the core is told."""
        service.notify("STOPPING=1")
        groups = asyncio.create_task(self._groups.stop(STOP_SECONDS + HOOKS_SECONDS))
        if self._guard is None:
            guarding.cancel()  # it waits to start the next one
        else:
            self._guard.shut_down()
        done, _ = await asyncio.wait([guarding], timeout=STOP_SECONDS)
        if not done and self._guard is not None:
            log.error(Event.GUARD_STUCK)
            self._guard.kill()
            await asyncio.wait([guarding], timeout=STOP_SECONDS)
        if self._core is not None:
            await self._core.settle(TELL_SECONDS)
        await self._witness.settle(TELL_SECONDS)
        await self._hooks.stop(HOOKS_SECONDS)
        await groups
