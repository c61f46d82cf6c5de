"""Sans-IO: a resolver whose answers a test writes down, and which it may let wait."""

from sipcore.message import Uri
from sipcore.resolver.locate import Candidate, Done


class Names:
    """`places` are the candidates per host; a host in `slow` is answered when the test calls `answer`."""

    def __init__(self, **places: list[Candidate]) -> None:
        self.places = {name.replace("_", ".").encode(): found for name, found in places.items()}
        self.slow: set[bytes] = set()
        self.waiting: list[tuple[bytes, Done]] = []
        self.bad: list[Candidate] = []

    def locate(self, uri: Uri, now: float, done: Done) -> list[Candidate] | None:
        """See Locates."""
        if uri.host in self.slow:
            self.waiting.append((uri.host, done))
            return None
        return list(self.places.get(uri.host, []))

    def failed(self, candidate: Candidate, now: float) -> None:
        """See Locates."""
        self.bad.append(candidate)

    def answer(self, now: float) -> None:
        """The DNS has answered what is asked."""
        waiting, self.waiting = self.waiting, []
        self.slow.clear()
        for host, done in waiting:
            done(list(self.places.get(host, [])), now)


def udp(host: str, port: int = 5060) -> Candidate:
    """A place that is reached over UDP."""
    return Candidate(host, port, "udp")
