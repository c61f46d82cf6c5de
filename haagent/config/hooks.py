"""Sans-IO: [hooks], [[hook]] and [[webhook]] of haagent.toml: who is told of a change of state."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from haagent.config.kinds import Duration, Name, Section, milliseconds
from haagent.config.virtual_router import VirtualRouterConfig

MAX_HOOKS = 32
MIN_TIMEOUT, MAX_TIMEOUT = 0.1, 600.0
MAX_ATTEMPTS = 20

StateName = Literal["MASTER", "BACKUP", "FAULT", "STOP"]
States = Annotated[tuple[StateName, ...], Meta(min_length=1, max_length=4)]
Command = Annotated[tuple[str, ...], Meta(min_length=1, max_length=64)]
ALL_STATES: tuple[StateName, ...] = ("MASTER", "BACKUP", "FAULT", "STOP")


class _Told(Section, frozen=True, kw_only=True):
    """The keys that scripts and webhooks share: which changes they are told."""

    name: Name
    states: States = ALL_STATES
    of: Literal["instance", "group", "both"] = "instance"
    routers: tuple[Name, ...] = ()
    backlog: Annotated[int, Meta(ge=1, le=10_000)] = 64


class HookConfig(_Told, frozen=True, kw_only=True):
    """[[hook]]: a program that is run at a change of state."""

    command: Command
    arguments: Literal["keepalived", "none"] = "keepalived"
    user: str = ""
    timeout: Duration = Duration(30.0)


class WebhookConfig(_Told, frozen=True, kw_only=True):
    """[[webhook]]: a POST of JSON at a change of state."""

    url: str
    secret_file: str = ""
    timeout: Duration = Duration(5.0)
    attempts: Annotated[int, Meta(ge=1, le=MAX_ATTEMPTS)] = 5
    ca_file: str = ""


class HooksConfig(Section, frozen=True, kw_only=True):
    """[hooks]: what all of them share, and the event stream."""

    user: str = ""
    fifo: str = ""
    fifo_backlog: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    fifo_command: Annotated[tuple[str, ...], Meta(max_length=64)] = ()


HookConfigs = Annotated[tuple[HookConfig, ...], Meta(max_length=MAX_HOOKS)]
WebhookConfigs = Annotated[tuple[WebhookConfig, ...], Meta(max_length=MAX_HOOKS)]


def hook_problems(
    common: HooksConfig,
    hooks: Sequence[HookConfig],
    webhooks: Sequence[WebhookConfig],
    routers: Sequence[VirtualRouterConfig],
) -> Iterator[str]:
    """What is wrong with them."""
    if common.fifo and not common.fifo.startswith("/"):
        yield f"hooks.fifo: {common.fifo!r} is not an absolute path"
    if common.fifo_command and not common.fifo:
        yield "hooks.fifo_command: it needs hooks.fifo"
    if common.fifo_command and not common.fifo_command[0].startswith("/"):
        yield f"hooks.fifo_command: {common.fifo_command[0]!r} is not an absolute path"
    names: set[str] = set()
    known = [router.name for router in routers]
    every: list[tuple[str, HookConfig | WebhookConfig]] = [
        *((f"hook[{index}]", hook) for index, hook in enumerate(hooks)),
        *((f"webhook[{index}]", webhook) for index, webhook in enumerate(webhooks)),
    ]
    for key, one in every:
        if one.name in names:
            yield f"{key}.name: {one.name!r} is the name of an earlier hook"
        names.add(one.name)
        if not MIN_TIMEOUT <= one.timeout <= MAX_TIMEOUT:
            yield f"{key}.timeout: {milliseconds(one.timeout)} is not in 100ms..10m"
        for name in one.routers:
            if name not in known:
                yield f"{key}.routers: {name!r} is no virtual router ({', '.join(known)})"
        if isinstance(one, HookConfig):
            if not one.command[0].startswith("/"):
                yield f"{key}.command: {one.command[0]!r} is not an absolute path"
        else:
            yield from _url_problems(key, one)


def _url_problems(key: str, webhook: WebhookConfig) -> Iterator[str]:
    try:
        parts = urlsplit(webhook.url)
        complete = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        complete = False
    if not complete:
        yield f"{key}.url: {webhook.url!r} is no URL of http, https"
    elif webhook.ca_file and parts.scheme != "https":
        yield f"{key}.ca_file: is for https"
