"""Sans-IO: [witness] of haagent.toml: a third party for two nodes that cannot hear each other."""

from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlsplit

from haagent.config.kinds import Duration, Name, Section, milliseconds

SCHEMES = ("redis", "rediss", "unix")
MIN_LEASE, MAX_LEASE = 0.2, 60.0
MIN_TIMEOUT = 0.005
TIMEOUTS_PER_LEASE = 3


class WitnessConfig(Section, frozen=True, kw_only=True):
    """[witness]: a lock in Redis."""

    url: str
    name: Name
    password_file: str | None = None
    lease: Duration = Duration(1.0)
    timeout: Duration = Duration(0.1)
    when_away: Literal["decide-alone", "stand-still"] = "decide-alone"


def witness_problems(witness: WitnessConfig) -> Iterator[str]:
    """What is wrong with it."""
    scheme = urlsplit(witness.url).scheme
    if scheme not in SCHEMES:
        yield f"witness.url: {scheme or witness.url!r} is none of {', '.join(SCHEMES)}"
    if not MIN_LEASE <= witness.lease <= MAX_LEASE:
        limit = f"{milliseconds(MIN_LEASE)}..{milliseconds(MAX_LEASE)}"
        yield f"witness.lease: {milliseconds(witness.lease)} is not in {limit}"
    most = witness.lease / TIMEOUTS_PER_LEASE
    if not MIN_TIMEOUT <= witness.timeout <= most:
        limit = f"{milliseconds(MIN_TIMEOUT)}..{milliseconds(most)} (a third of witness.lease)"
        yield f"witness.timeout: {milliseconds(witness.timeout)} is not in {limit}"
