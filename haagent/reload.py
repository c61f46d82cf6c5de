"""IO shell: a changed haagent.toml for a running agent: read, compared, built; it changes nothing yet."""

from dataclasses import dataclass, replace
from pathlib import Path

from haagent import host
from haagent.config import AgentConfig, check_against_host, load, of_group
from haagent.config.reload import require_live
from haagent.errors import ConfigError
from haagent.host import Interface
from haagent.packet_rules import require_agreement
from haagent.pipe import Setup
from haagent.prebuild import build_setup


@dataclass(slots=True)
class Renewal:
    """What the agent goes over to."""

    config: AgentConfig
    setup: Setup
    changed: list[str]


def read_renewal(path: Path, running: AgentConfig, setup: Setup) -> Renewal:
    """Everything that can fail, before anything is changed; raises HaagentError or OSError with the reason.

    It reads files and talks with the kernel: call it in a thread.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8: {error.reason} at byte {error.start}") from error
    config = of_group(load(text), setup.group)
    changed = require_live(running, config)
    interfaces = _without_ours()
    check_against_host(config, interfaces)
    require_agreement(config)
    macvlans = {router.name: router.macvlan for router in setup.routers if router.macvlan is not None}
    built = build_setup(config, interfaces, macvlans, group=setup.group)
    if built.settings.peer != setup.settings.peer:
        raise ConfigError("peer.key_file: another key cannot be taken while the agent runs; restart it")
    return Renewal(config, built, changed)


def _without_ours() -> dict[str, Interface]:
    """The interfaces as they would be without us: our own VIPs are nobody else's."""
    ours = host.own_addresses()
    return {
        name: replace(found, addresses=tuple(a for a in found.addresses if str(a.ip) not in ours))
        for name, found in host.interfaces().items()
    }
