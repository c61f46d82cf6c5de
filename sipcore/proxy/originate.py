"""Sans-IO: requests of our own: the BYE that ends a call, the OPTIONS that keeps a NAT binding open."""

from collections.abc import Callable
from hashlib import blake2b

from sipcore.errors import ParseError
from sipcore.message import Edit, Request, Response, Uri, parse
from sipcore.proxy.listeners import Listeners
from sipcore.proxy.sending import Locates
from sipcore.resolver.locate import Candidate
from sipcore.transaction.key import MAGIC_COOKIE
from sipcore.transaction.layer import TransactionLayer
from sipcore.transport.layer import Hop

Done = Callable[[int, Response | None, float], None]


class Originator:
    """Sends requests that begin here, each in a client transaction, over the addresses that it leads to."""

    def __init__(self, layer: TransactionLayer, listeners: Listeners, resolver: Locates) -> None:
        self._layer = layer
        self._listeners = listeners
        self._resolver = resolver
        self.originated = 0

    def originate(
        self, request: bytes, next_uri: bytes, now: float, done: Done | None = None, hop: Hop | None = None
    ) -> None:
        """Send a request that has no Via yet to `next_uri`, or to `hop` itself.

        `done` gets the final status and its response; 408 or 503 with None when there was none. The Via
        branch follows from the request: who sends the same one again repeats it.
        """
        parsed = parse(_with_via(request, b"SIP/2.0/UDP 0.0.0.0;branch=" + MAGIC_COOKIE))
        assert isinstance(parsed, Request)
        self.originated += 1
        own = Originated(self, parsed, done)
        if hop is None:
            hop = self._listeners.direct(next_uri, 0)
        if hop is not None:
            self.send(own, hop, now)
            return
        try:
            candidates = self._resolver.locate(Uri.parse(next_uri), now, own.located)
        except ParseError:
            candidates = []
        if candidates is not None:
            own.located(candidates, now)

    def send(self, own: "Originated", hop: Hop, now: float) -> None:
        """Write our Via for this hop and send it."""
        digest = blake2b(own.request.raw, digest_size=10).hexdigest().encode()
        via = self._listeners.via[hop.listener] + MAGIC_COOKIE + digest
        edit = Edit(own.request)
        edit.replace_first_value(b"Via", via + b".%d" % own.index if own.index else via)
        self._layer.request(edit.build(), hop, now, own)

    def next(self, own: "Originated", status: int, now: float) -> None:
        """Try the next address; without one it has failed with this status."""
        while own.candidates and self._layer.active:
            own.candidate = own.candidates.pop(0)
            hop = self._listeners.hop(own.candidate, 0)
            if hop is not None:
                self.send(own, hop, now)
                own.index += 1
                return
        own.end(status, None, now)

    def on_response(self, context: object, response: Response, now: float) -> None:
        """A response to one of our own requests."""
        assert isinstance(context, Originated)
        if response.status == 503 and context.candidates:
            self.on_failure(context, 503, now)
        elif response.status >= 200:
            context.end(response.status, response, now)

    def on_failure(self, context: object, status: int, now: float) -> None:
        """One of our own requests had no answer (408) or could not be sent (503)."""
        assert isinstance(context, Originated)
        if context.candidate is not None:
            self._resolver.failed(context.candidate, now)
        self.next(context, status, now)


class Originated:
    """One request of ours until its final response."""

    __slots__ = ("_done", "_owner", "candidate", "candidates", "index", "request")

    def __init__(self, owner: Originator, request: Request, done: Done | None) -> None:
        self.request = request
        self.candidate: Candidate | None = None  # the address that is tried now
        self.candidates: list[Candidate] = []  # still to be tried
        self.index = 0  # addresses tried
        self._owner = owner
        self._done = done

    def located(self, candidates: list[Candidate], now: float) -> None:
        """The resolver has found where it is to go."""
        self.candidates = candidates
        self._owner.next(self, 503, now)

    def end(self, status: int, response: Response | None, now: float) -> None:
        """It is over: tell who asked for it, once."""
        done, self._done = self._done, None
        if done is not None:
            done(status, response, now)


def _with_via(request: bytes, via: bytes) -> bytes:
    start, _, rest = request.partition(b"\r\n")
    return start + b"\r\nVia: " + via + b"\r\n" + rest
