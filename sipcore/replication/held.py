"""Sans-IO: a record as a standby keeps it until it is master."""


class Held:
    """The packed record, with what the merge rule looks at."""

    __slots__ = ("at", "payload", "rank")

    def __init__(self, rank: tuple[int, int], payload: bytes, at: float) -> None:
        self.rank = rank  # epoch, state
        self.payload = payload
        self.at = at  # when its relative times were true
