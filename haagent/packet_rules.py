"""IO shell: the packet rules and sysctls of the node: applied hidden at start, removed at the end."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog

import netrules
from haagent.config import AgentConfig
from haagent.errors import ConfigError
from haagent.pipe import Setup
from haagent.telemetry.events import Event
from haagent.vip.lease import ruleset

log = structlog.get_logger()

LOOK_SECONDS = 1.0
SHARED = ("strategy", "rules")


def require_agreement(config: AgentConfig) -> None:
    """All virtual routers move together by one transaction: they must want the same kind of rules."""
    first = config.virtual_router[0]
    for index, router in enumerate(config.virtual_router):
        for key in SHARED:
            if getattr(router, key) != getattr(first, key):
                raise ConfigError(
                    f"virtual_router[{index}].{key}: {getattr(router, key)!r} differs from"
                    f" {getattr(first, key)!r} of virtual_router[0]; all of a node must agree"
                )
        if bool(router.lease) != bool(first.lease):
            raise ConfigError(f"virtual_router[{index}].lease: all of a node have one, or none")


class PacketRules:
    """What netrules keeps for this agent."""

    def __init__(self, setup: Setup, run_dir: Path) -> None:
        self._ruleset = ruleset(setup)
        self._run_dir = run_dir
        self.lock = asyncio.Lock()  # a repair and a reload do not meet
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rules")

    def apply(self) -> None:
        """Bring the host to the backup's state."""
        netrules.apply(self._ruleset, state_dir=self._run_dir)

    async def keep(self, tell: Callable[[bool], None]) -> None:
        """Look at them every second: without them a backup would speak up and a lease would end nothing.

        `tell` has the guard know that they are being written again (False), and that they have been (True).
        """
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            async with self.lock:
                missing = await self.missing()
                if not missing:
                    continue
                log.warning(Event.RULES_PUT_BACK, steps=missing)
                tell(False)
                await self.repair()
                tell(True)

    async def missing(self) -> list[str]:
        """What somebody else has changed (`nft flush ruleset`, a firewall's reload): the steps to mend it."""
        return await self._in_thread(dry_run=True)

    async def repair(self) -> list[str]:
        """Make those steps; what is written again is hidden."""
        return await self._in_thread(dry_run=False)

    async def _in_thread(self, *, dry_run: bool) -> list[str]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._repair, dry_run)

    def _repair(self, dry_run: bool) -> list[str]:
        try:
            steps = netrules.apply(self._ruleset, dry_run=dry_run, state_dir=self._run_dir)
        except netrules.RulesError as error:
            log.warning(Event.RULES_NOT_CHECKED, error=str(error))
            return []
        return [step.text for step in steps]

    def renew(self, setup: Setup) -> None:
        """The guard has gone over to other VIPs: these rules are to be kept from now on."""
        self._ruleset = ruleset(setup)

    def remove(self) -> None:
        """Take everything of ours away, and give back the sysctls that we changed."""
        self._thread.shutdown()
        netrules.remove(state_dir=self._run_dir, scope=self._ruleset.scope)

    def flip(self, show: bool) -> None:
        """Backend iptables: fork the commands, in a thread, in their order."""
        self._thread.submit(self._flip, show)

    def _flip(self, show: bool) -> None:
        flip = netrules.IptablesFlip(self._ruleset)
        try:
            (flip.show if show else flip.hide)()
        except netrules.RulesError:
            log.exception(Event.RULES_NOT_FLIPPED, show=show)
