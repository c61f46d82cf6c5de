"""What the resolver remembers of the DNS, and for how long."""

from sipcore.resolver.cache import Cache, CacheLimits
from sipcore.resolver.locate import Candidate
from sipcore.resolver.records import Answer, Outcome, Question, RecordType
from tests.kit.virtual_dns import VirtualDns

ONLY_V4 = {"udp": (4,)}
NAME = "sip:example.com:5060"
QUESTION = Question("example.com", RecordType.A)
FOUND = [Candidate("192.0.2.1", 5060, "udp")]


def answering(**limits: float) -> VirtualDns:
    zone = {("example.com", "A"): ["192.0.2.1"]}
    return VirtualDns(dict(zone), ONLY_V4, limits=CacheLimits(**limits))  # type: ignore[arg-type]


def test_an_answer_is_known_for_its_time_to_live() -> None:
    dns = answering()
    dns.locate(NAME)
    dns.pass_time(50)
    assert dns.begin(NAME) == [FOUND]
    dns.pass_time(10)
    assert dns.begin(NAME) == []
    assert len(dns.asked) == 1


def test_a_time_to_live_is_kept_within_the_limits() -> None:
    dns = answering(min_ttl=5, max_ttl=20)
    dns.ttl = 0
    dns.locate(NAME)
    dns.pass_time(4.4)
    assert dns.begin(NAME) == [FOUND]
    dns.pass_time(0.7)
    dns.ttl = 86400
    dns.locate(NAME)
    dns.pass_time(20)
    assert dns.begin(NAME) == []


def test_nothing_is_known_too_for_the_negative_time_to_live() -> None:
    dns = answering(negative_ttl=30)
    dns.ttl = 3600
    assert dns.locate("sip:none.test:5060") == []
    dns.pass_time(26)
    assert dns.begin("sip:none.test:5060") == [[]]
    dns.pass_time(5)
    assert dns.begin("sip:none.test:5060") == []


def test_a_failed_question_is_not_asked_again_at_once() -> None:
    dns = answering(failure_ttl=5)
    dns.begin(NAME)
    dns.take()
    dns.answer(QUESTION, Answer(Outcome.FAILED))
    assert dns.begin(NAME) == [[]]
    dns.pass_time(5.1)
    assert dns.locate(NAME) == FOUND


def test_an_answer_in_use_is_renewed_before_it_ends_and_nobody_waits() -> None:
    dns = answering()
    dns.locate(NAME)
    dns.pass_time(55)
    dns.zone["example.com", "A"] = ["192.0.2.9"]
    assert dns.begin(NAME) == [FOUND]
    dns.answer_all()
    assert dns.begin(NAME) == [[Candidate("192.0.2.9", 5060, "udp")]]


def test_an_expired_answer_serves_while_the_dns_is_away() -> None:
    dns = answering(stale=3600)
    dns.locate(NAME)
    dns.pass_time(61)
    dns.dead = {"example.com"}
    waiting = dns.begin(NAME)
    dns.answer_all()
    assert waiting == []
    dns.pass_time(0.6)
    assert waiting == [FOUND]
    dns.answer(QUESTION, Answer(Outcome.FAILED))
    assert dns.begin(NAME) == [FOUND]  # known to be away: no wait any more
    assert dns.resolver.counters["resolver_stale_served"] == 2


def test_an_expired_answer_serves_at_once_when_the_dns_says_that_it_failed() -> None:
    dns = answering(stale=3600)
    dns.locate(NAME)
    dns.pass_time(61)
    waiting = dns.begin(NAME)
    dns.take()
    dns.answer(QUESTION, Answer(Outcome.FAILED))
    assert waiting == [FOUND]


def test_an_expired_answer_ends_for_good() -> None:
    dns = answering(stale=100)
    dns.locate(NAME)
    dns.pass_time(161)
    dns.dead = {"example.com"}
    waiting = dns.begin(NAME)
    dns.pass_time(4.1)
    assert waiting == [[]]


def test_the_least_recently_used_goes_when_the_cache_is_full() -> None:
    cache = Cache(CacheLimits(entries=2))
    questions = [Question(name, RecordType.A) for name in ("a.test", "b.test", "c.test")]
    for question in questions[:2]:
        cache.store(question, Answer(Outcome.FOUND, ("192.0.2.1",), 60), 0.0)
    cache.find(questions[0], 1.0)
    cache.store(questions[2], Answer(Outcome.FOUND, ("192.0.2.1",), 60), 1.0)
    assert [cache.find(question, 1.0) is not None for question in questions] == [True, False, True]
    assert cache.evicted == 1


def test_a_domain_is_forgotten_with_the_names_under_it() -> None:
    cache = Cache(CacheLimits())
    for name in ("a.test", "_sip._udp.a.test", "ba.test"):
        cache.store(Question(name, RecordType.A), Answer(Outcome.FOUND, ("192.0.2.1",), 60), 0.0)
    assert cache.clear("a.test") == 2
    assert [row["name"] for row in cache.rows(0.0)] == ["ba.test"]
    assert cache.clear() == 1
