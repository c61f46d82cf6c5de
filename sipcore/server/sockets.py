"""IO shell: the sockets, the limits and the certificates that the config asks for."""

from sipcore.config import Listen, SipcoreConfig
from sipcore.errors import ConfigError
from sipcore.transport.admission import Admission, AutoBan
from sipcore.transport.bans import BanList
from sipcore.transport.connections import StreamLimits
from sipcore.transport.pike import PikeSettings
from sipcore.transport.source import AllowList
from sipcore.transport.tls import KeyPair, TlsClient, TlsError, TlsServerSettings
from sipcore.transport.transports import BindError, Listening, TransportEvents, Transports


def make_transports(config: SipcoreConfig, events: TransportEvents) -> Transports:
    """All sockets, bound; ConfigError names the key of what cannot be used."""
    tcp = config.tcp
    try:
        return Transports(
            [_listening(listen, config) for listen in config.listen],
            limits=StreamLimits(
                tcp.max_connections,
                tcp.max_connections_per_source,
                tcp.connect_timeout,
                tcp.message_timeout,
                tcp.idle_timeout,
                tcp.max_message,
                tcp.write_buffer,
            ),
            admission=_admission(config),
            client=_client(config),
            events=events,
        )
    except BindError as error:
        listen = config.listen[error.index]
        raise ConfigError(
            f"listen[{error.index}]: {listen.address}:{listen.port}: {error.strerror}"
        ) from error
    except TlsError as error:
        raise ConfigError(str(error)) from error


def transport_counters(transports: Transports) -> dict[str, int]:
    """What was counted since the start, by name."""
    admission, table = transports.admission, transports.streams.table
    counters = {
        "send_errors": sum(listener.send_errors for listener in transports.udp),
        "receive_errors": sum(listener.receive_errors for listener in transports.udp),
        "keepalives": sum(listener.keepalives for listener in transports.udp),
        "accept_errors": sum(listener.accept_errors for listener in transports.streams.listeners),
        "dropped_sources": admission.dropped,
        "resets_sent": transports.resets_sent,
    }
    for pike in (admission.udp, admission.stream):
        if pike is not None:
            counters["pike_blocks"] = counters.get("pike_blocks", 0) + pike.blocks
            counters["pike_untracked"] = counters.get("pike_untracked", 0) + pike.untracked
    for prefix, by in (
        ("accepted", table.accepted),
        ("opened", table.opened),
        ("refused", table.refused),
        ("ended", table.ended),
    ):
        counters |= {f"connections_{prefix}_{name}": count for name, count in by.items()}
    return counters


def _listening(listen: Listen, config: SipcoreConfig) -> Listening:
    tls = None
    if listen.is_secure:
        assert listen.certificate is not None  # checked when the config was read
        assert listen.key is not None
        pairs = [KeyPair(listen.certificate, listen.key)]
        pairs += [KeyPair(pair.certificate, pair.key, pair.names) for pair in listen.sni]
        tls = TlsServerSettings(tuple(pairs), config.tls.min_version, listen.verify_client, listen.client_ca)
    return Listening(
        listen.address, listen.port, listen.transport, tls, listen.alias, coalesce=config.udp.coalesce
    )


def _client(config: SipcoreConfig) -> TlsClient:
    tls = config.tls
    pair = KeyPair(tls.certificate, tls.key) if tls.certificate is not None and tls.key is not None else None
    return TlsClient(verify=tls.verify, ca_file=tls.ca_file, pair=pair, min_version=tls.min_version)


def _admission(config: SipcoreConfig) -> Admission:
    allow = AllowList(config.bans.networks)
    pike = config.pike
    settings = None
    if pike is not None:
        settings = PikeSettings(pike.sampling_time_unit, pike.reqs_density_per_unit, pike.remove_latency)
    return Admission(
        allow,
        BanList(allow, config.bans.max_bans),
        settings,
        auto_ban=AutoBan(config.bans.from_pike),
        ban_seconds=config.bans.duration,
    )
