"""Sans-IO: what was heard and answered on the LAN and by the peer, and what that means for a takeover."""

from collections.abc import Iterator

from haagent.config import AgentConfig, VirtualRouterConfig
from haagent.doctor.facts import Facts, LinkFacts, PeerFacts, SizeFacts, VipFacts
from haagent.doctor.heard import HeardAdvertisement
from haagent.doctor.verdict import Verdict, fail, ok, warn

SMALLEST_MTU = 1500
VIRTUAL_MACS = ("00:00:5e:00:01:", "00:00:5e:00:02:")  # RFC 9568 section 7.3


def lan_verdicts(config: AgentConfig, facts: Facts) -> Iterator[Verdict]:
    """Links and firewall, then the peer, then who else is there."""
    for link in facts.links:
        yield from _link(link)
        if link.error is None:
            yield _firewall(link)
            yield _multicast(link, facts)
    yield _peer(config, facts)
    for router in config.virtual_router:
        yield from _neighbours(router, facts)
    for vip in facts.vips:
        yield _vip(vip, facts)
    for size in facts.sizes:
        yield _size(size)


def _link(link: LinkFacts) -> Iterator[Verdict]:
    if not link.carrier:
        yield fail("link", f"{link.name} is down or has no carrier", "plug it in: the node would be FAULT")
    if link.error is not None:
        do = "run it as root, or see net.ipv4.igmp_max_memberships"
        yield fail("link", f"{link.name}: cannot listen to VRRP: {link.error}", do)
    if not link.multicast:
        do = f"ip link set {link.name} multicast on"
        yield fail("multicast", f"{link.name} has no MULTICAST flag", do)
    if link.mtu < SMALLEST_MTU:
        do = f"both nodes and the switch should have {SMALLEST_MTU} or more; long SIP messages are fragmented"
        yield warn("mtu", f"{link.name} has MTU {link.mtu}", do)


def _firewall(link: LinkFacts) -> Verdict:
    rules = "; ".join(link.suspects)
    seen = f" (look at: {rules})" if rules else ""
    do = "accept IP protocol 112 in the input chain: nft add rule inet filter input ip protocol 112 accept"
    heard = [advert for advert in link.heard if advert.family == 4]
    if heard and not link.passed:
        drops = f"{len(heard)} advertisements reached {link.name} and none got past its firewall"
        return fail("firewall", f"{drops}{seen}", do)
    if link.probe == "refused":
        do = "accept IP protocol 112 in the output chain: unicast advertisements leave through it"
        return fail("firewall", f"the output chain refuses protocol 112 on {link.name}{seen}", do)
    if link.probe != "passed" and not link.passed:
        return fail("firewall", f"a packet of protocol 112 to ourselves is dropped on {link.name}{seen}", do)
    return ok("firewall", f"protocol 112 passes on {link.name}")


def _multicast(link: LinkFacts, facts: Facts) -> Verdict:
    agent, peer = facts.agent, facts.peer
    said = agent is not None and agent.peer_connected and agent.peer_role == "MASTER"
    said = said or (peer is not None and peer.role == "MASTER")
    if link.heard:
        sources = ", ".join(sorted({advert.source for advert in link.heard}))
        return ok("multicast", f"{link.name} hears advertisements of {sources}")
    if said:
        do = "turn off IGMP snooping for 224.0.0.18 (or give the switch a querier), or use unicast_peers"
        seen = f"the peer is MASTER, and in {link.listened:.1f} s nothing of it was heard on {link.name}"
        return fail("multicast", seen, do)
    if agent is not None and agent.role == "MASTER":
        return ok("multicast", f"{link.name}: this node is the master; run it on the backup to see the path")
    do = "start the other node's agent and run this again"
    return warn("multicast", f"{link.name}: nobody advertises, so that the path could not be seen", do)


def _peer(config: AgentConfig, facts: Facts) -> Verdict:  # noqa: PLR0911 - one case after the other
    if config.peer is None:
        do = "add [peer]: planned switchovers without a gap, and two paths before a takeover"
        return warn("peer", "no [peer] is configured", do)
    where = f"{config.peer.address!s}:{config.peer.port}"
    if facts.agent is not None and facts.agent.peer_connected:
        return ok("peer", f"the agent here is connected with {where}")
    peer = facts.peer
    if peer is None:
        return warn("peer", f"{where} was not tried", "see the other findings")
    if peer.error is not None:
        do = "start the agent there; open the port (TCP and UDP) in both firewalls"
        return fail("peer", f"{where}: {peer.error}", do)
    if peer.key_error is not None:
        do = f"copy {config.peer.key_file} to the other node: both must be equal"
        return fail("peer", f"{where}: {peer.key_error}", do)
    if peer.node == config.node:
        return fail("peer", f"both nodes are called {peer.node!r}", "give each a name of its own: node")
    return ok("peer", f"{where} is node {peer.node}, {peer.role}, and has our key")


def _neighbours(router: VirtualRouterConfig, facts: Facts) -> Iterator[Verdict]:
    """Who else speaks for this virtual router."""
    link = next((link for link in facts.links if link.name == router.interface), None)
    if link is None or link.error is not None:
        return
    adverts = [advert for advert in link.heard if advert.vrid == router.vrid]
    found = list(_stranger(router, adverts, facts))
    for advert in {advert.source: advert for advert in adverts}.values():
        found += _mismatches(router, advert)
    yield from found or [ok("vrid", f"VRID {router.vrid} on {router.interface}: nobody else uses it")]


