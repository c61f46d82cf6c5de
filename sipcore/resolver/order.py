"""Sans-IO: which NAPTR and SRV records come first: RFC 3403 section 4.1 and RFC 2782."""

from collections.abc import Callable, Container, Iterable, Sequence
from itertools import groupby

from sipcore.resolver.records import Naptr, Srv

RandInt = Callable[[int, int], int]
"""A number from the first to the second, both included."""

SERVICES = {
    "sip+d2u": "udp",
    "sip+d2t": "tcp",
    "sips+d2t": "tls",
    "sip+d2w": "ws",  # RFC 7118 section 9
    "sips+d2w": "wss",
}


def naptr_order(records: Iterable[Naptr], transports: Container[str]) -> list[Naptr]:
    """The records of the least order that has a service of ours, preferred first.

    RFC 3403 section 4.1: "once a match is found, the client MUST NOT consider any NAPTRs with a higher value
    of Order". So no failure makes us fall from TLS to a transport that the domain wants less.
    """
    usable = [naptr for naptr in records if SERVICES.get(naptr.service) in transports and naptr.flags in "sa"]
    least = min((naptr.order for naptr in usable), default=0)
    return sorted((n for n in usable if n.order == least), key=lambda n: (n.preference, n.service))


def srv_order(records: Iterable[Srv], randint: RandInt) -> list[Srv]:
    """All records: least priority first, among equals by lot with their weights."""
    ordered = []
    for _, group in groupby(sorted(records), key=lambda srv: srv.priority):
        ordered += _by_weight(list(group), randint)
    return ordered


def _by_weight(left: list[Srv], randint: RandInt) -> list[Srv]:
    """RFC 2782, "Weight": the records stand in the order of their weights, those of weight 0 first."""
    ordered = []
    while len(left) > 1:
        wanted = randint(0, sum(srv.weight for srv in left))
        running = 0
        for index, srv in enumerate(left):
            running += srv.weight
            if running >= wanted:
                ordered.append(left.pop(index))
                break
    return ordered + left


def rotated(addresses: Sequence[str], randint: RandInt) -> list[str]:
    """The addresses of one name, begun anywhere: a cache must not send everyone to the first of them."""
    start = randint(0, len(addresses) - 1) if len(addresses) > 1 else 0
    return [*addresses[start:], *addresses[:start]]
