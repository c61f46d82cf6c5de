"""Sans-IO: [[virtual_router]] of haagent.toml: its keys, and what of them does not go together."""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta

from haagent.config.kinds import Address, Duration, Name, Section, Switchable, milliseconds

MAX_VIPS = 255  # RFC 9568 section 5.2.5: the count is one octet
MIN_ADVERT_INTERVAL = 0.01
MAX_ADVERT_INTERVAL = 40.95  # 4095 centiseconds, RFC 9568 section 5.2.7
MIN_LEASE = 0.03


class VirtualRouterConfig(Section, frozen=True, kw_only=True):
    """[[virtual_router]]: one VRRP instance and its addresses."""

    name: Name
    vrid: Annotated[int, Meta(ge=1, le=255)]
    interface: Annotated[str, Meta(min_length=1, max_length=15)]
    priority: Annotated[int, Meta(ge=1, le=255)] = 100
    advert_interval: Duration = Duration(1.0)
    preempt: bool = False
    vips: Annotated[tuple[Address, ...], Meta(min_length=1, max_length=MAX_VIPS)]
    strategy: Literal["on-master", "on-both"] = "on-master"
    checksum: Literal["rfc5798", "rfc9568"] = "rfc5798"
    lease: Switchable = Switchable(0.09)
    rules: Literal["nftables", "iptables"] = "nftables"


def router_problems(key: str, router: VirtualRouterConfig) -> Iterator[str]:
    """What is wrong with one virtual router; `key` is where it stands in the file."""
    yield from _interval_problems(key, router)
    if not any(vip.ip.version == 4 for vip in router.vips):
        yield f"{key}.vips: at least one IPv4 address is needed (VRRP over IPv4 carries it)"


def _interval_problems(key: str, router: VirtualRouterConfig) -> Iterator[str]:
    interval, lease = router.advert_interval, router.lease
    if not MIN_ADVERT_INTERVAL <= interval <= MAX_ADVERT_INTERVAL:
        yield f"{key}.advert_interval: {milliseconds(interval)} is not in 10ms..40950ms"
    if abs(interval * 100 - round(interval * 100)) > 1e-6:
        multiple = "a multiple of 10ms (RFC 9568 section 5.2.7)"
        yield f"{key}.advert_interval: {milliseconds(interval)} is not {multiple}"
    if lease and not MIN_LEASE <= lease <= MAX_ADVERT_INTERVAL:
        yield f'{key}.lease: {milliseconds(lease)} is not "off" or in 30ms..40950ms'
