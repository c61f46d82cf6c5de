"""Sans-IO: the response context, RFC 3261 section 16.7: branches, best response, timer C, no answer, CANCEL.

Deviations: no recursion on 3xx, no joining of challenges; no 408 to a non-INVITE request (RFC 4320).
"""

from enum import IntEnum
from math import inf
from typing import Protocol

from sipcore.message import Edit, Request, Response, build_cancel, build_response
from sipcore.proxy.branch import own_tag
from sipcore.proxy.forking import Target
from sipcore.proxy.forward import Forwarded
from sipcore.proxy.record_route import RouteInfo
from sipcore.timers import Timer, TimerWheel
from sipcore.transaction.layer import ClientTransaction, ServerTransaction, TransactionLayer

_PREFERRED = frozenset({401, 407, 415, 420, 484})  # section 16.7 step 6: they tell the caller what to change


class BranchState(IntEnum):
    """How far a branch is; the numbers stand on the replication wire and only grow."""

    CALLING = 0
    PROCEEDING = 1
    FINAL = 2


class Cancel(IntEnum):
    """Whether a branch is being cancelled; a CANCEL waits for the first provisional response, section 9.1."""

    NO = 0
    WANTED = 1
    SENT = 2


class Branch:
    """One copy of the request on its way."""

    __slots__ = (
        "cancel", "context", "data", "expires_at", "given_up", "hop", "id", "state", "status", "tx", "uri",
    )  # fmt: skip

    def __init__(self, context: "ResponseContext | None", uri: bytes, forwarded: Forwarded) -> None:
        self.context = context
        self.uri = uri
        self.id, self.data, self.hop = forwarded
        self.state = BranchState.CALLING
        self.status = 0  # of the last response
        self.cancel = Cancel.NO
        self.given_up = False  # nobody answered in time: the next group may ring already
        self.expires_at = inf  # timer C; after a CANCEL the end of the wait for its effect
        self.tx: ClientTransaction | None = None


class Services(Protocol):
    """What a response context needs of the proxy."""

    layer: TransactionLayer
    wheel: TimerWheel
    timer_c: float
    no_answer: float

    def forward(self, context: "ResponseContext", target: Target) -> Forwarded:
        """The copy of the context's request for this target."""

    def touch(self, tx: ServerTransaction) -> None:
        """The standby must hear of this transaction."""

    def on_relayed(self, response: Response, now: float) -> None:
        """A response to INVITE is about to leave towards the caller."""

    def on_failed(self, request: Request, now: float) -> None:
        """An INVITE has ended without a 2xx."""


