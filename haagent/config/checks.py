"""Sans-IO: [[check]] of haagent.toml: a table for each kind of check, and what does not go together."""

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from msgspec import Meta

from haagent.config.kinds import Address, Duration, Endpoint, Name, Section, Switchable, milliseconds
from haagent.config.peer import PeerConfig
from haagent.config.virtual_router import VirtualRouterConfig

MIN_INTERVAL, MAX_INTERVAL = 0.02, 3600.0
MIN_TIMEOUT, MAX_TIMEOUT = 0.01, 60.0
MAX_CHECKS = 64
PRIORITY_OWNER = 255

Count = Annotated[int, Meta(ge=1, le=100)]
Weight = Annotated[int, Meta(ge=-253, le=253)]
Path = Annotated[str, Meta(pattern=r"^/")]
Interface = Annotated[str, Meta(min_length=1, max_length=15)]
StatusCode = Annotated[str, Meta(pattern=r"^[1-6](xx|[0-9][0-9])$")]
When = Literal["always", "master", "backup"]


class _Check(Section, frozen=True, kw_only=True, tag_field="kind"):
    """The keys that every kind has."""

    name: Name
    interval: Duration = Duration(1.0)
    timeout: Duration = Duration(1.0)
    rise: Count = 2
    fall: Count = 3
    window: Annotated[int, Meta(ge=0, le=100)] = 0
    window_failures: Annotated[int, Meta(ge=0, le=100)] = 0
    weight: Weight = 0
    init: Literal["unknown", "up", "down"] = "unknown"
    when: When | None = None
    hold: Duration = Duration(30.0)
    routers: tuple[Name, ...] = ()


class InterfaceCheck(_Check, frozen=True, kw_only=True, tag="interface"):
    """An interface is up and has a carrier."""

    interface: Interface
    rise: Count = 1
    fall: Count = 1


class RouteCheck(_Check, frozen=True, kw_only=True, tag="route"):
    """A route is in a table of the kernel."""

    destination: str
    via: Address | None = None
    interface: str = ""
    table: Annotated[int, Meta(ge=1, le=0xFFFFFFFF)] = 254
    rise: Count = 1
    fall: Count = 1


class ProcessCheck(_Check, frozen=True, kw_only=True, tag="process"):
    """A process runs, by name or by the number in a file; its end is seen at once."""

    program: str = ""
    pidfile: str = ""
    at_least: Count = 1
    rise: Count = 1
    fall: Count = 1


class FileCheck(_Check, frozen=True, kw_only=True, tag="file"):
    """A file is there, young enough, and holds a text; or a number in it weighs."""

    path: Path
    contains: str = ""
    max_age: Switchable = Switchable(0.0)
    weigh_content: bool = False


class ScriptCheck(_Check, frozen=True, kw_only=True, tag="script"):
    """A program ends with exit code 0."""

    command: Annotated[tuple[str, ...], Meta(min_length=1, max_length=64)]
    user: str = ""


class SipOptionsCheck(_Check, frozen=True, kw_only=True, tag="sip-options"):
    """A SIP server answers OPTIONS."""

    target: Endpoint
    transport: Literal["udp", "tcp"] = "udp"
    accept: tuple[StatusCode, ...] = ("2xx",)


class TcpCheck(_Check, frozen=True, kw_only=True, tag="tcp"):
    """A TCP connection is accepted."""

    target: Endpoint


class HttpCheck(_Check, frozen=True, kw_only=True, tag="http"):
    """An HTTP server answers as wanted."""

    url: str
    accept: tuple[StatusCode, ...] = ("2xx",)
    contains: str = ""


class RedisCheck(_Check, frozen=True, kw_only=True, tag="redis"):
    """A Redis server answers PING."""

    url: str = "redis://127.0.0.1:6379"


class GatewayCheck(_Check, frozen=True, kw_only=True, tag="gateway"):
    """The gateway answers; a node that does not reach it is cut off and claims no VIP by itself."""

    address: Address
    interface: Interface
    by: Literal["arp", "icmp"] = "arp"
    claim_when_unreachable: bool = False
    weight: Weight = -20
    interval: Duration = Duration(0.1)
    timeout: Duration = Duration(0.08)


CheckConfig = (
    InterfaceCheck
    | RouteCheck
    | ProcessCheck
    | FileCheck
    | ScriptCheck
    | SipOptionsCheck
    | TcpCheck
    | HttpCheck
    | RedisCheck
    | GatewayCheck
)
KINDS = tuple(str(kind.__struct_config__.tag) for kind in get_args(CheckConfig))
CheckConfigs = Annotated[tuple[CheckConfig, ...], Meta(max_length=MAX_CHECKS)]


