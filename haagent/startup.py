"""IO shell: what is made ready on this host before the agent runs, and in which order."""

from dataclasses import dataclass
from pathlib import Path
from typing import IO

import structlog

from haagent import host, logs, virtual_mac
from haagent.config import AgentConfig, check_against_host, of_group, vips_of_others
from haagent.packet_rules import PacketRules, require_agreement
from haagent.pipe import Setup
from haagent.prebuild import build_setup
from haagent.state import StateDirectory
from haagent.telemetry.events import Event
from haagent.telemetry.observer import Observer
from haagent.watchdog.device import Watchdog
from haagent.witness.link import read_password

log = structlog.get_logger()


@dataclass(slots=True)
class Prepared:
    """The host is ready for the agent."""

    path: Path
    group: str  # of virtual routers; empty: the node's own
    others: frozenset[str]  # the VIPs of the other groups
    config: AgentConfig
    setup: Setup
    state: StateDirectory
    rules: PacketRules
    guard_lock: IO[str]
    agent_lock: IO[str]
    observer: Observer
    watchdog: Watchdog | None


def prepare(path: Path, whole: AgentConfig, group: str) -> Prepared:
    """In this order: nothing of the host is changed before all checks have passed."""
    config, others = of_group(whole, group), vips_of_others(whole, group)
    observer = Observer()
    logs.configure(config.log.format, config.log.level, observer.tap)
    host.require_capabilities()
    check_against_host(config, host.interfaces())
    require_agreement(config)
    read_password(config.witness)
    run_dir = Path(config.run_dir)
    agent_lock = host.lock(run_dir)
    guard_lock = host.guard_lock(run_dir)
    for address in host.remove_leftovers(others):
        log.warning(Event.ADDRESS_CLEANED, address=address)
    for name in virtual_mac.remove_all(group):
        log.warning(Event.VIRTUAL_MAC_CLEANED, interface=name)
    # looked at again: an address that was ours a moment ago must not be taken for somebody else's
    interfaces = host.interfaces()
    try:
        macvlans = virtual_mac.create(config, interfaces, group)
        setup = build_setup(config, interfaces, macvlans, group=group)
        rules = PacketRules(setup, run_dir)
        rules.apply()
    except BaseException:
        virtual_mac.remove_all(group)
        raise
    state = StateDirectory(Path(config.state_dir))
    watchdog = Watchdog(config.watchdog) if config.watchdog is not None else None
    return Prepared(
        path, group, others, config, setup, state, rules, guard_lock, agent_lock, observer, watchdog
    )
