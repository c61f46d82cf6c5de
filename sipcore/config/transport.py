"""Sans-IO: the tables of sipcore.toml about sockets, connections, certificates, rate limits and bans."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal

import msgspec

from sipcore.config.kinds import Port, Section, Within
from sipcore.duration import Seconds
from sipcore.errors import ConfigError

_STREAMS = ("tcp", "tls", "ws", "wss")
_SECURE = ("tls", "wss")


class Certificate(Section, frozen=True):
    """A certificate for some names of ours: chosen by what the client asks for (SNI)."""

    names: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    certificate: str
    key: str


class Listen(Section, frozen=True):
    """One socket of the SIP core; the address may be a VIP that this node does not have yet."""

    address: str
    port: Port = 0  # left out: 5060, for tls 5061, for ws 80, for wss 443
    transport: Literal["udp", "tcp", "tls", "ws", "wss"] = "udp"
    certificate: str | None = None  # PEM, with the chain
    key: str | None = None
    sni: tuple[Certificate, ...] = ()
    verify_client: Literal["none", "optional", "required"] = "none"
    client_ca: str | None = None
    alias: Literal["never", "verified", "always"] = "verified"  # RFC 5923

    def __post_init__(self) -> None:
        if not self.port:  # RFC 3261 section 19.1.2, RFC 7118 section 5.5
            port = {"tls": 5061, "ws": 80, "wss": 443}.get(self.transport, 5060)
            msgspec.structs.force_setattr(self, "port", port)

    @property
    def is_stream(self) -> bool:
        """Whether it has connections."""
        return self.transport in _STREAMS

    @property
    def is_secure(self) -> bool:
        """Whether its connections are TLS."""
        return self.transport in _SECURE


class Udp(Section, frozen=True):
    """How datagrams are read."""

    coalesce: Annotated[Seconds, Within(0, 0.02)] = Seconds(0.004)


class Tcp(Section, frozen=True):
    """Limits of connections, whatever runs over them."""

    max_connections: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 4096
    max_connections_per_source: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 256
    connect_timeout: Annotated[Seconds, Within(0.1, 60)] = Seconds(5)
    message_timeout: Annotated[Seconds, Within(0.1, 300)] = Seconds(20)
    idle_timeout: Annotated[Seconds, Within(1, 604800)] = Seconds(3900)
    max_message: Annotated[int, msgspec.Meta(ge=1300, le=65535)] = 65535
    write_buffer: Annotated[int, msgspec.Meta(ge=65536, le=67_108_864)] = 524_288


class Tls(Section, frozen=True):
    """TLS for the connections that we open: RFC 5922."""

    verify: bool = True
    ca_file: str | None = None  # None: what the system trusts
    certificate: str | None = None  # shown to servers that ask for one
    key: str | None = None
    min_version: Literal["1.2", "1.3"] = "1.2"  # of the listeners too


class Pike(Section, frozen=True):
    """Rate limit per source; names and defaults of OpenSIPS' pike. Without the table there is none."""

    sampling_time_unit: Annotated[Seconds, Within(0.1, 60)] = Seconds(2)
    reqs_density_per_unit: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 30
    remove_latency: Annotated[Seconds, Within(1, 86400)] = Seconds(120)


class Bans(Section, frozen=True):
    """Who is never limited or banned, who is banned by pike, and whether the kernel drops what is banned."""

    allow: tuple[str, ...] = ()  # networks
    from_pike: Literal["none", "stream", "all"] = "none"
    duration: Annotated[Seconds, Within(1, 31_536_000)] = Seconds(3600)
    max_bans: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 10_000
    export: Literal["none", "nftables"] = "none"

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """`allow`, parsed."""
        return tuple(ip_network(text) for text in self.allow)


def check_listen(listen: Listen, key: str) -> None:
    """What one table says has to fit together; ConfigError names the key."""
    if listen.is_secure:
        if listen.certificate is None or listen.key is None:
            missing = "certificate" if listen.certificate is None else "key"
            raise ConfigError(f"{key}.{missing}: missing; {listen.transport} needs one")
        if listen.verify_client != "none" and listen.client_ca is None:
            raise ConfigError(f"{key}.client_ca: missing; verify_client is {listen.verify_client!r}")
        return
    for name in ("certificate", "key", "client_ca"):
        if getattr(listen, name) is not None:
            raise ConfigError(f"{key}.{name}: {getattr(listen, name)!r} means nothing to {listen.transport}")
    if listen.sni or listen.verify_client != "none":
        name = "sni" if listen.sni else "verify_client"
        raise ConfigError(f"{key}.{name}: means nothing to {listen.transport}")


def check_tls(tls: Tls, bans: Bans) -> None:
    """The certificate comes with its key; networks are networks."""
    if (tls.certificate is None) != (tls.key is None):
        raise ConfigError(f"tls.{'certificate' if tls.certificate is None else 'key'}: missing")
    for index, text in enumerate(bans.allow):
        try:
            ip_network(text)
        except ValueError as error:
            raise ConfigError(f"bans.allow[{index}]: {text!r} is not a network: {error}") from error
