"""IO shell: runs the checks in the control process: timers, tasks, and who is told what they found."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable

import structlog

from haagent.config import AgentConfig
from haagent.config.checks import CheckConfig, When, runs_when
from haagent.health.board import check_settings, finding, row
from haagent.health.check import (
    AbandonRun,
    Check,
    CheckEffect,
    Result,
    StartRun,
    Verdict,
    VerdictChanged,
)
from haagent.health.probes import Probe, open_probe
from haagent.health.weights import Finding
from haagent.telemetry.events import Event

log = structlog.get_logger()

Findings = tuple[Finding, ...]


class HealthChecks:
    """All checks of this node."""

    def __init__(self, config: AgentConfig, on_findings: Callable[[Findings], None]) -> None:
        """`on_findings` is called whenever what the checks say has changed."""
        routers = config.virtual_router
        self._checks = [_Running(one, runs_when(one, routers), self._changed) for one in config.check]
        self._on_findings = on_findings
        self._role = ""
        self._quiet = False
        self.findings: Findings = self._all()

    async def run(self) -> None:
        """Until cancelled."""
        for one in self._checks:
            one.start()
        try:
            await asyncio.Event().wait()
        finally:
            for one in self._checks:
                one.stop()

    def renew(self, config: AgentConfig) -> None:
        """Other checks from now on: one that is as before goes on, one of the same name keeps its verdict."""
        before = {one.config.name: one for one in self._checks}
        wanted = [(one, runs_when(one, config.virtual_router)) for one in config.check]
        kept = {
            one.name
            for one, when in wanted
            if one.name in before and (before[one.name].config, before[one.name].when) == (one, when)
        }
        fresh = {one.name: _Running(one, when, self._changed) for one, when in wanted if one.name not in kept}
        for name, old in before.items():
            if name not in kept:
                old.stop()
            if name in fresh:
                fresh[name].inherit(old)
        self._checks = [fresh[one.name] if one.name in fresh else before[one.name] for one, _ in wanted]
        self._quiet = True
        for new in fresh.values():
            new.start()
            new.on_role(self._role)
        self._quiet = False
        self._changed()

    def on_role(self, role: str) -> None:
        """Some checks run in one role only."""
        self._role = role
        for one in self._checks:
            one.on_role(role)

    def status(self) -> list[dict[str, object]]:
        """One row for each check."""
        now = time.monotonic()
        return [row(one.config, one.check, one.when, now) for one in self._checks]

    def _changed(self) -> None:
        if self._quiet:
            return
        findings = self._all()
        if findings != self.findings:
            self.findings = findings
            self._on_findings(findings)

    def _all(self) -> Findings:
        return tuple(finding(one.config, one.check, one.when) for one in self._checks)


class _Running:
    """One check with its probe, its timer and the run under way."""

    def __init__(self, config: CheckConfig, when: When, changed: Callable[[], None]) -> None:
        self.config = config
        self.when = when
        self.check = Check(check_settings(config, when))
        self._changed = changed
        self._probe: Probe | None = open_probe(config)  # before the loop runs: some libraries load slowly
        self._started = False
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def inherit(self, old: "_Running") -> None:
        """What an earlier check of this name and kind has found holds until it is found otherwise."""
        if type(old.config) is type(self.config):
            self.check.verdict, self.check.reason = old.check.verdict, old.check.reason

    def start(self) -> None:
        """Begin."""
        assert self._probe is not None
        self._started = True
        self._probe.watch(lambda: self._carry_out(self.check.on_hint(time.monotonic())))
        now = time.monotonic()
        if self.when == "always":
            self._carry_out(self.check.on_startup(now))
        else:
            self._carry_out(self.check.on_role(False, now))

    def stop(self) -> None:
        """End the run under way and give back what the probe holds."""
        for handle in (self._task, self._timer):
            if handle is not None:
                handle.cancel()
        self._started = False
        if self._probe is not None:
            self._probe.close()
            self._probe = None

    def on_role(self, role: str) -> None:
        """Run, or stop running."""
        if self.when != "always" and self._started:
            self._carry_out(self.check.on_role(role == self.when.upper(), time.monotonic()))

    def _carry_out(self, effects: Iterable[CheckEffect]) -> None:
        for effect in effects:
            if isinstance(effect, StartRun):
                self._task = asyncio.create_task(self._run(effect.number))
            elif isinstance(effect, AbandonRun):
                if self._task is not None:
                    self._task.cancel()
            elif isinstance(effect, VerdictChanged):
                self._tell(effect)
        self._arm()
        self._changed()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.check.deadline
        if deadline is not None:
            wait = max(0.0, deadline - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(wait, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._carry_out(self.check.on_timer(time.monotonic()))

    async def _run(self, number: int) -> None:
        assert self._probe is not None
        try:
            result = await self._probe.run()
        except Exception as error:
            log.exception(Event.PROBE_BROKE, check=self.config.name)
            result = Result(False, f"the probe itself failed: {error!r}")
        self._carry_out(self.check.on_result(number, result, time.monotonic()))

    def _tell(self, change: VerdictChanged) -> None:
        level = logging.WARNING if change.new is Verdict.DOWN else logging.INFO
        said = {"check": self.config.name, "old": change.old, "new": change.new, "reason": change.reason}
        log.log(level, Event.CHECK_CHANGED, **said)
