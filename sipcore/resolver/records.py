"""Sans-IO: questions to the DNS and what comes back, of the four types that RFC 3263 needs."""

from enum import Enum, IntEnum
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

from sipcore.message.uri import MAX_REFERENCE


class RecordType(IntEnum):
    """Record types by their number on the wire."""

    A = 1
    AAAA = 28
    SRV = 33
    NAPTR = 35


class Question(NamedTuple):
    """What to ask; `name` in lower case without the final dot."""

    name: str
    type: RecordType


class Naptr(NamedTuple):
    """A NAPTR record, RFC 3403 section 4.1; `flags`, `service` and `replacement` in lower case."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(NamedTuple):
    """An SRV record, RFC 2782; the target "" says that the service is decidedly not available there."""

    priority: int
    weight: int
    port: int
    target: str


Record = Naptr | Srv | str
"""Of A and AAAA the address as text."""


class Outcome(Enum):
    """What became of a question."""

    FOUND = "found"
    NOTHING = "nothing"  # no such name, or no such record: RFC 2308
    FAILED = "failed"  # no server answered, or none could


class Answer(NamedTuple):
    """The answer to a question; for NOTHING `ttl` is that of the negative answer (RFC 2308 section 5)."""

    outcome: Outcome
    records: tuple[Record, ...] = ()
    ttl: float = 0.0


FAILED = Answer(Outcome.FAILED)


def address(host: bytes) -> tuple[str, int] | None:
    """An IP address, in brackets or not, and its version; None for a name."""
    return _address(host) if len(host) <= MAX_REFERENCE else None


@lru_cache(maxsize=8192)
def _address(host: bytes) -> tuple[str, int] | None:
    try:
        found = ip_address(host.strip(b"[]").decode("ascii"))
    except ValueError:
        return None
    return str(found), found.version


def domain_name(host: bytes) -> str | None:
    """A name that may be asked for (RFC 1035 section 2.3.4); None for what never is one."""
    name = host.removesuffix(b".").lower()
    labels = name.split(b".")
    if len(name) > 253 or not all(1 <= len(label) <= 63 for label in labels):
        return None
    return name.decode("ascii", "replace")
