"""IO shell: the routing script of the config, its key-value stores and its tasks."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sipcore.bus import Bus
from sipcore.cachedb.guard import GuardSettings
from sipcore.cachedb.replica import CacheReplica
from sipcore.cachedb.stores import Stores, open_store
from sipcore.config import SipcoreConfig
from sipcore.config.cachedb import CacheStore
from sipcore.control.commands import Json
from sipcore.errors import ConfigError
from sipcore.script.engine import Script
from sipcore.script.errors import ScriptError
from sipcore.script.host import ScriptHost
from sipcore.script.loader import load
from sipcore.script.services import Services
from sipcore.server.assemble import Parts
from sipcore.server.reload import Reloads


class Scripting:
    """Puts the script in the place of the default routes; without one it does nothing.

    `buses`: who else raises events, beside the parts of the core.
    """

    def __init__(
        self,
        config: SipcoreConfig,
        parts: Parts,
        flush: Callable[[float], None],
        buses: Iterable[Bus[Any]] = (),
    ) -> None:
        self.stores = open_stores(config)
        replicated = {store.url.id for store in config.cachedb if store.replicate}
        if replicated and config.replication is not None:
            tables = self.stores.local_tables(replicated)
            parts.journal.register(CacheReplica(tables, parts.journal))
        self._host: ScriptHost | None = None
        if config.script is None:
            return
        core, path = parts.core, Path(config.script.path)
        try:
            generation = load(path, stores=self.stores)
        except ScriptError as error:
            raise ConfigError(f"script.path: {error}") from error
        services = Services(core.proxy, parts.registrar, parts.location, core.dialogs, parts.auth)
        services.stores = self.stores
        services.keeper = core.keeper
        limits = config.script
        script = Script(services, generation, time_limit=limits.time_limit, max_waiting=limits.max_waiting)
        own: list[Bus[Any]] = [parts.location.bus, core.dialogs.bus, parts.auth.failures.bus]
        for bus in (*own, *buses):
            script.subscribe(bus)
        core.proxy.routes = script
        self._host = ScriptHost(script, path, self.stores, flush)

    def add_to(self, reloads: Reloads) -> None:
        """Have the script read anew with the other files."""
        if self._host is not None:
            reloads.add("script", self._host.reload)

    def after_batch(self, now: float) -> None:
        """The answers of a batch have been sent."""
        if self._host is not None:
            self._host.after_batch(now)

    def on_role(self, *, is_master: bool) -> None:
        """A standby forgets the routes that wait: the new master runs them again."""
        if self._host is not None and not is_master:
            self._host.script.on_standby()

    async def stop(self) -> None:
        """End what waits, close the stores."""
        if self._host is not None:
            await self._host.stop()
        await self.stores.close()

    @property
    def counters(self) -> dict[str, int]:
        """What was counted since the start."""
        return self._host.script.counters if self._host is not None else {}

    def status(self) -> Json:
        """The script and its stores, for an operator."""
        rows: dict[str, object] = {"stores": self.stores.status()}
        if self._host is not None:
            generation = self._host.script.services.generation
            rows |= {
                "path": str(self._host.path),
                "generation": generation.number,
                "routes": len(generation),
                "waiting": [run.position for run in self._host.script.runner.waiting],
            }
        return rows


def open_stores(config: SipcoreConfig) -> Stores:
    """The stores of the config, not connected yet."""
    return Stores(open_store(store.url, _guard(store)) for store in config.cachedb)


def script_findings(config: SipcoreConfig) -> list[str]:
    """What is wrong with the script of the config or with its stores, without running them."""
    try:
        stores = open_stores(config)
        if config.script is not None:
            load(Path(config.script.path), stores=stores)
    except ScriptError as error:
        return [str(finding) for finding in error.findings]
    except ConfigError as error:
        return [f"sipcore: {error}"]
    return []


def _guard(store: CacheStore) -> GuardSettings:
    return GuardSettings(
        budget=store.budget,
        max_waiting=store.max_waiting,
        threshold=store.breaker_failures,
        pause=store.breaker_pause,
        longest_pause=store.breaker_longest_pause,
    )
