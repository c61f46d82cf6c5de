"""Sans-IO: a record as a standby keeps it until it is master."""

from typing import Generic, TypeVar

Rank = TypeVar("Rank", bound=tuple[int, ...])


class Held(Generic[Rank]):
    """The packed record, with what the merge rule looks at."""

    __slots__ = ("at", "payload", "rank")

    def __init__(self, rank: Rank, payload: bytes, at: float) -> None:
        self.rank = rank  # the greater one wins
        self.payload = payload
        self.at = at  # when its relative times were true
