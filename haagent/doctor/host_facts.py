"""IO shell: asks the machine itself: privileges, real-time, sysctls, clock, directories, SIP core."""

import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from haagent.config import AgentConfig, check_against_host
from haagent.control.client import AgentUnreachableError, ControlClient, RefusedError
from haagent.doctor.core_facts import core_answers
from haagent.doctor.facts import AgentFacts, DirectoryFacts, HostFacts
from haagent.doctor.judge_lan import VIRTUAL_MACS
from haagent.errors import ConfigError
from haagent.host import Interface
from haagent.realtime import KEPT, missing_capabilities
from haagent.virtual_mac import TAG

SYSCTLS = ("arp_ignore", "arp_announce", "rp_filter")
ASK_SECONDS = 2.0
_CHILD_SECONDS = 20.0
_ST_RDONLY = os.ST_RDONLY
_TIMEX_SIZE, _TIMEX_STATUS = 256, 40  # struct timex of linux/timex.h on 64 bits
_STA_UNSYNC = 0x40
_ENTER = (
    "import dataclasses, json; from haagent import realtime; "
    "print(json.dumps(dataclasses.asdict(realtime.enter())))"
)


def host_facts(config: AgentConfig, interfaces: dict[str, Interface]) -> HostFacts:
    """Everything but the LAN; `clock_jump` is measured while that is listened to."""
    granted = _granted()
    facts = HostFacts(
        misfit=_misfit(config, interfaces),
        missing_capabilities=tuple(missing_capabilities(tuple(KEPT))),
        fifo=granted.get("fifo", False),
        mlock=granted.get("mlock", False),
        sysctls=_sysctls({router.interface for router in config.virtual_router}),
        sysctls_writable=not os.statvfs("/proc/sys/net/ipv4").f_flag & _ST_RDONLY,
        clock_synchronised=_clock_synchronised(),
        virtual_macs=_virtual_macs(interfaces),
        macvlan=_macvlan(),
        directories=(_directory("state_dir", config.state_dir), _directory("run_dir", config.run_dir)),
    )
    if config.core is not None:
        facts.core_ready, facts.core_error = core_answers(config.core, config.node)
    return facts


def agent_facts(config: AgentConfig) -> AgentFacts | None:
    """What the agent of this node says, if it runs."""
    try:
        status = ControlClient(Path(config.run_dir) / "control.sock", ASK_SECONDS).get("/v1/status")
    except (AgentUnreachableError, RefusedError):
        return None
    peer = status["peer"] or {}
    return AgentFacts(status["role"], bool(peer.get("connected")), peer.get("role"))


def _misfit(config: AgentConfig, interfaces: dict[str, Interface]) -> str | None:
    try:
        check_against_host(config, interfaces)
    except ConfigError as error:
        return str(error)
    return None


def _granted() -> dict[str, bool]:
    """What a guard would get: asked for in a child, which drops its privileges for it."""
    argv = [sys.executable, "-c", _ENTER]
    try:
        done = subprocess.run(argv, capture_output=True, timeout=_CHILD_SECONDS, check=True)
        answer: dict[str, bool] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}
    return answer


def _sysctls(interfaces: Iterable[str]) -> dict[str, str | None]:
    names = [f"net/ipv4/conf/{where}/{name}" for where in ("all", *interfaces) for name in SYSCTLS]
    names += [f"net/ipv6/conf/{where}/disable_ipv6" for where in interfaces]
    return {name: _read(Path("/proc/sys") / name) for name in ("net/ipv4/ip_nonlocal_bind", *names)}


def _virtual_macs(interfaces: dict[str, Interface]) -> dict[str, tuple[str, str]]:
    """Who has a MAC of VRRP here and on what it stands, save our own agent."""
    names = {interface.index: name for name, interface in interfaces.items()}
    return {
        name: (interface.mac, names.get(interface.below, ""))
        for name, interface in interfaces.items()
        if interface.mac.startswith(VIRTUAL_MACS) and not interface.alias.startswith(TAG)
    }


def _macvlan() -> bool | None:
    """Built in or loaded (then it shows in /sys/module), or there to be loaded on demand."""
    folder = Path("/lib/modules") / os.uname().release
    if Path("/sys/module/macvlan").exists():
        return True
    if not folder.is_dir():
        return None  # a container, say
    lists = [_read(folder / name) or "" for name in ("modules.builtin", "modules.dep")]
    return any("/macvlan.ko" in one for one in lists)


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _clock_synchronised() -> bool | None:
    buffer = ctypes.create_string_buffer(_TIMEX_SIZE)  # modes 0: only asks
    if ctypes.CDLL(None).adjtimex(buffer) < 0:
        return None
    status = int.from_bytes(buffer.raw[_TIMEX_STATUS : _TIMEX_STATUS + 4], sys.byteorder)
    return not status & _STA_UNSYNC


def _directory(key: str, path: str) -> DirectoryFacts:
    """Write, sync and remove a file there; a directory that is missing is tried in its parent."""
    place = Path(path)
    while not place.exists() and place != place.parent:
        place = place.parent
    facts = DirectoryFacts(key, path)
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".haagent-doctor-") as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
        facts.free = shutil.disk_usage(place).free
    except OSError as error:
        facts.error = error.strerror or str(error)
    return facts
