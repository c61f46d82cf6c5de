"""Sans-IO: what the facts of the machine itself mean for a takeover."""

from collections.abc import Iterator

from haagent.config import AgentConfig
from haagent.config.core import CoreConfig, SipcoreConfig
from haagent.doctor.facts import DirectoryFacts, Facts, HostFacts, LinkFacts
from haagent.doctor.verdict import Verdict, fail, ok, warn
from haagent.vrrp.pdu import virtual_mac

NEEDED = ("CAP_NET_ADMIN", "CAP_NET_RAW")
LOW_SPACE = 16 << 20  # bytes: thousands of records of the history
MAX_CLOCK_JUMP = 0.05
STRICT = 1  # rp_filter, Linux Documentation/networking/ip-sysctl.rst
NO_ARP_REPLIES = 8  # arp_ignore


def host_verdicts(config: AgentConfig, facts: Facts) -> Iterator[Verdict]:
    """In the order in which an operator would mend things."""
    host = facts.host
    if host.misfit is not None:
        yield fail("config", host.misfit, "correct the file, or configure the interface")
    else:
        yield ok("config", "fits the interfaces of this host")
    yield from _capabilities(host)
    yield from _real_time(host)
    for directory in host.directories:
        yield _directory(directory)
    yield from _clock(host)
    yield from _sysctls(config, host, facts.links)
    yield from _virtual_macs(config, host)
    if config.core is not None:
        yield _core(config.core, host)


def _capabilities(host: HostFacts) -> Iterator[Verdict]:
    needed = [name for name in host.missing_capabilities if name in NEEDED]
    wanted = [name for name in host.missing_capabilities if name not in NEEDED]
    if needed:
        do = f"run as root, or give the service AmbientCapabilities={' '.join(NEEDED)}"
        yield fail("capabilities", f"missing: {', '.join(needed)}", do)
    if wanted:
        do = f"add {' '.join(wanted)} to AmbientCapabilities; without it the guard is no real-time process"
        yield warn("capabilities", f"missing: {', '.join(wanted)}", do)
    if not host.missing_capabilities:
        yield ok("capabilities", "all that the agent uses")


def _real_time(host: HostFacts) -> Iterator[Verdict]:
    if not host.fifo:
        do = "allow CAP_SYS_NICE (containers: --cap-add=SYS_NICE), else a busy CPU delays advertisements"
        yield warn("real-time", "the kernel refuses SCHED_FIFO", do)
    if not host.mlock:
        do = "LimitMEMLOCK=infinity or CAP_IPC_LOCK, else the guard can be swapped out"
        yield warn("memlock", "memory cannot be locked", do)
    if host.fifo and host.mlock:
        yield ok("real-time", "SCHED_FIFO and locked memory are granted")


def _directory(directory: DirectoryFacts) -> Verdict:
    what = f"{directory.key} {directory.path}"
    if directory.error is not None:
        do = "the epoch must survive a restart: make it writable, or free space"
        return fail(directory.key, f"{what}: {directory.error}", do)
    if directory.free < LOW_SPACE:
        return warn(directory.key, f"{what}: {directory.free >> 20} MiB free", "free space")
    return ok(directory.key, f"{what} can be written, {directory.free >> 20} MiB free")


def _clock(host: HostFacts) -> Iterator[Verdict]:
    if abs(host.clock_jump) > MAX_CLOCK_JUMP:
        do = "have chrony or ntpd slew it; the agent goes by the monotonic clock, calls and logs do not"
        yield warn("clock", f"the wall clock stepped by {host.clock_jump * 1000:.0f} ms", do)
    elif host.clock_synchronised is False:
        do = "run chrony or systemd-timesyncd: times of the two histories cannot be compared"
        yield warn("clock", "the kernel says that it is not synchronised", do)
    elif host.clock_synchronised is None:
        yield warn("clock", "could not be asked (adjtimex)", "look at it with timedatectl")
    else:
        yield ok("clock", "synchronised, and steady while listening")


