"""A DNS without sockets: zones as a dict, time as a number, questions answered when the test says so."""

from collections.abc import Callable, Iterable

from sipcore.message import Uri
from sipcore.resolver.cache import CacheLimits
from sipcore.resolver.locate import Candidate, Resolver, ResolverSettings
from sipcore.resolver.records import Answer, Outcome, Question, Record, RecordType
from sipcore.resolver.search import Transports
from sipcore.timers import TimerWheel

Zone = dict[tuple[str, str], Iterable[Record]]
ALL: Transports = {"udp": (4, 6), "tcp": (4, 6), "tls": (4, 6), "ws": (4, 6), "wss": (4, 6)}


class VirtualDns:
    """A resolver and the DNS that it asks; names in `dead` are never answered."""

    def __init__(
        self,
        zone: Zone,
        transports: Transports = ALL,
        *,
        randint: Callable[[int, int], int] = min,
        ttl: float = 60.0,
        limits: CacheLimits | None = None,
        **settings: float,
    ) -> None:
        self.zone = zone
        self.ttl = ttl
        self.now = 100.0
        self.wheel = TimerWheel(now=self.now)
        made = ResolverSettings(transports, limits or CacheLimits(), **settings)  # type: ignore[arg-type]
        self.resolver = Resolver(made, self.wheel, randint)
        self.dead: set[str] = set()
        self.asked: list[Question] = []
        self.open: list[Question] = []

    def locate(self, uri: str) -> list[Candidate]:
        """The candidates, after as many rounds of questions as it takes."""
        found = self.begin(uri)
        self.answer_all()
        assert len(found) == 1, f"no candidates for {uri}: {self.open} are open"
        return found[0]

    def begin(self, uri: str) -> list[list[Candidate]]:
        """Look up; the list gets the candidates when they are known."""
        found: list[list[Candidate]] = []
        at_once = self.resolver.locate(Uri.parse(uri.encode()), self.now, lambda got, _: found.append(got))
        if at_once is not None:
            found.append(at_once)
        return found

    def answer_all(self) -> None:
        """Answer everything that is asked, and what is asked then; the dead stay open."""
        while self.take():
            for question in [question for question in self.open if question.name not in self.dead]:
                self.answer(question, self.look_up(question))

    def take(self) -> bool:
        """Fetch the questions; whether there was one."""
        questions = self.resolver.take()
        self.asked += questions
        self.open += questions
        return bool(questions)

    def answer(self, question: Question, answer: Answer) -> None:
        """Answer one question."""
        self.open.remove(question)
        self.resolver.on_answer(question, answer, self.now)

    def look_up(self, question: Question) -> Answer:
        """What the zone says."""
        records = tuple(self.zone.get((question.name, RecordType(question.type).name), ()))
        return Answer(Outcome.FOUND if records else Outcome.NOTHING, records, self.ttl)

    def pass_time(self, seconds: float) -> None:
        """Let time go by."""
        self.now += seconds
        self.wheel.advance(self.now)
