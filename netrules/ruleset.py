"""Sans-IO: which packet rules and sysctls a virtual IP needs, as data.

Tables, all for nftables:
    inet   haagent_guard  on both nodes, static: what leaves with a VIP that is not local is dropped
    netdev haagent_hide   on-both: the VIPs in its sets are hidden: no ARP, no NDP, nothing in, nothing out
    inet   haagent_no_accept  on both nodes, static: what is to these VIPs is dropped (Accept_Mode False)
    netdev haagent_lease  nothing to or from a VIP, its ARP and NDP, unless an element with a timeout lives
The state that `desired` describes is the BACKUP's: hidden, no lease. `Flip` shows and hides.

The netdev tables hang on the VIP's own interface. A host with a second interface in the same LAN answers ARP
for every address on each of them (arp_ignore 0): name the VIP on one, and set arp_ignore=1 for the other.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from netrules.errors import BadInputError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

GUARD, HIDE, LEASE = "haagent_guard", "haagent_hide", "haagent_lease"
NO_ACCEPT = "haagent_no_accept"
NONLOCAL_BIND = {"net/ipv4/ip_nonlocal_bind": "1", "net/ipv6/ip_nonlocal_bind": "1"}

_SCOPE = re.compile(r"[A-Za-z0-9_-]{1,64}")
IFNAMSIZ = 16  # linux/if.h, with its closing NUL
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")


class Strategy(StrEnum):
    """Where the VIP is configured."""

    ON_MASTER = "on-master"
    ON_BOTH = "on-both"


class Backend(StrEnum):
    """Which tool holds the rules that hide."""

    NFTABLES = "nftables"
    IPTABLES = "iptables"


class Role(StrEnum):
    """The node's part, as far as rules are concerned."""

    MASTER = "master"
    BACKUP = "backup"


@dataclass(frozen=True, slots=True)
class Vip:
    """A virtual address and the interface that carries it."""

    address: Address
    interface: str

    def __post_init__(self) -> None:
        address, interface = self.address, self.interface
        if isinstance(address, ipaddress.IPv6Address) and (address.scope_id or address.ipv4_mapped):
            raise BadInputError(f"vip: {address} has a zone or maps an IPv4 address; give the address alone")
        if address.is_multicast or address.is_unspecified or address.is_loopback or address == _BROADCAST:
            raise BadInputError(f"vip: {address} is not a unicast address of a LAN")
        # dev_valid_name() of the kernel, and what would end a string of nft
        bad = interface in ("", ".", "..") or set(interface) & set('/:"') or not interface.isprintable()
        if bad or " " in interface or len(interface.encode()) > IFNAMSIZ - 1:
            raise BadInputError(
                f"interface: {interface!r} is not an interface name (1 to {IFNAMSIZ - 1} bytes, no / : blank)"
            )

    @classmethod
    def parse(cls, text: str, interface: str) -> "Vip":
        """Read an address; a prefix length other than that of one host is refused."""
        try:
            host = ipaddress.ip_interface(text)
        except ValueError:
            raise BadInputError(f"vip: {text!r} is not an IP address") from None
        if "%" in text:
            raise BadInputError(f"vip: {text} has a zone; give the address alone")
        if host.network.num_addresses != 1:
            raise BadInputError(f"vip: {text} names a network; a VIP is one host address (/32, /128)")
        return cls(host.ip, interface)


@dataclass(frozen=True, slots=True)
class NftSet:
    """A named set; `kind` is its type in nft's words."""

    name: str
    kind: str
    elements: tuple[str, ...] = ()
    timeout: bool = False


@dataclass(frozen=True, slots=True)
class Chain:
    """A base chain: its hook in nft's words and its rules."""

    name: str
    hook: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One table of ours."""

    family: str
    name: str
    sets: tuple[NftSet, ...]
    chains: tuple[Chain, ...]

    @property
    def kind(self) -> str:
        """GUARD, HIDE, LEASE or NO_ACCEPT."""
        return self.name.partition(".")[0]

    @property
    def path(self) -> str:
        """How nft names it: 'family name'."""
        return f"{self.family} {self.name}"


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All that a node's VIPs need from the kernel."""

    strategy: Strategy
    backend: Backend
    vips: tuple[Vip, ...]
    lease: bool
    tables: tuple[Table, ...]
    sysctls: dict[str, str]  # name below /proc/sys and value
    scope: str = ""