def _sysctls(config: AgentConfig, host: HostFacts, links: tuple[LinkFacts, ...]) -> Iterator[Verdict]:
    found = list(_wrong_sysctls(config, host, links))
    yield from found or [ok("sysctl", "nothing that would hinder the VIPs")]


def _wrong_sysctls(config: AgentConfig, host: HostFacts, links: tuple[LinkFacts, ...]) -> Iterator[Verdict]:
    if not host.sysctls_writable and host.sysctls.get("net/ipv4/ip_nonlocal_bind") != "1":
        do = "set it on the host to 1, so that a standby's SIP core can bind to the VIP"
        yield fail("sysctl", "net.ipv4.ip_nonlocal_bind is 0 and /proc/sys is read-only", do)
    for link in links:
        ignore = _strongest(host, link.name, "arp_ignore")
        if ignore == NO_ARP_REPLIES:
            do = f"sysctl net.ipv4.conf.{link.name}.arp_ignore=1"
            yield fail("sysctl", f"arp_ignore is 8: {link.name} answers no ARP", do)
        elif ignore == 0 and link.same_network:
            others = ", ".join(link.same_network)
            do = f"sysctl net.ipv4.conf.{link.same_network[0]}.arp_ignore=1, and arp_announce=2"
            yield warn("sysctl", f"arp_ignore is 0: {others} answers for the VIPs of {link.name} too", do)
        if link.same_network and _strongest(host, link.name, "rp_filter") == STRICT:
            do = f"sysctl net.ipv4.conf.{link.name}.rp_filter=2, or one interface for each network"
            seen = f"rp_filter is strict and {', '.join(link.same_network)} is in the same network"
            yield fail("sysctl", f"{seen}: {link.name} may drop the peer's advertisements", do)
        vips = [
            vip for router in config.virtual_router if router.interface == link.name for vip in router.vips
        ]
        has_ipv6 = any(vip.ip.version == 6 for vip in vips)
        if has_ipv6 and host.sysctls.get(f"net/ipv6/conf/{link.name}/disable_ipv6") == "1":
            do = f"sysctl net.ipv6.conf.{link.name}.disable_ipv6=0"
            yield fail("sysctl", f"IPv6 is off on {link.name}, which has an IPv6 VIP", do)


def _virtual_macs(config: AgentConfig, host: HostFacts) -> Iterator[Verdict]:
    """A MAC has one owner, and answers for the VIPs that are on it alone."""
    wanted = [router for router in config.virtual_router if router.virtual_mac != "off"]
    for router in wanted:
        mac = virtual_mac(router.vrid, router.family)
        taken = (mac, router.interface)
        for name in [name for name, other in host.virtual_macs.items() if other == taken]:
            do = f"stop keepalived, or remove what it has left: ip link del {name}"
            yield fail("virtual-mac", f"{name} has the virtual MAC of {router.name} ({mac}) already", do)
        ignore = int(host.sysctls.get("net/ipv4/conf/all/arp_ignore") or 0)
        if router.family == 4 and ignore > 1:
            do = "sysctl net.ipv4.conf.all.arp_ignore=1, which is strict enough"
            yield fail("virtual-mac", f"arp_ignore of all is {ignore}: a /32 on a MAC alone is silent", do)
    if wanted and host.macvlan is False:
        do = "load the kernel module: modprobe macvlan, and name it in /etc/modules-load.d"
        yield warn("virtual-mac", "this kernel has no macvlan, or has not loaded it yet", do)


def _strongest(host: HostFacts, interface: str, name: str) -> int:
    """For these the kernel takes the greater of `all` and the interface's own."""
    values = [host.sysctls.get(f"net/ipv4/conf/{scope}/{name}") for scope in ("all", interface)]
    return max((int(value) for value in values if value and value.isdecimal()), default=0)


def _core(core: CoreConfig, host: HostFacts) -> Verdict:
    control = core.control if isinstance(core, SipcoreConfig) else str(core.__struct_config__.tag)
    if host.core_error is not None:
        return fail("core", f"{control}: {host.core_error}", "start the SIP core; see [core]")
    if not host.core_ready:
        return fail("core", f"{control}: answers, but is not ready", "see its own status")
    return ok("core", f"{control}: ready")
