"""The resolver against Debian's named: real records, a change of the zone, a dead and a frozen server."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from sipcore.message import Uri
from sipcore.resolver.cache import CacheLimits
from sipcore.resolver.dns import Dns
from sipcore.resolver.locate import Candidate, Resolver, ResolverSettings
from sipcore.timers import TimerWheel
from tests.kit.named import Named
from tests.kit.sip_live import CoreProcess, LivePhones, free_port, wait_for

BOTH = (4, 6)
RECORDS = """
@ NAPTR 10 50 "s" "SIP+D2U" "" _sip._udp
@ NAPTR 20 50 "s" "SIP+D2T" "" _sip._tcp
_sip._udp SRV 10 60 5060 a
_sip._udp SRV 10 40 5070 b
_sip._udp SRV 20 0 5060 c
_sip._tcp SRV 10 0 5080 both
a A 127.0.0.11
b A 127.0.0.12
c A 127.0.0.13
both A 127.0.0.14
both AAAA ::1
alias CNAME both
plain A 127.0.0.15
off A 127.0.0.16
_sip._udp.off SRV 0 0 0 .
_sip._udp.many SRV 10 10 5060 {many}
""".replace(
    "_sip._udp.many SRV 10 10 5060 {many}",
    "\n".join(
        f"_sip._udp.many SRV 10 10 {5000 + n} a-host-with-a-rather-long-name-{n:03}" for n in range(60)
    ),
)


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Named]:
    with Named(tmp_path_factory.mktemp("named"), RECORDS, ttl=30) as running:
        yield running


class Asker:
    """A resolver, its shell and its wheel on the test's event loop."""

    def __init__(self, *servers: tuple[str, int], timeout: float = 0.3, **limits: float) -> None:
        self.wheel = TimerWheel(now=time.monotonic())
        cache = CacheLimits(**limits)  # type: ignore[arg-type]
        settings = ResolverSettings({"udp": BOTH, "tcp": BOTH}, cache, time_limit=5.0)
        self.resolver = Resolver(settings, self.wheel, Random(1).randint)
        self.dns = Dns(self.resolver, servers, self._ask_on, timeout=timeout, attempts=1)

    def _ask_on(self) -> None:
        self.dns.ask()

    async def locate(self, uri: str) -> list[Candidate]:
        """The candidates, when they are known."""
        future: asyncio.Future[list[Candidate]] = asyncio.get_running_loop().create_future()
        now = time.monotonic()
        found = self.resolver.locate(Uri.parse(uri.encode()), now, lambda got, _: future.set_result(got))
        if found is not None:
            return found
        self.dns.ask()
        while not future.done():
            await asyncio.sleep(0.01)
            self.wheel.advance(time.monotonic())
        return future.result()


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Run a test in a loop of its own."""

    async def bounded() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(bounded())


def test_a_domain_leads_through_naptr_and_srv_to_its_servers(named: Named) -> None:
    async def test() -> None:
        found = await Asker(named.server).locate("sip:bob@sip.test")
        assert sorted(found[:2]) == [
            Candidate("127.0.0.11", 5060, "udp"),
            Candidate("127.0.0.12", 5070, "udp"),
        ]
        assert found[2:] == [Candidate("127.0.0.13", 5060, "udp")]

    run(test)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sip:sip.test;transport=tcp", [("127.0.0.14", 5080, "tcp"), ("::1", 5080, "tcp")]),
        ("sip:alias.sip.test:5099", [("127.0.0.14", 5099, "udp"), ("::1", 5099, "udp")]),
        ("sip:plain.sip.test", [("127.0.0.15", 5060, "udp")]),
        ("sip:off.sip.test", []),
        ("sip:nobody.sip.test", []),
    ],
)
def test_records_of_each_kind_are_read(named: Named, uri: str, expected: list[tuple[str, int, str]]) -> None:
    async def test() -> None:
        assert [candidate[:3] for candidate in await Asker(named.server).locate(uri)] == expected

    run(test)


def test_an_answer_that_udp_cannot_carry_comes_over_tcp(named: Named) -> None:
    async def test() -> None:
        asker = Asker(named.server)
        await asker.locate("sip:many.sip.test;transport=udp")
        [row] = [row for row in asker.resolver.cache.rows(time.monotonic()) if row["type"] == "SRV"]
        assert len(row["records"]) == 60  # type: ignore[arg-type]

    run(test)


def test_a_changed_record_is_seen_when_its_time_is_over(named: Named) -> None:
    async def test() -> None:
        named.update("add moved.sip.test 1 A 127.0.0.21")
        asker = Asker(named.server)
        assert [c.host for c in await asker.locate("sip:moved.sip.test:5060")] == ["127.0.0.21"]
        named.update("delete moved.sip.test A", "add moved.sip.test 1 A 127.0.0.22")
        assert [c.host for c in await asker.locate("sip:moved.sip.test:5060")] == ["127.0.0.21"]
        await asyncio.sleep(1.1)
        assert [c.host for c in await asker.locate("sip:moved.sip.test:5060")] == ["127.0.0.22"]

    run(test)


def test_what_is_not_there_is_known_for_the_negative_time_of_the_zone(named: Named) -> None:
    async def test() -> None:
        asker = Asker(named.server)
        assert await asker.locate("sip:later.sip.test:5060") == []
        [row, _] = asker.resolver.cache.rows(time.monotonic())
        assert row["outcome"] == "nothing"
        assert 20 < row["ttl"] <= 30  # type: ignore[operator]

    run(test)


def test_a_dead_nameserver_costs_one_timeout_and_then_the_living_one_is_asked_first(named: Named) -> None:
    async def test() -> None:
        asker = Asker(("127.0.0.1", free_port()), named.server)
        assert await asker.locate("sip:plain.sip.test:5060")
        assert asker.dns.servers[0] == named.server

    run(test)


def test_a_frozen_nameserver_fails_in_time_and_a_stale_answer_serves(tmp_path: Path) -> None:
    async def test() -> None:
        asker = Asker(own.server, min_ttl=0.1, stale=60.0, failure_ttl=1.0)
        assert len(await asker.locate("sip:a.sip.test:5060")) == 1
        own.freeze()
        assert await asker.locate("sip:b.sip.test:5060") == []
        await asyncio.sleep(1.0)
        assert [c.host for c in await asker.locate("sip:a.sip.test:5060")] == ["127.0.0.11"]
        own.thaw()
        await asyncio.sleep(1.1)
        assert [c.host for c in await asker.locate("sip:b.sip.test:5060")] == ["127.0.0.12"]

    with Named(tmp_path, RECORDS, ttl=1) as own:
        run(test)


def test_a_killed_nameserver_fails_and_is_used_again_when_it_is_back(tmp_path: Path) -> None:
    async def test() -> None:
        asker = Asker(own.server, failure_ttl=0.1)
        own.kill()
        assert await asker.locate("sip:a.sip.test:5060") == []
        own.start()
        await asyncio.sleep(0.2)
        assert [c.host for c in await asker.locate("sip:a.sip.test:5060")] == ["127.0.0.11"]

    with Named(tmp_path, RECORDS) as own:
        run(test)


def test_an_operator_sees_what_is_known_and_makes_the_core_forget_it(named: Named, tmp_path: Path) -> None:
    more = f'[resolver]\nnameservers = ["{named.server[0]}:{named.server[1]}"]\n'
    with CoreProcess(tmp_path, more=more) as core, LivePhones((core.address, core.port), "alice") as phones:
        phones.register("alice")
        phones.phone.call("1", b"alice", b"bob@plain.sip.test", time.monotonic())
        phones.wire.flush()
        wait_for(lambda: "127.0.0.15" in core.cli("resolver", "sip.test").stdout, "it asks", core.log)
        assert core.cli("resolver", "other.test", "--json").stdout.strip() == "[]"
        forgotten = json.loads(core.cli("resolver", "plain.sip.test", "--flush", "--json").stdout)
        assert forgotten["forgotten"] >= 3  # NAPTR, SRV, A
        assert core.client.get("/v1/resolver") == []
        assert core.counters()["resolver_failures"] == 0
