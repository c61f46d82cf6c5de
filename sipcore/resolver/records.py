"""Sans-IO: questions to the DNS and what comes back, of the four types that RFC 3263 needs."""

from enum import Enum, IntEnum
from typing import NamedTuple


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
    """A NAPTR record, RFC 3403 section 4.1; `service` and `flags` in lower case."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(NamedTuple):
    """An SRV record, RFC 2782; the target "" says that the service is not offered there."""

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
