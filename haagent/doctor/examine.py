"""IO shell: gathers all facts: the host, then the peer, then a while of listening on each interface."""

import ipaddress
import select
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from haagent.config import AgentConfig
from haagent.doctor.facts import AgentFacts, Facts, LinkFacts, SizeFacts, VipFacts
from haagent.doctor.host_facts import agent_facts, host_facts
from haagent.doctor.peer_facts import path_size, peer_facts
from haagent.doctor.rules import suspects
from haagent.doctor.wire import Wire
from haagent.host import Interface, interfaces, own_addresses
from haagent.vrrp.pdu import virtual_mac

ASK_EVERY = 0.5
INTERVALS = 3.5  # long enough to hear a master
LISTEN_SECONDS = (1.0, 15.0)
_TOOL_SECONDS = 10.0
_IFF_MULTICAST = 0x1000


def listen_seconds(config: AgentConfig) -> float:
    """How long to listen when the operator does not say."""
    longest = max(router.advert_interval for router in config.virtual_router)
    least, most = LISTEN_SECONDS
    return min(max(least, INTERVALS * longest), most)


def examine(config: AgentConfig, seconds: float) -> Facts:
    """Everything that the judges need; takes `seconds` and a little."""
    there = interfaces()
    facts = Facts(host=host_facts(config, there), agent=agent_facts(config))
    connected = facts.agent is not None and facts.agent.peer_connected
    if config.peer is not None and not connected:
        facts.peer = peer_facts(config.peer)
    names = dict.fromkeys(router.interface for router in config.virtual_router)
    facts.links = tuple(_link(name, there) for name in names)
    own = own_addresses()
    facts.vips = tuple(
        VipFacts(
            str(vip),
            router.interface,
            _here(str(vip), there, own, facts.agent),
            virtual_mac="" if router.virtual_mac == "off" else virtual_mac(router.vrid, router.family),
        )
        for router in config.virtual_router
        for vip in router.vips
    )
    _listen(facts, there, seconds)
    facts.sizes = tuple(_sizes(config, facts, there))
    return facts


def _here(vip: str, there: dict[str, Interface], own: set[str], agent: AgentFacts | None) -> str:
    configured = {str(address.ip) for interface in there.values() for address in interface.addresses}
    if vip not in configured:
        return "no"
    return "ours" if vip in own or agent is not None else "foreign"


def _link(name: str, there: dict[str, Interface]) -> LinkFacts:
    if name not in there:
        return LinkFacts(name, carrier=False, error="there is no such interface")
    networks = {address.network for address in there[name].addresses if not address.ip.is_link_local}
    networks = {network for network in networks if network.prefixlen < network.max_prefixlen}
    same = [
        other
        for other, interface in there.items()
        if other != name and networks & {address.network for address in interface.addresses}
    ]
    place = Path("/sys/class/net") / name
    flags = int((place / "flags").read_text(), 16) if (place / "flags").exists() else _IFF_MULTICAST
    return LinkFacts(
        name,
        mtu=there[name].mtu,
        multicast=bool(flags & _IFF_MULTICAST),
        carrier=there[name].usable,
        mac=there[name].mac,
        same_network=tuple(same),
    )


def _listen(facts: Facts, there: dict[str, Interface], seconds: float) -> None:
    with ExitStack() as stack:
        wires: dict[str, Wire] = {}
        for link in facts.links:
            if link.error is None:
                try:
                    wires[link.name] = wire = Wire(link.name, there[link.name].index, link.mac)
                    stack.callback(wire.close)
                except OSError as error:
                    link.error = error.strerror or str(error)
        facts.host.clock_jump = _run(wires, _questions(facts), seconds)
        for link in facts.links:
            if link.name in wires:
                _take_over(link, wires[link.name], seconds)
    if any(link.probe != "passed" or (link.heard and not link.passed) for link in facts.links):
        found = suspects(_tool("nft", "list", "ruleset"), [_tool("iptables-save"), _tool("ip6tables-save")])
        for link in facts.links:
            link.suspects = found
    for vip in facts.vips:
        if vip.interface in wires:
            vip.macs = tuple(sorted(wires[vip.interface].answers.get(vip.address, ())))
    if facts.peer is not None:
        for wire in wires.values():
            facts.peer.macs |= {a: min(wire.answers[a]) for a in facts.peer.addresses if a in wire.answers}


def _questions(facts: Facts) -> dict[str, list[ipaddress.IPv4Address | ipaddress.IPv6Address]]:
    """Each VIP on its interface, and the peer's own addresses on all."""
    peer = facts.peer.addresses if facts.peer is not None else ()
    asked = {link.name: [ipaddress.ip_address(address) for address in peer] for link in facts.links}
    for vip in facts.vips:
        asked[vip.interface].append(ipaddress.ip_address(vip.address))
    return asked


def _run(
    wires: dict[str, Wire],
    questions: dict[str, list[ipaddress.IPv4Address | ipaddress.IPv6Address]],
    seconds: float,
) -> float:
    """Listen and ask; how far the wall clock moved against the monotonic one meanwhile."""
    wall, start = time.time(), time.monotonic()
    due = start
    for wire in wires.values():
        wire.send_probe()
    while (now := time.monotonic()) < start + seconds:
        if now >= due:
            due = now + ASK_EVERY
            for name, wire in wires.items():
                wire.ask(questions[name])
        sockets = [sock for wire in wires.values() for sock in wire.sockets]
        select.select(sockets, [], [], max(0.0, min(due, start + seconds) - now))
        for wire in wires.values():
            wire.on_readable()
    return (time.time() - wall) - (time.monotonic() - start)


def _take_over(link: LinkFacts, wire: Wire, seconds: float) -> None:
    link.listened, link.heard, link.passed, link.probe = seconds, wire.heard, wire.passed, wire.probe


def _sizes(config: AgentConfig, facts: Facts, there: dict[str, Interface]) -> list[SizeFacts]:
    """To the peer on both paths, as far as its addresses are known."""
    found: dict[tuple[str, str], SizeFacts] = {}
    for link in facts.links:
        for address in {advert.source for advert in link.heard if advert.family == 4}:
            found[link.name, address] = path_size(link.name, address, link.mtu)
    if config.peer is not None and config.peer.address.ip.version == 4:
        for name, interface in there.items():
            if any(address.ip == config.peer.local.ip for address in interface.addresses):
                address = str(config.peer.address)
                found[name, address] = path_size(name, address, interface.mtu)
    return list(found.values())


def _tool(*argv: str) -> str:
    """What it prints; nothing when it is missing or refuses."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_TOOL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
