"""Sans-IO: the table [resolver] of sipcore.toml."""

from typing import Annotated, Literal

import msgspec

from sipcore.config.kinds import HostPort, Section, Within
from sipcore.duration import Seconds


class Resolver(Section, frozen=True):
    """Who is asked for names (RFC 3263), how long that may take, and how long answers hold."""

    nameservers: Annotated[tuple[HostPort, ...], msgspec.Meta(max_length=8)] = ()  # none: /etc/resolv.conf
    timeout: Annotated[Seconds, Within(0.05, 10)] = Seconds(1)
    attempts: Annotated[int, msgspec.Meta(ge=1, le=5)] = 2
    time_limit: Annotated[Seconds, Within(0.1, 30)] = Seconds(4)
    prefer: Literal["ipv4", "ipv6"] = "ipv4"
    cache_size: Annotated[int, msgspec.Meta(ge=16, le=1_000_000)] = 10_000
    min_ttl: Annotated[Seconds, Within(0, 3600)] = Seconds(1)
    max_ttl: Annotated[Seconds, Within(1, 604800)] = Seconds(3600)
    negative_ttl: Annotated[Seconds, Within(1, 10800)] = Seconds(60)
    failure_ttl: Annotated[Seconds, Within(1, 300)] = Seconds(5)
    stale: Annotated[Seconds, Within(0, 259200)] = Seconds(3600)
    aside: Annotated[Seconds, Within(0, 3600)] = Seconds(30)
