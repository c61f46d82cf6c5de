"""Sans-IO: forwarding without a transaction, RFC 3261 section 16.11: ACK, stray responses, lone CANCEL."""

from math import inf

from sipcore.errors import ParseError
from sipcore.message import Request, Response, Via, build_cancel, build_response
from sipcore.proxy.best_response import relayed
from sipcore.proxy.branch import Branch
from sipcore.proxy.branch_id import is_own_branch, loop_mark, own_tag
from sipcore.proxy.call import Call
from sipcore.proxy.forking import Target
from sipcore.proxy.listeners import Listeners
from sipcore.proxy.sending import Sending
from sipcore.resolver.locate import Candidate
from sipcore.transaction.layer import TransactionLayer
from sipcore.transport.layer import Hop, Send, may_answer, response_hop


class Stateless:
    """Sends on what has no transaction here, with the branches that the stateful way would have used."""

    def __init__(self, layer: TransactionLayer, listeners: Listeners, sending: Sending) -> None:
        self._layer = layer
        self._listeners = listeners
        self._sending = sending
        self.dropped = 0  # messages that lead nowhere: strangers' responses, ACKs without a way
        self.stray_responses = 0  # that were passed on
        self.strays_until = -inf
        self._unheard_until = -inf

    def relay(self, call: Call, groups: list[list[Target]], now: float) -> bool:
        """A request to all of its targets; False when none of them can be reached."""
        call.mark = call.mark or loop_mark(call.request)
        sent = False
        for group in groups:
            for target in group:
                branch = _Unanswered(self, call, target)
                known = self._sending.locate(call, branch, now)
                sent = not known or self.send(call, branch) or sent
        if not sent and call.request.method == b"ACK":
            self.dropped += 1
        return sent

    def send(self, call: Call, branch: Branch) -> bool:
        """Its address is known, or it leads nowhere (False)."""
        if not self._sending.write(call, branch):
            return False
        assert branch.hop is not None
        self._layer.outbox.append(Send(branch.data, branch.hop))
        return True

    def on_located(self, call: Call, branch: Branch) -> None:
        """The resolver has found where a request is to go."""
        if self._layer.active and not self.send(call, branch):
            self.dropped += 1

    def reply(self, request: Request, status: int, hop: Hop) -> None:
        """An answer that is not kept for retransmissions."""
        self._layer.outbox.append(Send(build_response(request, status, to_tag=own_tag(request)), hop))

    def cancel(self, branch: Branch, now: float) -> None:
        """CANCEL a branch whose caller has long been answered; it may hold its transaction for 64*T1 more."""
        tx = branch.tx
        if tx is None:
            return
        self._layer.request(build_cancel(tx.request), tx.hop, now)
        self._layer.drop_at(tx, now + 64 * self._layer.timers.t1)

    def on_takeover(self, now: float) -> None:
        """The dead master's transactions were not all replicated: for a while strays are passed on."""
        t1 = self._layer.timers.t1
        self.strays_until = now + 64 * t1
        self._unheard_until = now + 4 * t1

    def comes_again(self, response: Response, now: float) -> bool:
        """Whether this node will soon know the INVITE of a stray response, which comes once more then.

        The master died before the standby heard of the INVITE, so its caller has not even had a 100: he sends
        it again, in the same branch, and the callee answers it again. Passed on now, the response would get
        by the failure route and the other branches.
        """
        if now >= self._unheard_until or response.method != b"INVITE":
            return False
        via = second_via(response)
        return via is not None and via.transport.upper() == b"UDP"

    def on_response(self, response: Response) -> bool:
        """Pass a response on by its second Via, sections 16.7 and 16.11, if its first one is ours."""
        via = response.top_via
        listener = self._listeners.index_of(via.host, via.port, via.transport.decode("latin-1").lower())
        next_via = second_via(response)
        hop = None
        # RFC 6026 section 7.3 would have it dropped; after a takeover it may be one that the caller waits for
        key = self._sending.key
        if listener is not None and next_via is not None and is_own_branch(response, next_via, key):
            hop = self._hop(next_via, listener)
        if hop is None or not may_answer(hop):
            self.dropped += 1
            return False
        self.stray_responses += 1
        self._layer.outbox.append(Send(relayed(response), hop, hold=response.method == b"INVITE"))
        return True

    def _hop(self, via: Via, listener: int) -> Hop | None:
        hop = response_hop(via, listener)
        return self._listeners.hop(Candidate(hop.host, hop.port, hop.transport), listener)


class _Unanswered(Branch):
    """A copy that no transaction waits for."""

    __slots__ = ("_call", "_stateless")

    def __init__(self, stateless: Stateless, call: Call, target: Target) -> None:
        super().__init__(None, target)
        self._call = call
        self._stateless = stateless

    def located(self, candidates: list[Candidate], now: float) -> None:
        """The resolver has found where the target is."""
        self.candidates = candidates
        self._stateless.on_located(self._call, self)


def second_via(response: Response) -> Via | None:
    """The Via under the topmost one; None when there is none, or none that can be read."""
    values = response.values(b"via")
    try:
        return Via.parse(values[1]) if len(values) > 1 else None
    except ParseError:
        return None
