"""Sans-IO: what every route has at hand, whatever called it."""

from sipcore.script.services import Services


class Context:
    """A call or an event: the first argument of every function of a script."""

    __slots__ = ("services",)

    def __init__(self, services: Services) -> None:
        self.services = services

    @property
    def now(self) -> float:
        """Monotonic seconds: when what the route works on came, or when it was last resumed."""
        raise NotImplementedError

    @now.setter
    def now(self, value: float) -> None:
        raise NotImplementedError

    @property
    def key(self) -> str:
        """What a log line names it by."""
        raise NotImplementedError
