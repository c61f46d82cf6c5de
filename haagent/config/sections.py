"""Sans-IO: the tables of haagent.toml and their keys; an area's own tables stand in a file of their own."""

from typing import Annotated, Literal

from msgspec import Meta

from haagent.config.announce import AnnounceConfig
from haagent.config.checks import CheckConfigs
from haagent.config.core import CoreConfig
from haagent.config.group import GroupConfigs
from haagent.config.hooks import HookConfigs, HooksConfig, WebhookConfigs
from haagent.config.kinds import Endpoint, Name, Section, Switchable
from haagent.config.peer import PeerConfig
from haagent.config.virtual_router import VirtualRouterConfig
from haagent.config.watchdog import WatchdogConfig
from haagent.config.witness import WitnessConfig


class ApiConfig(Section, frozen=True, kw_only=True):
    """[api]: read-only HTTP."""

    listen: Endpoint


class LogConfig(Section, frozen=True, kw_only=True):
    """[log]."""

    format: Literal["console", "json"] = "console"
    level: Literal["debug", "info", "warning", "error"] = "info"


class AgentConfig(Section, frozen=True, kw_only=True):
    """haagent.toml."""

    node: Name
    virtual_router: Annotated[tuple[VirtualRouterConfig, ...], Meta(min_length=1)]
    state_dir: str = "/var/lib/haagent"
    run_dir: str = "/run/haagent"
    peer: PeerConfig | None = None
    core: CoreConfig | None = None
    check: CheckConfigs = ()
    api: ApiConfig | None = None
    log: LogConfig = LogConfig()
    announce: AnnounceConfig = AnnounceConfig()
    hooks: HooksConfig = HooksConfig()
    hook: HookConfigs = ()
    webhook: WebhookConfigs = ()
    watchdog: WatchdogConfig | None = None
    group: GroupConfigs = ()
    witness: WitnessConfig | None = None
    startup_delay: Switchable = Switchable(0.0)
