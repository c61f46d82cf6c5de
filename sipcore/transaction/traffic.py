"""Sans-IO: how many messages of which kind have passed: whole numbers that only grow."""

from sipcore.message.status import METHODS

OTHER = b"other"  # stands for methods that we do not know, so that strangers do not make the table grow
MAX_REASONS = 64
_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx", "6xx")


class Traffic:
    """Counters of one node; the fast path adds to them and nothing else."""

    __slots__ = ("_other_reasons", "requests", "resent", "responses", "retransmissions", "sent", "unreadable")

    def __init__(self) -> None:
        self.requests = dict.fromkeys((*sorted(METHODS), OTHER), 0)  # received, by method
        self.responses = [0] * 7  # received, by class; the first place stays empty
        self.sent = [0] * 7  # responses that server transactions sent
        self.retransmissions = 0  # requests that came again
        self.resent = 0  # what timers A, E and G sent again
        self.unreadable: dict[str, int] = {}  # by reason
        self._other_reasons = 0

    def on_unreadable(self, reason: str) -> None:
        """A message was refused by the parser."""
        if reason in self.unreadable:
            self.unreadable[reason] += 1
        elif len(self.unreadable) < MAX_REASONS:
            self.unreadable[reason] = 1
        else:
            self._other_reasons += 1

    def rows(self) -> dict[str, object]:
        """For an operator."""
        unreadable = dict(self.unreadable)
        if self._other_reasons:
            unreadable["other"] = self._other_reasons
        return {
            "requests_received": {method.decode(): count for method, count in self.requests.items()},
            "responses_received": dict(zip(_CLASSES, self.responses[1:], strict=True)),
            "responses_sent": dict(zip(_CLASSES, self.sent[1:], strict=True)),
            "retransmissions_received": self.retransmissions,
            "retransmissions_sent": self.resent,
            "parse_errors": unreadable,
        }
