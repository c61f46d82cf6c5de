"""IO shell: everything that the guard will send, built by scapy and pyroute2 before it starts."""

from pathlib import Path

from haagent.config import AgentConfig, PeerConfig, VirtualRouterConfig
from haagent.errors import ConfigError
from haagent.host import Interface, address_messages
from haagent.pipe import AddressSetup, PeerEndpoint, RouterSetup, Setup
from haagent.settings import node_settings
from haagent.vrrp.frames import build_frames

MIN_KEY_BYTES = 16


def build_setup(config: AgentConfig, interfaces: dict[str, Interface]) -> Setup:
    """The guard's first message, for a config that fits the host."""
    primary = {name: there.primary for name, there in interfaces.items() if there.primary is not None}
    key = _read_key(config.peer) if config.peer is not None else None
    return Setup(
        settings=node_settings(config, primary, key),
        routers=[_router(router, interfaces[router.interface]) for router in config.virtual_router],
        peer=_endpoint(config.peer) if config.peer is not None else None,
        epoch=0,
    )


def _router(router: VirtualRouterConfig, where: Interface) -> RouterSetup:
    assert where.primary is not None  # checked against the host
    vips = [vip.ip for vip in router.vips]
    frames = build_frames(
        vrid=router.vrid,
        priorities=[router.priority],
        interval=router.advert_interval,
        mac=where.mac,
        source=where.primary,
        vips=vips,
        style=router.checksum,
    )
    present = {address.ip for address in where.addresses}
    return RouterSetup(
        name=router.name,
        interface=router.interface,
        index=where.index,
        strategy=router.strategy,
        backend=router.rules,
        lease=float(router.lease) or None,
        adverts=frames.advertisements,
        announcements=list(frames.announcements),
        addresses=[AddressSetup(str(vip), *address_messages(vip, where.index)) for vip in vips],
        foreign=[str(vip) for vip in vips if vip in present],
    )


def _endpoint(peer: PeerConfig) -> PeerEndpoint:
    return PeerEndpoint(str(peer.local), str(peer.address), peer.port, peer.connects)


def _read_key(peer: PeerConfig) -> bytes:
    try:
        key = Path(peer.key_file).read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"peer.key_file: {peer.key_file!r}: {error.strerror}") from error
    if len(key) < MIN_KEY_BYTES:
        raise ConfigError(
            f"peer.key_file: {peer.key_file!r} holds {len(key)} bytes, at least {MIN_KEY_BYTES}"
        )
    return key
