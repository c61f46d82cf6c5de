"""Sans-IO: from an address-of-record to the target set of RFC 3261 section 16.5."""

from typing import NamedTuple

from sipcore.location.table import LocationTable
from sipcore.message import Uri
from sipcore.transport.layer import Hop


class Target(NamedTuple):
    """One branch: the new Request-URI, the route towards it, and the NAT binding it is reached through."""

    uri: bytes
    route: tuple[bytes, ...]
    received: Hop | None
    q: float


def target_set(location: LocationTable, uri: Uri, now: float) -> list[Target]:
    """Where this AOR is registered, highest q first; empty: nobody is (480 or 404)."""
    return [Target(b.uri, b.path, b.received, b.q) for b in location.lookup(uri.aor(), now)]
