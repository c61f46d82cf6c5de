"""Sans-IO: which targets are tried together and which one after the other, RFC 3261 section 16.6."""

from itertools import groupby
from typing import NamedTuple

from sipcore.location.binding import Binding, by_instance
from sipcore.proxy.listeners import SECURE_TRANSPORTS
from sipcore.transport.layer import Hop


class Target(NamedTuple):
    """One branch to be: the new Request-URI, the route towards it, the connection it is reached through."""

    uri: bytes
    route: tuple[bytes, ...] = ()
    received: Hop | None = None  # NAT binding or flow: goes before what the URI says
    q: float = 1.0
    spare: tuple["Target", ...] = ()  # other flows of the same instance, RFC 5626: if this one has failed


def targets_of(bindings: list[Binding], *, secure: bool) -> list[Target]:
    """The contacts of an address-of-record as targets, in the same order; `secure`: for a sips URI.

    RFC 5630: a sips URI reaches sips contacts only; a sip URI reaches them as sip, over the
    connection that they have. RFC 5626 section 7: one flow of each instance, the others are its spare ones.
    """
    if len(bindings) == 1:
        (b,) = bindings
        if not secure and not b.uri.startswith(b"sips:"):
            return [Target(b.uri, b.path, b.received, b.q)]
        return _flows(bindings, secure=secure)
    found = (_flows(flows, secure=secure) for flows in by_instance(bindings))
    return [
        flows[0]._replace(spare=tuple(flows[1:])) if len(flows) > 1 else flows[0] for flows in found if flows
    ]


def _flows(bindings: list[Binding], *, secure: bool) -> list[Target]:
    targets = [Target(b.uri, b.path, b.received, b.q) for b in bindings]
    if secure:
        return [target for target in targets if _is_secure(target)]
    return [_downgraded(target) if target.uri.startswith(b"sips:") else target for target in targets]


def _is_secure(target: Target) -> bool:
    if target.received is not None and target.received.transport not in SECURE_TRANSPORTS:
        return False
    return target.uri.startswith(b"sips:")


def _downgraded(target: Target) -> Target:
    return target if target.received is None else target._replace(uri=b"sip:" + target.uri[5:])


def serial_groups(targets: list[Target], limit: int) -> list[list[Target]]:
    """Targets of equal q ring together, groups of lower q follow; at most `limit` targets in all."""
    if len(targets) == 1:
        return [targets]
    targets = sorted(targets, key=lambda target: -target.q)  # stable: within one q the given order
    return [list(group) for _, group in groupby(targets[:limit], key=lambda target: target.q)]
