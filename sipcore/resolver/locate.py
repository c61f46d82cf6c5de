"""Sans-IO: locating SIP servers: from a URI to the addresses to try, in their order, RFC 3263."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sipcore.message import Uri
from sipcore.resolver.cache import Cache, CacheLimits
from sipcore.resolver.order import RandInt
from sipcore.resolver.records import FAILED, Answer, Outcome, Question, address
from sipcore.resolver.search import (
    DEFAULT_PORTS,
    SECURE,
    VERIFIED,
    Candidate,
    Search,
    Transports,
    transport_of,
)
from sipcore.timers import Timer, TimerWheel

STALE_AFTER = (
    0.5  # seconds that a lookup waits for a fresh answer when it has a stale one (RFC 8767 section 5)
)
MAX_ASIDE = 1024  # candidates that have failed

Done = Callable[[list[Candidate], float], None]

__all__ = ["DEFAULT_PORTS", "SECURE", "Candidate", "Done", "Resolver", "ResolverSettings"]


@dataclass(frozen=True, slots=True)
class ResolverSettings:
    """What the resolver is told; times in seconds.

    `transports`: those that we have, preferred first, each with its IP versions, preferred first:
    {"udp": (4, 6), "tls": (4,)}. A lookup takes `time_limit` at most and then goes by what it knows. A
    candidate that failed is tried last for `aside`. Of `max_questions` and `max_lookups`, what is over fails
    at once.
    """

    transports: Transports
    cache: CacheLimits = CacheLimits()
    time_limit: float = 4.0
    aside: float = 30.0
    max_questions: int = 512
    max_lookups: int = 4096


class Lookup:
    """A URI whose candidates somebody waits for; `answers` are those that came for it, whatever their TTL."""

    __slots__ = ("answers", "deadline", "done", "timer", "uri", "waits_for")

    def __init__(self, uri: Uri, done: Done, deadline: float) -> None:
        self.uri = uri
        self.done: Done | None = done
        self.deadline = deadline
        self.answers: dict[Question, Answer] = {}
        self.waits_for: set[Question] = set()
        self.timer: Timer | None = None


class Resolver:
    """Where a request for a URI may be sent; it says what to ask the DNS and remembers the answers.

    After each batch, and after the wheel's timers, the shell carries `take()` to the DNS and brings one
    answer for each question to `on_answer`. `randint` draws the lots of SRV weights.
    """

    def __init__(self, settings: ResolverSettings, wheel: TimerWheel, randint: RandInt) -> None:
        self.settings = settings
        self.cache = Cache(settings.cache)
        self._wheel = wheel
        self._randint = randint
        self._to_ask: list[Question] = []
        self._open: dict[Question, list[Lookup]] = {}
        self._lookups = 0
        self._aside: dict[tuple[str, int, str], float] = {}
        self.located = 0  # names, not addresses
        self.waited = 0  # of these, those that the cache could not answer
        self.asked = 0
        self.failures = 0  # questions that the DNS did not answer
        self.timeouts = 0  # lookups that went by what they knew
        self.refused = 0  # lookups and questions over the limits

    @property
    def counters(self) -> dict[str, int]:
        """What was counted since the start."""
        return {
            "resolver_located": self.located,
            "resolver_waited": self.waited,
            "resolver_questions": self.asked,
            "resolver_failures": self.failures,
            "resolver_timeouts": self.timeouts,
            "resolver_refused": self.refused,
            "resolver_stale_served": self.cache.stale_served,
            "resolver_evicted": self.cache.evicted,
        }

    def locate(self, uri: Uri, now: float, done: Done) -> list[Candidate] | None:
        """The candidates, best first; None: `done` will be called with them; empty: there is no way there."""
        place = address(uri.params.get(b"maddr") or uri.host)
        if place is not None:
            return self._literal(uri, *place)
        if uri.scheme not in (b"sip", b"sips"):
            return []
        self.located += 1
        search = Search(self.settings.transports, partial(self._find, now), self._randint)
        found = search.candidates(uri)
        if not search.missing:
            return self._ordered(found, now)
        self.waited += 1
        if self._lookups >= self.settings.max_lookups:
            self.refused += 1
            return self._ordered(found, now)
        lookup = Lookup(uri, done, now + self.settings.time_limit)
        self._lookups += 1
        self._wait(lookup, search.missing)
        self._set_timer(lookup, min(now + STALE_AFTER, lookup.deadline) if lookup.waits_for else now)
        return None

    def take(self) -> list[Question]:
        """What the DNS is to be asked now; each question is open until `on_answer`."""
        if not self._to_ask:
            return []
        questions, self._to_ask = self._to_ask, []
        return questions

    def on_answer(self, question: Question, answer: Answer, now: float) -> None:
        """The DNS has answered, or has failed to: whoever waits for it goes on."""
        self.failures += answer.outcome is Outcome.FAILED
        self.cache.store(question, answer, now)
        for lookup in self._open.pop(question, ()):
            if lookup.done is None:
                continue
            lookup.answers[question] = answer
            lookup.waits_for.discard(question)
            if not lookup.waits_for:
                self._go_on(lookup, now)

    def failed(self, candidate: Candidate, now: float) -> None:
        """A candidate did not answer, or with 503: for a while it is tried after all others."""
        if len(self._aside) >= MAX_ASIDE:
            self._aside = {place: until for place, until in self._aside.items() if until > now}
        if len(self._aside) < MAX_ASIDE:
            self._aside[candidate[:3]] = now + self.settings.aside

    @property
    def open_questions(self) -> int:
        """Questions that the DNS has not answered yet."""
        return len(self._open)

    # Steps

    def _literal(self, uri: Uri, host: str, version: int) -> list[Candidate]:
        """An address needs no lookup: sections 4.1 and 4.2, "if the TARGET is a numeric IP address"."""
        transports = self.settings.transports
        transport = transport_of(uri, transports)
        if transport is None or version not in transports[transport]:
            return []
        name = uri.host.strip(b"[]").decode("latin-1") if transport in VERIFIED else ""
        return [Candidate(host, uri.port or DEFAULT_PORTS[transport], transport, name)]

    def _find(self, now: float, question: Question) -> Answer | None:
        cache = self.cache
        answer = cache.find(question, now)
        if answer is not None and cache.wants_renewal(question, now):
            self._question(question)
        return answer

    def _question(self, question: Question) -> list[Lookup] | None:
        """Ask, unless the question is open already; None: there are too many open."""
        waiting = self._open.get(question)
        if waiting is None:
            if len(self._open) >= self.settings.max_questions:
                self.refused += 1
                return None
            waiting = self._open[question] = []
            self._to_ask.append(question)
            self.asked += 1
        return waiting

    def _wait(self, lookup: Lookup, missing: list[Question]) -> None:
        for question in dict.fromkeys(missing):
            waiting = self._question(question)
            if waiting is None:
                lookup.answers[question] = FAILED
            else:
                waiting.append(lookup)
                lookup.waits_for.add(question)

    def _go_on(self, lookup: Lookup, now: float) -> None:
        """Walk again with what is known now; where nothing can be asked any more, to the end."""

        def ask(question: Question) -> Answer | None:
            known = lookup.answers.get(question)
            if known is None or known.outcome is Outcome.FAILED:
                known = self._find(now, question) or known
            return known

        while not lookup.waits_for:
            search = Search(self.settings.transports, ask, self._randint)
            found = search.candidates(lookup.uri)
            if not search.missing:
                self._finish(lookup, found, now)
                return
            self._wait(lookup, search.missing)

    def _on_timer(self, lookup: Lookup, now: float) -> None:
        """What the DNS did not say in time: a stale answer if there is one, else it has failed."""
        expired = now >= lookup.deadline

        def ask(question: Question) -> Answer | None:
            known = lookup.answers.get(question) or self.cache.find(question, now)
            if known is None or known.outcome is Outcome.FAILED:
                known = self.cache.stale(question, now) or known
            return FAILED if known is None and expired else known

        search = Search(self.settings.transports, ask, self._randint)
        found = search.candidates(lookup.uri)
        if search.missing:
            self._set_timer(lookup, lookup.deadline)
            return
        self.timeouts += expired
        self._finish(lookup, found, now)

    def _set_timer(self, lookup: Lookup, at: float) -> None:
        lookup.timer = self._wheel.schedule(at, partial(self._on_timer, lookup))

    def _finish(self, lookup: Lookup, found: list[Candidate], now: float) -> None:
        if lookup.timer is not None:
            self._wheel.cancel(lookup.timer)
            lookup.timer = None
        done, lookup.done = lookup.done, None
        self._lookups -= 1
        if done is not None:
            done(self._ordered(found, now), now)

    def _ordered(self, found: list[Candidate], now: float) -> list[Candidate]:
        """Those that have failed lately come last; none is left out."""
        aside = self._aside
        if not aside:
            return found
        good: list[Candidate] = []
        bad: list[Candidate] = []
        for candidate in found:
            until = aside.get(candidate[:3], now)
            (bad if until > now else good).append(candidate)
        return good + bad
