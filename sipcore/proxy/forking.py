"""Sans-IO: which targets are tried together and which one after the other, RFC 3261 section 16.6."""

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from sipcore.location.binding import Binding
from sipcore.transport.layer import Hop


class Target(NamedTuple):
    """One branch to be: the new Request-URI, the route towards it, the NAT binding it is reached through."""

    uri: bytes
    route: tuple[bytes, ...] = ()
    received: Hop | None = None
    q: float = 1.0


def serial_groups(bindings: Iterable[Binding], limit: int) -> list[list[Target]]:
    """Contacts of equal q ring together, groups of lower q follow; at most `limit` contacts in all."""
    targets = [Target(b.uri, b.path, b.received, b.q) for b in bindings]
    targets.sort(key=lambda target: -target.q)  # stable: within one q the order of the location table
    return [list(group) for _, group in groupby(targets[:limit], key=lambda target: target.q)]