def _stranger(
    router: VirtualRouterConfig, adverts: list[HeardAdvertisement], facts: Facts
) -> Iterator[Verdict]:
    sources = sorted({advert.source for advert in adverts if advert.priority > 0})
    known = facts.peer.addresses if facts.peer is not None else ()
    strangers = [source for source in sources if known and source not in known]
    is_master = facts.agent is not None and facts.agent.role == "MASTER"
    do = "find it by its address, and give one of the two pairs another vrid"
    what = f"VRID {router.vrid} on {router.interface}"
    if strangers:
        yield fail("vrid", f"{what} is advertised by {', '.join(strangers)}, which is not the peer", do)
    elif len(sources) > 1:
        yield fail("vrid", f"{what} is advertised by {', '.join(sources)} at once", do)
    elif is_master and sources:
        yield fail("vrid", f"{what}: this node is master, and {sources[0]} advertises too", do)


def _mismatches(router: VirtualRouterConfig, advert: HeardAdvertisement) -> Iterator[Verdict]:
    """What two nodes must have in common, as the other one's advertisements show it."""
    who = f"{advert.source} (VRID {router.vrid})"
    theirs, ours = set(advert.addresses), {str(vip) for vip in router.vips if vip.ip.version == advert.family}
    if theirs != ours:
        do = "it is another pair with this vrid, or the two files differ: vips must be the same"
        seen = f"{who} advertises {', '.join(sorted(theirs)) or 'nothing'}, not {', '.join(sorted(ours))}"
        yield fail("vips", seen, do)
    if abs(advert.interval - router.advert_interval) > 0.001:
        do = "set the same advert_interval on both nodes"
        ours_ms, theirs_ms = router.advert_interval * 1000, advert.interval * 1000
        yield warn("interval", f"{who} advertises every {theirs_ms:g} ms, we every {ours_ms:g} ms", do)
    if advert.priority == router.priority:
        do = "give the two nodes different priorities, say 254 and 253 (RFC 9568 section 8.3.2)"
        yield warn("priority", f"{who} has priority {advert.priority}, as we have", do)
    version = getattr(router, "version", 3)
    if advert.version != version:
        do = "set the same VRRP version on both nodes"
        yield fail("version", f"{who} speaks VRRP version {advert.version}, we {version}", do)


def _vip(vip: VipFacts, facts: Facts) -> Verdict:
    link = next((link for link in facts.links if link.name == vip.interface), LinkFacts(vip.interface))
    masters = {advert.mac for advert in link.heard if vip.address in advert.addresses}
    masters |= _peer_macs(facts.peer) | ({vip.virtual_mac} - {""})
    answers = [mac for mac in vip.macs if mac != link.mac]
    strangers = [mac for mac in answers if masters and mac not in masters]
    if vip.here == "foreign":
        do = f"remove it from the system's network configuration: the agent alone may own {vip.address}"
        return fail("vip", f"{vip.address} is configured on this host by somebody else", do)
    if len(answers) + (vip.here == "ours" and bool(answers)) > 1:
        do = "two owners: see both nodes' status and history"
        return fail(
            "vip", f"{vip.address} is answered for by {', '.join(answers)} and is {vip.here} here", do
        )
    if strangers or (answers and not masters and facts.agent is None and not _has_peer_master(facts)):
        do = "find this MAC in the switch: another machine has the address"
        return fail(
            "vip", f"{vip.address} belongs to {', '.join(answers)}, which is no master that we hear", do
        )
    if answers and vip.virtual_mac not in ("", answers[0]):
        do = "set virtual_mac to the same on both nodes: clients keep a MAC in their tables"
        return warn("vip", f"{vip.address} is answered for by {answers[0]}, not by {vip.virtual_mac}", do)
    if answers and not vip.virtual_mac and answers[0].startswith(VIRTUAL_MACS):
        do = "the peer has a virtual MAC: set virtual_mac here as well"
        return warn("vip", f"{vip.address} is answered for by the virtual MAC {answers[0]}", do)
    owner = f"answered by the master {answers[0]}" if answers else "nobody else answers for it"
    return ok("vip", f"{vip.address}: {owner}")


def _peer_macs(peer: PeerFacts | None) -> set[str]:
    return set(peer.macs.values()) if peer is not None and peer.role == "MASTER" else set()


def _has_peer_master(facts: Facts) -> bool:
    return facts.peer is not None and facts.peer.role == "MASTER" and not facts.peer.macs


def _size(size: SizeFacts) -> Verdict:
    what = f"{size.address} over {size.interface}"
    if size.small and not size.full:
        do = "set the same MTU on both nodes and every switch between them"
        return fail("mtu", f"packets of {size.mtu} bytes do not get to {what}, small ones do", do)
    if not size.small:
        return warn("mtu", f"{what} answers no ping, so that the MTU could not be seen", "allow ICMP echo")
    return ok("mtu", f"packets of {size.mtu} bytes get to {what}")
