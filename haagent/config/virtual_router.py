"""Sans-IO: [[virtual_router]] of haagent.toml: its keys, and what of them does not go together."""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta

from haagent.config.kinds import Address, Duration, Name, Section, Switchable, milliseconds

MAX_VIPS = 255  # RFC 9568 section 5.2.5: the count is one octet
MIN_ADVERT_INTERVAL = 0.01
MAX_ADVERT_INTERVAL = 40.95  # 4095 centiseconds, RFC 9568 section 5.2.7
MAX_PEERS = 64
MAX_PREEMPT_DELAY = 1000.0  # seconds, as in keepalived
MAX_INTERVAL_V2 = 255.0  # seconds in one octet, RFC 3768 section 5.3.7
MIN_LEASE = 0.03


class KeyConfig(Section, frozen=True, kw_only=True):
    """One key of [virtual_router.auth]."""

    id: Annotated[int, Meta(ge=0, le=255)]
    file: str


class AuthConfig(Section, frozen=True, kw_only=True):
    """[virtual_router.auth]: advertisements are signed (draft-cassen-vrrp-auth-hmac)."""

    mode: Literal["receive-only", "permissive", "enforce"]
    keys: Annotated[tuple[KeyConfig, ...], Meta(min_length=1, max_length=16)]
    send: int
    replay: Literal["counter", "time"] = "counter"


class VirtualRouterConfig(Section, frozen=True, kw_only=True):
    """[[virtual_router]]: one VRRP instance and its addresses."""

    name: Name
    vrid: Annotated[int, Meta(ge=1, le=255)]
    interface: Annotated[str, Meta(min_length=1, max_length=15)]
    priority: Annotated[int, Meta(ge=1, le=255)] = 100
    version: Literal[2, 3] = 3
    advert_interval: Duration = Duration(1.0)
    preempt: bool = False
    preempt_delay: Switchable = Switchable(0.0)
    vips: Annotated[tuple[Address, ...], Meta(min_length=1, max_length=MAX_VIPS)]
    strategy: Literal["on-master", "on-both"] = "on-master"
    checksum: Literal["rfc5798", "rfc9568"] = "rfc5798"
    password_file: str | None = None
    auth: AuthConfig | None = None
    source: Address | None = None
    unicast_peers: Annotated[tuple[Address, ...], Meta(max_length=MAX_PEERS)] = ()
    allow: Annotated[tuple[Address, ...], Meta(max_length=MAX_PEERS)] = ()
    min_ttl: Annotated[int, Meta(ge=1, le=255)] = 255
    vips_mismatch: Literal["rfc", "drop", "accept"] = "rfc"
    lease: Switchable = Switchable(0.09)
    rules: Literal["nftables", "iptables"] = "nftables"
    accept: bool = True
    group: str = ""
    virtual_mac: Literal["off", "on", "vips"] = "off"

    @property
    def family(self) -> Literal[4, 6]:
        """Whose virtual router it is; IPv6 addresses may stand beside those of an IPv4 one."""
        return 4 if any(vip.ip.version == 4 for vip in self.vips) else 6


def router_problems(key: str, router: VirtualRouterConfig) -> Iterator[str]:
    """What is wrong with one virtual router; `key` is where it stands in the file."""
    yield from _interval_problems(key, router)
    if router.family == 6 and not router.vips[0].ip.is_link_local:
        first = "the first of an IPv6 virtual router is link-local (RFC 9568 section 5.2.9), say fe80::51"
        yield f"{key}.vips: {router.vips[0]!s}: {first}"
    if router.version == 2 and router.family == 6:
        yield f"{key}.version: 2 is for IPv4 (RFC 3768), and no VIP is"
    if router.password_file is not None and router.version != 2:
        yield f"{key}.password_file: only version 2 has a password (RFC 9568 section 9)"
    if router.preempt_delay and not router.preempt:
        yield f"{key}.preempt_delay: is for preempt = true"
    if router.preempt_delay > MAX_PREEMPT_DELAY:
        yield f"{key}.preempt_delay: {router.preempt_delay:g}s is more than {MAX_PREEMPT_DELAY:g}s"
    if not router.accept and router.rules != "nftables":
        yield f"{key}.accept: false is there for rules = 'nftables' alone"
    if router.virtual_mac != "off" and router.strategy != "on-master":
        yield f"{key}.virtual_mac: {router.virtual_mac!r} is there for strategy = 'on-master' alone"
    if router.virtual_mac == "on" and router.unicast_peers:
        yield f"{key}.virtual_mac: 'on': unicast leaves from the interface's own MAC: take 'vips'"
    yield from _sender_problems(key, router)
    if router.auth is not None:
        yield from _auth_problems(f"{key}.auth", router.auth)


def _auth_problems(key: str, auth: AuthConfig) -> Iterator[str]:
    ids = [one.id for one in auth.keys]
    for index, one in enumerate(ids):
        if one in ids[:index]:
            yield f"{key}.keys[{index}].id: {one} stands there twice"
    if auth.send not in ids:
        yield f"{key}.send: {auth.send} is the id of none of the keys ({', '.join(map(str, ids))})"


def _sender_problems(key: str, router: VirtualRouterConfig) -> Iterator[str]:
    for name in ("unicast_peers", "allow"):
        senders: tuple[Address, ...] = getattr(router, name)
        for sender in senders:
            if sender.ip.version != router.family:
                yield f"{key}.{name}: {sender!s} is not IPv{router.family}, as the virtual router is"
            elif sender in router.vips:
                yield f"{key}.{name}: {sender!s} is one of the VIPs"
            elif senders.count(sender) > 1:
                yield f"{key}.{name}: {sender!s} stands there twice"
    if router.source is not None:
        if not router.unicast_peers:
            yield f"{key}.source: only advertisements to unicast_peers have a choice (RFC 9568 section 7.2)"
        if router.source.ip.version != router.family or router.source in router.vips:
            yield f"{key}.source: {router.source!s} is not an IPv{router.family} address of this node alone"
    elif not all(peer.ip.is_link_local for peer in router.unicast_peers) and router.family == 6:
        yield f"{key}.source: is needed, since the unicast_peers have other than link-local addresses"
    if router.unicast_peers and router.allow:
        yield f"{key}.allow: only the unicast_peers are listened to anyway"
    if router.min_ttl < 255 and not router.unicast_peers:
        yield f"{key}.min_ttl: {router.min_ttl}: only unicast_peers may be farther than the link (255)"


def _interval_problems(key: str, router: VirtualRouterConfig) -> Iterator[str]:
    interval, lease = router.advert_interval, router.lease
    if router.version == 2:
        if not 1 <= interval <= MAX_INTERVAL_V2 or interval % 1:
            yield f"{key}.advert_interval: {milliseconds(interval)} is not 1s..255s in whole seconds (v2)"
    elif not MIN_ADVERT_INTERVAL <= interval <= MAX_ADVERT_INTERVAL:
        yield f"{key}.advert_interval: {milliseconds(interval)} is not in 10ms..40950ms"
    elif abs(interval * 100 - round(interval * 100)) > 1e-6:
        multiple = "a multiple of 10ms (RFC 9568 section 5.2.7)"
        yield f"{key}.advert_interval: {milliseconds(interval)} is not {multiple}"
    if lease and not MIN_LEASE <= lease <= MAX_ADVERT_INTERVAL:
        yield f'{key}.lease: {milliseconds(lease)} is not "off" or in 30ms..40950ms'