class ResponseContext:
    """All branches of one request, and the answer that they add up to."""

    __slots__ = (
        "_armed_at", "_timer", "answered", "best", "best_status", "branches", "cancelled", "done", "groups",
        "info", "is_invite", "mark", "no_answer_at", "request", "services", "timed_out", "tx",
    )  # fmt: skip

    def __init__(
        self,
        services: Services,
        tx: ServerTransaction,
        groups: list[list[Target]],
        *,
        info: RouteInfo,
        mark: bytes,
    ) -> None:
        self.services = services
        self.tx = tx
        self.request = tx.request
        self.is_invite = tx.request.method == b"INVITE"
        self.info = info
        self.mark = mark  # first part of its branch ids
        self.groups = groups  # still to be tried, one after the other
        self.branches: list[Branch] = []
        self.best_status = 0
        self.best = b""
        self.answered = False  # a 2xx has gone to the caller
        self.cancelled = False  # the caller has changed its mind
        self.timed_out = False
        self.done = False  # the final response has gone
        self.no_answer_at = inf
        self._timer: Timer | None = None
        self._armed_at = inf
        tx.context = self

    def start(self, now: float) -> None:
        """Call the first group."""
        self._next_group(now)

    # Inputs

    def on_response(self, branch: Branch, response: Response, now: float) -> None:
        """A response of one branch; the numbers are those of the steps in section 16.7."""
        status = response.status
        if status < 200:
            self._on_provisional(branch, response, now)
            return
        first = branch.state is not BranchState.FINAL
        branch.state = BranchState.FINAL
        branch.status = status
        branch.expires_at = inf
        if status < 300:
            self._on_success(branch, response, now)
        elif first:
            if branch.given_up and status == 487:
                self._consider(408, b"")
            else:
                self._consider(status, relayed(response))  # 4
            if status >= 600:  # 5
                self._cancel_others(branch, now)
        self._step(now)

    def on_timeout(self, branch: Branch, now: float) -> None:
        """No response in time: as if a 408 had come, section 16.8."""
        branch.state = BranchState.FINAL
        branch.status = 408
        branch.expires_at = inf
        self._consider(408, b"")
        self._step(now)

    def on_cancel(self, now: float) -> None:
        """The caller cancels, section 16.10."""
        if self.done or self.answered:
            return
        self.cancelled = True
        self.groups = []
        for branch in self.branches:
            self._cancel(branch, now)
        self._step(now)

    def on_timer(self, now: float) -> None:
        """Timer C, the no-answer timer, or the end of the wait for the effect of a CANCEL."""
        self._timer = None
        if self.no_answer_at <= now:
            self.no_answer_at = inf
            self.timed_out = True
            for branch in self.branches:
                branch.given_up = branch.state is not BranchState.FINAL
                self._cancel(branch, now)
        for branch in self.branches:
            if branch.expires_at <= now:
                self._expire(branch, now)
        self._step(now)

    def close(self) -> None:
        """The server transaction has ended: nothing is waited for any more."""
        self.done = True
        self.groups = []
        for branch in self.branches:
            branch.context = None  # the cyclic collector is off
            if branch.tx is not None:
                branch.tx.context = None
                if branch.state is not BranchState.FINAL:
                    branch.tx.drop()
                branch.tx = None
        self.branches = []
        self.no_answer_at = inf
        self.arm()

    # Steps

    def _on_provisional(self, branch: Branch, response: Response, now: float) -> None:
        status = response.status
        if branch.state is BranchState.FINAL:
            return
        branch.state = BranchState.PROCEEDING
        if branch.cancel is Cancel.WANTED:
            self._send_cancel(branch, now)
        if status == 100:  # 5: hop by hop
            return
        branch.status = status
        if self.is_invite and branch.cancel is Cancel.NO:
            branch.expires_at = now + self.services.timer_c  # 2
        if not self.done and not self.answered and not branch.given_up:
            self._relay(response, now)

    def _on_success(self, branch: Branch, response: Response, now: float) -> None:
        if not self.is_invite and self.done:
            return
        self.answered = True
        self.no_answer_at = inf
        self._relay(response, now)  # 5: each 2xx to INVITE goes on at once
        self._cancel_others(branch, now)  # 10

    def _relay(self, response: Response, now: float) -> None:
        if self.is_invite:
            self.services.on_relayed(response, now)
        self.tx.respond(relayed(response), response.status, now, hold=self.is_invite)

    def _step(self, now: float) -> None:
        """Go on to the next group, or answer when there is nothing more to wait for."""
        waiting = [branch for branch in self.branches if branch.state is not BranchState.FINAL]
        if self.answered:
            self.groups = []
            self.done = self.done or not waiting
            if self.done and not self.is_invite:
                self.close()
        elif not self.done and self.groups and all(branch.given_up for branch in waiting):
            self._next_group(now)
            return
        elif not self.done and not waiting:
            self._answer(now)
        if self.is_invite:
            self.services.touch(self.tx)
        self.arm()

    def _next_group(self, now: float) -> None:
        services = self.services
        for target in self.groups.pop(0):
            forwarded = services.forward(self, target)
            branch = Branch(self, target.uri, forwarded)
            self.branches.append(branch)
            if forwarded.hop is None:
                branch.state = BranchState.FINAL
                branch.status = 503  # section 16.9
                self._consider(503, b"")
                continue
            branch.tx = services.layer.request(forwarded.data, forwarded.hop, now, branch)
            if self.is_invite:
                branch.expires_at = now + services.timer_c  # section 16.6 step 11
        if self.is_invite:
            self.no_answer_at = now + services.no_answer
        self._step(now)

    def _consider(self, status: int, data: bytes) -> None:
        """Keep the better response, section 16.7 step 6; b"" stands for one that we make ourselves."""
        if not self.best_status or rank(status, data) < rank(self.best_status, self.best):
            self.best_status = status
            self.best = data

    def _answer(self, now: float) -> None:
        self.done = True
        status, data = self.best_status or 408, self.best
        if self.cancelled and status != 487 and status < 600:
            status, data = 487, b""
        elif status == 503:
            status, data = 500, b""  # the overload is not ours
        elif self.timed_out and not data:
            status = 408
        if not data and status == 408 and not self.is_invite:
            self.tx.drop()
            self.close()
            return
        if self.is_invite:
            self.services.on_failed(self.request, now)
        data = data or build_response(self.request, status, to_tag=own_tag(self.request))
        self.tx.respond(data, status, now, hold=self.is_invite)
        if not self.is_invite:
            self.close()

    def _cancel_others(self, winner: Branch, now: float) -> None:
        self.groups = []
        self.no_answer_at = inf
        if self.is_invite:
            for branch in self.branches:
                if branch is not winner:
                    self._cancel(branch, now)

    def _cancel(self, branch: Branch, now: float) -> None:
        if branch.state is BranchState.FINAL or branch.cancel is not Cancel.NO or not self.is_invite:
            return
        branch.cancel = Cancel.WANTED
        if branch.state is BranchState.PROCEEDING:
            self._send_cancel(branch, now)

    def _send_cancel(self, branch: Branch, now: float) -> None:
        branch.cancel = Cancel.SENT
        branch.expires_at = now + 64 * self.services.layer.timers.t1  # section 9.1
        self.send_cancel(branch, now)
        self.arm()

    def send_cancel(self, branch: Branch, now: float) -> None:
        """Send the CANCEL of a branch, for the first time or again after a takeover."""
        assert branch.tx is not None
        self.services.layer.request(build_cancel(branch.tx.request), branch.tx.hop, now)

    def _expire(self, branch: Branch, now: float) -> None:
        if branch.cancel is Cancel.NO and branch.state is BranchState.PROCEEDING:
            self.timed_out = True  # section 16.8: timer C
            branch.given_up = True
            self._cancel(branch, now)
            return
        if branch.tx is not None:
            branch.tx.drop()
        branch.state = BranchState.FINAL
        branch.status = 408
        branch.expires_at = inf
        self._consider(408, b"")

    def arm(self) -> None:
        """One pending timer for all that this context waits for."""
        at = min((branch.expires_at for branch in self.branches), default=inf)
        at = min(at, self.no_answer_at)
        if self._timer is not None:
            if self._armed_at <= at < inf:
                return  # it looks again when it fires
            self.services.wheel.cancel(self._timer)
            self._timer = None
        self._armed_at = at
        if at < inf:
            self._timer = self.services.wheel.schedule(at, self.on_timer)


def relayed(response: Response) -> bytes:
    """The response without our Via, section 16.7 step 3."""
    edit = Edit(response)
    edit.remove_first_value(b"Via")
    return edit.build()


def rank(status: int, data: bytes) -> tuple[int, int]:
    """Lower is better: 6xx, then the lowest class, there what tells the caller what to change."""
    if status >= 600:
        return 0, 0
    if status in _PREFERRED:
        return status // 100, 0
    return status // 100, 1 if data else 2
