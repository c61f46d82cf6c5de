"""A wire between SIP nodes in virtual time: no sockets, no sleeps; it can lose datagrams."""

import heapq
from collections.abc import Callable
from itertools import count
from typing import Protocol

from sipcore.message import Request, build_response, parse
from sipcore.transport.layer import Hop, Send

REPEAT = 0.5  # seconds


class SipNode(Protocol):
    """What the wire needs of a phone or of a core."""

    outbox: list[Send]

    @property
    def deadline(self) -> float | None: ...

    def feed(self, data: bytes, source: Hop, now: float) -> None: ...

    def on_timer(self, now: float) -> None: ...


class SipWire:
    """Carries datagrams; `lost` decides what the wire drops, `seen` is all that was sent."""

    def __init__(self, latency: float = 0.001) -> None:
        self.now = 0.0
        self.lost: Callable[[bytes, Hop], bool] = lambda data, to: False
        self.seen: list[tuple[float, str, bytes]] = []
        self._latency = latency
        self._nodes: dict[Hop, SipNode] = {}
        self._flying: list[tuple[float, int, Hop, Hop, bytes]] = []
        self._order = count()

    def plug(self, hop: Hop, node: SipNode) -> None:
        """Put a node at an address; one that is there already is unplugged."""
        self._nodes[hop] = node

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        self._collect()
        while (at := self._next()) is not None and at <= end:
            self.now = max(self.now, at)
            self._deliver()
            for node in self._nodes.values():
                if (due := node.deadline) is not None and due <= self.now:
                    node.on_timer(self.now)
            self._collect()
        self.now = end

    def sent(self, start: bytes) -> list[bytes]:
        """All datagrams so far that begin with this text."""
        return [data for _, _, data in self.seen if data.startswith(start)]

    def _next(self) -> float | None:
        times = [due for node in self._nodes.values() if (due := node.deadline) is not None]
        times += [self._flying[0][0]] if self._flying else []
        return min(times, default=None)

    def _collect(self) -> None:
        for source, node in self._nodes.items():
            for data, to, _hold in node.outbox:
                self.seen.append((self.now, f"{to.host}:{to.port}", data))
                if not self.lost(data, to):
                    heapq.heappush(
                        self._flying, (self.now + self._latency, next(self._order), source, to, data)
                    )
            node.outbox.clear()

    def _deliver(self) -> None:
        while self._flying and self._flying[0][0] <= self.now:
            _, _, source, to, data = heapq.heappop(self._flying)
            node = self._nodes.get(Hop(to.host, to.port))
            if node is not None:
                node.feed(data, Hop(source.host, source.port), self.now)


class Answering:
    """A node that answers each INVITE with the same final response until it is acknowledged; nothing else."""

    def __init__(self, status: int, *headers: tuple[bytes, bytes]) -> None:
        self.outbox: list[Send] = []
        self.deadline: float | None = None
        self._status = status
        self._headers = headers
        self._answer: Send | None = None

    def feed(self, data: bytes, source: Hop, now: float) -> None:
        """A message."""
        message = parse(data)
        if not isinstance(message, Request):
            return
        if message.method == b"INVITE":
            answer = build_response(message, self._status, to_tag=b"answering", headers=self._headers)
            self._answer = Send(answer, source)
            self.on_timer(now)
        elif message.method == b"ACK":
            self._answer = self.deadline = None

    def on_timer(self, now: float) -> None:
        """Its ACK has not come."""
        if self._answer is not None:
            self.outbox.append(self._answer)
            self.deadline = now + REPEAT
