"""Sans-IO: locating SIP servers: from a URI to the addresses to try, in their order, RFC 3263."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

from sipcore.message import Uri
from sipcore.resolver.records import Answer, Question
from sipcore.timers import TimerWheel

DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 80, "wss": 443}
SECURE = {"tcp": "tls", "tls": "tls", "ws": "wss", "wss": "wss"}  # what a sips URI makes of a transport


class Candidate(NamedTuple):
    """An address to try: `host` is an IP address, `name` the domain that a certificate there must have."""

    host: str
    port: int
    transport: str
    name: str = ""


Done = Callable[[list[Candidate], float], None]


@dataclass(frozen=True, slots=True)
class ResolverSettings:
    """What the resolver is told.

    `transports`: those that we have, preferred first, each with its IP versions, preferred first:
    {"udp": (4, 6), "tls": (4,)}.
    """

    transports: Mapping[str, tuple[int, ...]]


class Resolver:
    """Where a request for a URI may be sent; it says what to ask the DNS and remembers the answers.

    After each batch, and after the wheel's timers, the shell carries `take()` to the DNS and brings each
    answer to `on_answer`. `randint(a, b)` gives a number from a to b, both included: weights of SRV records.
    """

    def __init__(
        self, settings: ResolverSettings, wheel: TimerWheel, randint: Callable[[int, int], int]
    ) -> None:
        self.settings = settings
        self._wheel = wheel
        self._randint = randint
        self._questions: list[Question] = []

    def locate(self, uri: Uri, now: float, done: Done) -> list[Candidate] | None:
        """The candidates, best first; None: `done` will be called with them; empty: there is no way there."""
        transport = self._transport(uri)
        place = _address(uri.params.get(b"maddr") or uri.host)
        if transport is None or place is None:
            return []
        host, version = place
        if version not in self.settings.transports[transport]:
            return []
        name = host if transport in ("tls", "wss") else ""
        return [Candidate(host, uri.port or DEFAULT_PORTS[transport], transport, name)]

    def take(self) -> list[Question]:
        """What the DNS is to be asked now; each question is open until `on_answer`."""
        questions = self._questions.copy()
        self._questions.clear()
        return questions

    def on_answer(self, question: Question, answer: Answer, now: float) -> None:
        """The DNS has answered, or has failed to."""

    def failed(self, candidate: Candidate, now: float) -> None:
        """A candidate did not answer, or with 503: for a while it is tried after all others."""

    def _transport(self, uri: Uri) -> str | None:
        """Section 4.1: of a URI that names it, or whose host is an address; None: none of ours."""
        ours = self.settings.transports
        named = (uri.params.get(b"transport") or b"").decode("latin-1").lower()
        if uri.scheme == b"sips":
            named = SECURE.get(named, "") if named else "tls"
        elif uri.scheme != b"sip":
            return None
        elif not named:
            named = "udp" if "udp" in ours else next(iter(ours), "")
        return named if named in ours else None


@lru_cache(maxsize=8192)
def _address(host: bytes) -> tuple[str, int] | None:
    """An IP address, and its version; None for a name."""
    try:
        address = ip_address(host.strip(b"[]").decode("ascii"))
    except ValueError:
        return None
    return str(address), address.version
