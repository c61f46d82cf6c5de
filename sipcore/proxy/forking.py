"""Sans-IO: which targets are tried together and which one after the other, RFC 3261 section 16.6."""

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from sipcore.location.binding import Binding
from sipcore.transport.layer import Hop


class Target(NamedTuple):
    """One branch to be: the new Request-URI, the route towards it, the connection it is reached through."""

    uri: bytes
    route: tuple[bytes, ...] = ()
    received: Hop | None = None  # NAT binding or flow: goes before what the URI says
    q: float = 1.0


def targets_of(bindings: Iterable[Binding]) -> list[Target]:
    """The contacts of an address-of-record as targets, in the same order."""
    return [Target(b.uri, b.path, b.received, b.q) for b in bindings]


def serial_groups(targets: list[Target], limit: int) -> list[list[Target]]:
    """Targets of equal q ring together, groups of lower q follow; at most `limit` targets in all."""
    if len(targets) == 1:
        return [targets]
    targets = sorted(targets, key=lambda target: -target.q)  # stable: within one q the given order
    return [list(group) for _, group in groupby(targets[:limit], key=lambda target: target.q)]
