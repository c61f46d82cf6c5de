"""IO shell: asks the DNS what the resolver wants to know, with dnspython."""

import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import cast

import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.resolver
import structlog
from dns.rdtypes.IN.NAPTR import NAPTR
from dns.rdtypes.IN.SRV import SRV

from sipcore.errors import SipcoreError
from sipcore.resolver.locate import Resolver
from sipcore.resolver.records import FAILED, Answer, Naptr, Outcome, Question, Record, Srv

log = structlog.get_logger(__name__)

DNS_PORT = 53
PAYLOAD = 1232  # what UDP carries without fragments; longer answers come over TCP
MAX_RECORDS = 128  # of one answer: its sender may be anybody, and it is kept and put in order
LOG_SECONDS = 10.0  # at most one line about failures in this time

Server = tuple[str, int]


class RefusedError(SipcoreError):
    """The server answered that it will not or cannot say."""


class Dns:
    """A task per question; the server that has answered last is asked first.

    A question takes at most `timeout` times `attempts` per server. `on_answered` is called after the resolver
    has been told, and may have something to send.
    """

    def __init__(
        self,
        resolver: Resolver,
        servers: Sequence[Server],
        on_answered: Callable[[], None],
        *,
        timeout: float = 1.0,
        attempts: int = 2,
    ) -> None:
        self._resolver = resolver
        self.servers = list(servers)  # in the order in which they are asked
        self._on_answered = on_answered
        self._timeout = timeout
        self._attempts = attempts
        self._tasks: set[asyncio.Task[None]] = set()
        self._logged_at = -LOG_SECONDS

    def ask(self) -> None:
        """Take the resolver's questions to the servers; returns at once."""
        for question in self._resolver.take():
            task = asyncio.get_running_loop().create_task(self._ask(question))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Give up what is open."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ask(self, question: Question) -> None:
        answer = await self._answer(question)
        try:
            self._resolver.on_answer(question, answer, time.monotonic())
        except Exception:  # one call must not cost the others
            log.exception("dns answer failed", name=question.name, type=question.type.name)
        self._on_answered()

    async def _answer(self, question: Question) -> Answer:
        query = dns.message.make_query(question.name, question.type.name, use_edns=0, payload=PAYLOAD)
        why = "no nameserver is configured"
        for _ in range(self._attempts):
            for server in self.servers.copy():
                try:
                    response = await self._query(query, server)
                    answer = read_answer(response)
                except (dns.exception.DNSException, RefusedError, OSError, EOFError) as error:
                    why = f"{server[0]}:{server[1]}: {str(error) or type(error).__name__}"
                else:
                    self.servers.sort(key=lambda other: other != server)
                    return answer
        self._note_failure(question, why)
        return FAILED

    async def _query(self, query: dns.message.QueryMessage, server: Server) -> dns.message.Message:
        async with asyncio.timeout(self._timeout):
            response, _ = await dns.asyncquery.udp_with_fallback(
                query, server[0], port=server[1], ignore_unexpected=True, ignore_errors=True
            )
        return response

    def _note_failure(self, question: Question, why: str) -> None:
        now = time.monotonic()
        if now - self._logged_at >= LOG_SECONDS:
            self._logged_at = now
            log.warning("dns failed", name=question.name, type=question.type.name, reason=why)


def system_servers() -> list[Server]:
    """The nameservers of /etc/resolv.conf; without one, no name leads anywhere."""
    try:
        found = dns.resolver.Resolver().nameservers
    except dns.resolver.NoResolverConfiguration as error:
        log.warning("no nameserver", reason=str(error))
        return []
    return [(server, DNS_PORT) for server in found if isinstance(server, str)]


def read_answer(response: dns.message.Message) -> Answer:
    """The records, after the CNAMEs; raises for what is no answer to the question."""
    rcode = response.rcode()
    if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) or not isinstance(
        response, dns.message.QueryMessage
    ):
        raise RefusedError(dns.rcode.to_text(rcode))
    chain = response.resolve_chaining()
    ttl = float(chain.minimum_ttl)
    if chain.answer is None:
        return Answer(Outcome.NOTHING, (), ttl)
    readable = (record for found in chain.answer if (record := _record(found)) is not None)
    records = tuple(islice(readable, MAX_RECORDS))
    return Answer(Outcome.FOUND if records else Outcome.NOTHING, records, ttl)


def _record(found: object) -> Record | None:
    """One record; None for a NAPTR with a regular expression, which RFC 3263 has no use for."""
    if isinstance(found, SRV):
        return Srv(found.priority, found.weight, found.port, _name(found.target))
    if isinstance(found, NAPTR):
        if found.regexp:
            return None
        flags, service = (part.decode("latin-1").lower() for part in (found.flags, found.service))
        return Naptr(found.order, found.preference, flags, service, _name(found.replacement))
    return cast(str, found.address)  # type: ignore[attr-defined]


def _name(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower() if len(name.labels) > 1 else ""
