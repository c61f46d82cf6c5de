"""IO shell: the resolver and the DNS behind it, as the config says."""

import random
from collections.abc import Callable
from ipaddress import ip_address

from sipcore.config import SipcoreConfig
from sipcore.resolver.cache import CacheLimits
from sipcore.resolver.dns import Dns, system_servers
from sipcore.resolver.locate import Resolver, ResolverSettings
from sipcore.timers import TimerWheel


def make_resolver(config: SipcoreConfig, wheel: TimerWheel) -> Resolver:
    """Transports and IP versions are those of the listeners; the order of transports is theirs."""
    table = config.resolver
    settings = ResolverSettings(
        _transports(config),
        CacheLimits(
            entries=table.cache_size,
            min_ttl=table.min_ttl,
            max_ttl=table.max_ttl,
            negative_ttl=table.negative_ttl,
            failure_ttl=table.failure_ttl,
            stale=table.stale,
        ),
        time_limit=table.time_limit,
        aside=table.aside,
    )
    return Resolver(settings, wheel, random.SystemRandom().randint)


def make_dns(config: SipcoreConfig, resolver: Resolver, on_answered: Callable[[], None]) -> Dns:
    """The nameservers of the config, or those of the host."""
    table = config.resolver
    servers = [server.pair for server in table.nameservers] or system_servers()
    return Dns(resolver, servers, on_answered, timeout=table.timeout, attempts=table.attempts)


def _transports(config: SipcoreConfig) -> dict[str, tuple[int, ...]]:
    preferred = 6 if config.resolver.prefer == "ipv6" else 4
    found: dict[str, set[int]] = {}
    for listen in config.listen:
        found.setdefault(listen.transport, set()).add(ip_address(listen.address).version)
    return {
        transport: tuple(sorted(versions, key=lambda version: version != preferred))
        for transport, versions in found.items()
    }
