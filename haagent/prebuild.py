"""IO shell: everything that the guard will send, built by scapy and pyroute2 before it starts."""

import hmac
from collections.abc import Mapping
from pathlib import Path

from haagent.config import AgentConfig, IPAddress, PeerConfig, VirtualRouterConfig
from haagent.errors import ConfigError
from haagent.health.board import first_findings
from haagent.host import Interface, address_messages
from haagent.pipe import AddressSetup, MacvlanSetup, PeerEndpoint, RouterSetup, Setup
from haagent.settings import node_settings
from haagent.vrrp.authentication import MAX_KEY_SIZE, MIN_KEY_SIZE, Keys
from haagent.vrrp.frames import Sender, announce, multicast, unicast
from haagent.vrrp.packet import Terms
from haagent.vrrp.pdu import PASSWORD_SIZE
from haagent.vrrp.router import PRIORITY_OWNER

MIN_KEY_BYTES = 16
_NONE: Mapping[str, MacvlanSetup] = {}
LEAST_WINDOW = 5.0  # seconds that the clocks of signed advertisements may differ at least


def build_setup(
    config: AgentConfig,
    interfaces: dict[str, Interface],
    macvlans: Mapping[str, MacvlanSetup] = _NONE,
    *,
    group: str = "",
) -> Setup:
    """The guard's first message, for a group's config that fits the host; `macvlans` by virtual router."""
    sources = {router.name: _source(router, interfaces) for router in config.virtual_router}
    key = _of_group(_read_key(config.peer), group) if config.peer is not None else None
    return Setup(
        settings=node_settings(config, sources, key, {name: made.name for name, made in macvlans.items()}),
        routers=[
            _router(router, interfaces[router.interface], sources[router.name], macvlans.get(router.name))
            for router in config.virtual_router
        ],
        peer=_endpoint(config.peer) if config.peer is not None else None,
        epoch=0,
        findings=first_findings(config.check, config.virtual_router),
        group=group,
    )


def _router(
    router: VirtualRouterConfig, where: Interface, source: IPAddress, macvlan: MacvlanSetup | None
) -> RouterSetup:
    vips = [vip.ip for vip in router.vips]
    mac, index = (where.mac, where.index) if macvlan is None else (macvlan.mac, macvlan.index)
    password = _read_password(router)
    sender = Sender(
        vrid=router.vrid,
        version=router.version,
        interval=router.advert_interval,
        mac=where.mac if router.virtual_mac == "vips" else mac,
        source=source,
        vips=vips,
        style=router.checksum,
        password=password,
        signed=router.auth is not None and router.auth.mode != "receive-only",
    )
    present = {address.ip for address in where.addresses}
    is_ipv6 = router.family == 6
    return RouterSetup(
        name=router.name,
        interface=router.interface,
        index=where.index,
        strategy=router.strategy,
        backend=router.rules,
        lease=float(router.lease) or None,
        accept=router.accept or router.priority == PRIORITY_OWNER,
        source=str(source),
        adverts=[unicast(sender, peer.ip) for peer in router.unicast_peers] or [multicast(sender)],
        terms=_terms(router, sender),
        announcements=[frame for vip in vips for frame in announce(vip, mac, router=is_ipv6)],
        addresses=[AddressSetup(str(vip), *address_messages(vip, index)) for vip in vips],
        foreign=[str(vip) for vip in vips if vip in present],
        macvlan=macvlan,
    )


def _terms(router: VirtualRouterConfig, sender: Sender) -> Terms:
    password = sender.password
    return Terms(
        version=router.version,
        interval=router.advert_interval,
        password=None if password is None else password.ljust(PASSWORD_SIZE, b"\0"),
        addresses=frozenset(vip.packed for vip in sender.carried),
        mismatch=router.vips_mismatch,
        owner=router.priority == PRIORITY_OWNER,
        unicast=bool(router.unicast_peers),
        allowed=frozenset(peer.ip.packed for peer in router.unicast_peers or router.allow),
        min_ttl=router.min_ttl,
        keys=_keys(router),
    )


def _keys(router: VirtualRouterConfig) -> Keys | None:
    auth = router.auth
    if auth is None:
        return None
    keys = {}
    for key in auth.keys:
        secret = _read("virtual_router.auth.keys.file", key.file)
        if not MIN_KEY_SIZE <= len(secret) <= MAX_KEY_SIZE:
            raise ConfigError(
                f"virtual_router.auth.keys.file: {key.file!r} holds {len(secret)} bytes,"
                f" not {MIN_KEY_SIZE} to {MAX_KEY_SIZE}"
            )
        keys[key.id] = secret
    window = max(3 * router.advert_interval, LEAST_WINDOW) if auth.replay == "time" else None
    return Keys(mode=auth.mode, keys=keys, send=auth.send, window=window)


def _source(router: VirtualRouterConfig, interfaces: dict[str, Interface]) -> IPAddress:
    if router.source is not None:
        return router.source.ip
    source = interfaces[router.interface].source(router.family)
    assert source is not None  # checked against the host
    return source


def _read_password(router: VirtualRouterConfig) -> bytes | None:
    """In clear on the wire: it keeps a foreign router out by mistake, not by intent."""
    if router.password_file is None:
        return None
    password = _read("virtual_router.password_file", router.password_file)
    if not 1 <= len(password) <= PASSWORD_SIZE:
        raise ConfigError(
            f"virtual_router.password_file: {router.password_file!r} holds {len(password)} bytes,"
            f" not 1 to {PASSWORD_SIZE} (RFC 2338 section 5.3.10)"
        )
    return password


def _endpoint(peer: PeerConfig) -> PeerEndpoint:
    return PeerEndpoint(str(peer.local), str(peer.address), peer.port, peer.connects)


def _read_key(peer: PeerConfig) -> bytes:
    key = _read("peer.key_file", peer.key_file)
    if len(key) < MIN_KEY_BYTES:
        raise ConfigError(
            f"peer.key_file: {peer.key_file!r} holds {len(key)} bytes, at least {MIN_KEY_BYTES}"
        )
    return key


def _of_group(key: bytes, group: str) -> bytes:
    """A group's peer channel has a key of its own: two groups that meet by a wrong port do not talk."""
    return hmac.digest(key, b"haagent group " + group.encode(), "sha256") if group else key


def _read(key: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"{key}: {path!r}: {error.strerror}") from error
