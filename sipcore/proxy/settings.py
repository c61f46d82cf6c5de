"""Sans-IO: what the proxy is told, and how it refuses."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sipcore.auth.digest import Pending
from sipcore.nat.detect import DEFAULT_TESTS

Header = tuple[bytes, bytes]


class Listener(NamedTuple):
    """An address of ours; its place in the list is Hop.listener."""

    host: str
    port: int
    transport: str = "udp"  # as in Hop


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """What the proxy is told; times in seconds.

    `listeners`: as the host of a Request-URI they stand for `domains[0]`. Domains in lower case.
    """

    domains: tuple[bytes, ...]
    listeners: tuple[Listener, ...]
    timer_c: float = 180.0
    no_answer: float = 180.0  # how long a group of targets may ring: fr_inv_timer of OpenSIPS
    failover: float = 5.0  # to wait for a first response while a target has other addresses (RFC 3263)
    max_branches: int = 16  # of one request, over all groups
    max_transactions: int = 100_000  # server transactions; what comes above gets 503
    authenticate: bool = False  # challenge requests that our own users begin, not only REGISTER
    relay: Literal["domains", "any"] = "domains"  # who may send to foreign domains: our users, or anyone
    recurse: bool = False  # follow a 3xx instead of passing it on, section 16.7 step 4
    tel_users: bool = True  # a tel URI means the user with that number in domains[0]; else it gets 416
    udp_limit: int = 1300  # bytes above which a request goes over TCP, section 18.1.1; 0: none
    hide_users: bool = True  # who is unknown gets 480 like who is away, so that nobody can list our users
    nat_tests: int = DEFAULT_TESTS  # which callers get an alias in their Contact (bits of NatTest); 0: nobody
    flow_key: bytes = b""  # signs flow tokens (RFC 5626), branches, Record-Route; empty: nothing is signed


class WaitsError(Exception):
    """An operation cannot say yet; do it again when `pending` calls."""

    def __init__(self, pending: Pending) -> None:
        super().__init__()
        self.pending = pending


class Refused(Exception):
    """The answer to a request that goes no further."""

    def __init__(self, status: int, reason: bytes = b"", headers: Iterable[Header] = ()) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.headers = tuple(headers)