def runs_when(check: CheckConfig, routers: Sequence[VirtualRouterConfig]) -> When:
    """In which role it runs: what asks a VIP would hear the peer's answer on a backup."""
    if check.when is not None:
        return check.when
    return "master" if _target_host(check) in _vips(routers) else "always"


def check_problems(
    checks: Sequence[CheckConfig], routers: Sequence[VirtualRouterConfig], peer: PeerConfig | None
) -> Iterator[str]:
    """What is wrong with the checks, each alone and beside the rest of the file."""
    names: set[str] = set()
    known = [router.name for router in routers]
    for index, check in enumerate(checks):
        key = f"check[{index}]"
        if check.name in names:
            yield f"{key}.name: {check.name!r} is the name of an earlier check"
        names.add(check.name)
        yield from _time_problems(key, check)
        yield from _kind_problems(key, check)
        for name in check.routers:
            if name not in known:
                yield f"{key}.routers: {name!r} is no virtual router ({', '.join(known)})"
        yield from _weight_problems(key, check, routers, peer)


def _time_problems(key: str, check: CheckConfig) -> Iterator[str]:
    if not MIN_INTERVAL <= check.interval <= MAX_INTERVAL:
        yield f"{key}.interval: {milliseconds(check.interval)} is not in 20ms..1h"
    if not MIN_TIMEOUT <= check.timeout <= MAX_TIMEOUT:
        yield f"{key}.timeout: {milliseconds(check.timeout)} is not in 10ms..60s"
    if check.window == 1 or check.window_failures > check.window:
        yield f"{key}.window_failures: {check.window_failures} of {check.window} results cannot be"
    if bool(check.window) is not bool(check.window_failures):
        yield f"{key}.window: it needs window_failures beside it, such as window = 5, window_failures = 3"


def _weight_problems(
    key: str, check: CheckConfig, routers: Sequence[VirtualRouterConfig], peer: PeerConfig | None
) -> Iterator[str]:
    """A weight that can never change anything is a mistake."""
    if isinstance(check, FileCheck) and check.weigh_content and check.weight == 0:
        yield f"{key}.weight: 0 times the content is 0; take 1 to add the number as it is"
    if check.weight == 0 or isinstance(check, GatewayCheck):
        return
    for router in routers:
        if check.routers and router.name not in check.routers:
            continue
        if router.priority == PRIORITY_OWNER:
            yield f"{key}.weight: {router.name} is address owner (255), its priority cannot change; take 0"
        if peer is None and not router.preempt:
            never = f"{router.name} has preempt = false and there is no [peer]"
            yield f"{key}.weight: {check.weight} can never move the VIPs: {never}"


def _kind_problems(key: str, check: CheckConfig) -> Iterator[str]:
    if isinstance(check, ProcessCheck):
        if bool(check.program) is bool(check.pidfile):
            yield f"{key}: exactly one of program and pidfile is needed"
    elif isinstance(check, ScriptCheck):
        if not check.command[0].startswith("/"):
            yield f"{key}.command: {check.command[0]!r} is not an absolute path"
    elif isinstance(check, HttpCheck):
        yield from _url_problems(key, check.url, ("http", "https"))
    elif isinstance(check, RedisCheck):
        yield from _url_problems(key, check.url, ("redis", "rediss", "unix"))
    elif isinstance(check, RouteCheck):
        yield from _route_problems(key, check)
    elif isinstance(check, GatewayCheck) and check.by == "arp" and check.address.ip.version == 6:
        yield f'{key}.by: an IPv6 gateway is asked by "icmp"'


def _route_problems(key: str, check: RouteCheck) -> Iterator[str]:
    if check.destination in ("default", "default6"):
        return
    try:
        ipaddress.ip_network(check.destination)
    except ValueError as error:
        yield f'{key}.destination: {error} (or "default", "default6")'


def _url_problems(key: str, url: str, schemes: tuple[str, ...]) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        complete = parts.scheme in schemes and bool(parts.path if parts.scheme == "unix" else parts.hostname)
    except ValueError:
        complete = False
    if not complete:
        yield f"{key}.url: {url!r} is no URL of {', '.join(schemes)}"


def _target_host(check: CheckConfig) -> str:
    if isinstance(check, SipOptionsCheck | TcpCheck):
        return check.target.host
    if isinstance(check, HttpCheck | RedisCheck):
        return urlsplit(check.url).hostname or ""
    return ""


def _vips(routers: Sequence[VirtualRouterConfig]) -> set[str]:
    return {str(vip) for router in routers for vip in router.vips}