def desired(
    strategy: Strategy,
    backend: Backend,
    vips: Sequence[Vip],
    *,
    lease: bool,
    no_accept: Sequence[Vip] = (),
    below_macvlan: Sequence[str] = (),
    scope: str = "",
) -> Ruleset:
    """The rules for these VIPs, in the BACKUP's state; `no_accept`: answered are ARP and NDP alone.

    `scope` keeps several rulesets on one host apart: it is in the names of the tables (nftables alone).
    `below_macvlan`: interfaces whose VIPs are on a macvlan above them, with a MAC of its own.
    """
    addresses = [vip.address for vip in vips]
    if not vips:
        raise BadInputError("vip: at least one is needed")
    for address in addresses:
        if addresses.count(address) > 1:
            raise BadInputError(f"vip: {address} is given twice")
    tables = []
    if backend is Backend.NFTABLES:
        tables.append(_guard(vips))
        if strategy is Strategy.ON_BOTH:
            tables.append(_hide(vips))
        if lease:
            tables.append(_lease(vips))
        if no_accept:
            tables.append(_no_accept(no_accept))
    elif no_accept:
        raise BadInputError("no_accept: is there for nftables alone")
    elif lease:
        raise BadInputError("lease: iptables has no elements with a timeout; use nftables or no lease")
    sysctls = {**NONLOCAL_BIND, **{k: v for name in below_macvlan for k, v in _quiet(name).items()}}
    if scope and (backend is not Backend.NFTABLES or not _SCOPE.fullmatch(scope)):
        raise BadInputError(f"scope: {scope!r}: letters, digits, - and _ with nftables, or none")
    scoped = [replace(table, name=f"{table.name}.{scope}") if scope else table for table in tables]
    return Ruleset(strategy, backend, tuple(vips), lease, tuple(scoped), sysctls, scope)


def solicited(address: Address) -> str:
    """The target field of a neighbour solicitation, as nft 1.0.6 compares it."""
    return f"0x{int(address):032x}"


def _quiet(interface: str) -> dict[str, str]:
    """An interface that neither answers for a VIP with its own MAC nor names one in what it asks."""
    return {f"net/ipv4/conf/{interface}/arp_ignore": "1", f"net/ipv4/conf/{interface}/arp_announce": "2"}


def _of(vips: Sequence[Vip], version: int) -> list[Address]:
    return [vip.address for vip in vips if vip.address.version == version]


def _sets(
    vips: Sequence[Vip], prefix: str = "", *, timeout: bool = False, empty: bool = False
) -> tuple[NftSet, ...]:
    v4, v6 = _of(vips, 4), _of(vips, 6)
    found = []
    if v4:
        found.append(NftSet(f"{prefix}v4", "type ipv4_addr", () if empty else tuple(map(str, v4)), timeout))
    if v6:
        found.append(NftSet(f"{prefix}v6", "type ipv6_addr", () if empty else tuple(map(str, v6)), timeout))
        elements = () if empty else tuple(map(solicited, v6))
        found.append(NftSet(f"{prefix}nd6", "typeof @th,64,128", elements, timeout))
    return tuple(found)


def _guard(vips: Sequence[Vip]) -> Table:
    rules = []
    if _of(vips, 4):
        rules.append("ip saddr @v4 fib saddr type != local counter drop")
    if _of(vips, 6):
        rules.append("ip6 saddr @v6 fib saddr type != local counter drop")
    sets = tuple(s for s in _sets(vips) if s.name != "nd6")
    chain = Chain("output", "type filter hook output priority -300; policy accept;", tuple(rules))
    return Table("inet", GUARD, sets, (chain,))


def _no_accept(vips: Sequence[Vip]) -> Table:
    """RFC 9568 section 6.1: a router in front of hosts is no host itself; neighbour discovery goes on."""
    rules = ["ip daddr @v4 counter drop"] if _of(vips, 4) else []
    if _of(vips, 6):
        rules.append("icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept")
        rules.append("ip6 daddr @v6 counter drop")
    sets = tuple(s for s in _sets(vips) if s.name != "nd6")
    chain = Chain("input", "type filter hook input priority -300; policy accept;", tuple(rules))
    return Table("inet", NO_ACCEPT, sets, (chain,))


def _hide(vips: Sequence[Vip]) -> Table:
    return Table("netdev", HIDE, _sets(vips), _chains(vips, -500, ""))


def _lease(vips: Sequence[Vip]) -> Table:
    sets = _sets(vips) + _sets(vips, "lease_", timeout=True, empty=True)
    return Table("netdev", LEASE, sets, _chains(vips, -490, "lease_"))


def _chains(vips: Sequence[Vip], priority: int, unless: str) -> tuple[Chain, ...]:
    """Ingress and egress of each interface; egress stops AF_PACKET senders as well."""
    chains: list[Chain] = []
    for interface in dict.fromkeys(vip.interface for vip in vips):
        for direction, ip, arp, nd, sign in (
            ("ingress", "daddr", "daddr", "nd-neighbor-solicit", 1),
            ("egress", "saddr", "saddr", "nd-neighbor-advert", -1),
        ):
            where = f'{direction} device "{interface}" priority {sign * priority}'
            hook = f"type filter hook {where}; policy accept;"
            chains.append(Chain(f"{direction}_{len(chains) // 2}", hook, _drops(vips, ip, arp, nd, unless)))
    return tuple(chains)


def _drops(vips: Sequence[Vip], ip: str, arp: str, nd: str, unless: str) -> tuple[str, ...]:
    def drop(match: str, field: str, of: str) -> str:
        kept = f" {field} != @{unless}{of}" if unless else ""
        return f"{match}{field} @{of}{kept} counter drop"

    rules = []
    if _of(vips, 4):
        rules += [drop("ether type arp ", f"arp {arp} ip", "v4"), drop("", f"ip {ip}", "v4")]
    if _of(vips, 6):
        rules += [drop("", f"ip6 {ip}", "v6"), drop(f"icmpv6 type {nd} ", "@th,64,128", "nd6")]
    return tuple(rules)
