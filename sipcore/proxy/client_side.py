"""Sans-IO: the client side of a response context: its branches begin, are cancelled, time out.

RFC 3261 sections 16.6 (steps 7 to 11), 16.8 and 16.10.
"""

from math import inf
from typing import Protocol

from sipcore.message import Response, build_cancel
from sipcore.proxy.admission import Dialogs
from sipcore.proxy.branch import Branch, BranchState, Cancel
from sipcore.proxy.call import Call, Routes
from sipcore.proxy.forking import Target
from sipcore.proxy.max_breadth import max_breadth, share_breadth
from sipcore.proxy.sending import Sending
from sipcore.proxy.settings import ProxySettings
from sipcore.timers import Timer, TimerWheel
from sipcore.transaction.layer import ServerTransaction, TransactionLayer

CALLING, PROCEEDING, FINAL = BranchState


class Services(Protocol):
    """What a response context needs of the proxy."""

    settings: ProxySettings
    layer: TransactionLayer
    wheel: TimerWheel
    routes: Routes
    sending: Sending
    dialogs: Dialogs

    def touch(self, tx: ServerTransaction) -> None:
        """The standby must hear of this transaction."""

    def on_late(self, response: Response, now: float) -> None:
        """A 2xx to INVITE for a caller who has another final response already."""


class ClientSide:
    """Target set and branches of one request; what they come to is `ResponseContext`'s to say."""

    __slots__ = (
        "_armed_at", "_timer", "branches", "call", "groups", "is_invite", "no_answer_at", "request",
        "services", "timed_out", "trying_at",
    )  # fmt: skip

    def __init__(self, services: Services, call: Call) -> None:
        self.services = services
        self.call = call
        self.request = call.request
        self.is_invite = call.request.method == b"INVITE"
        self.groups: list[list[Target]] = []  # still to be tried, one after the other
        self.branches: list[Branch] = []
        self.timed_out = False
        self.no_answer_at = inf  # fr_inv_timer; while a failure route decides: when it must have decided
        self.trying_at = inf  # when a request other than INVITE gets a 100
        self._timer: Timer | None = None
        self._armed_at = inf

    def new_branch(self, target: Target) -> Branch:
        """A branch of this context."""
        raise NotImplementedError

    def consider(self, status: int, data: bytes) -> None:
        """A branch has come to this."""
        raise NotImplementedError

    def step(self, now: float) -> None:
        """Go on to the next group, or answer when there is nothing more to wait for."""
        raise NotImplementedError

    def on_timer(self, now: float) -> None:
        """What `arm` has scheduled."""
        raise NotImplementedError

    # Begin

    def next_group(self, now: float) -> None:
        """Call the targets that come next; the usual request has one and no branch yet."""
        settings = self.services.settings
        group = self.groups.pop(0)
        if len(group) == 1 and not self.branches and b"max-breadth" not in self.request.first_lines:
            branch = self.new_branch(group[0])
            self.branches.append(branch)
            self.begin(branch, now)
        else:
            self._begin_all(group[: max(settings.max_branches - len(self.branches), 0)], now)
        if self.is_invite:
            self.no_answer_at = now + (self.call.fr_inv_timer or settings.no_answer)
        self.step(now)

    def _begin_all(self, group: list[Target], now: float) -> None:
        shares: list[int] = []
        if len(group) > 1 or b"max-breadth" in self.request.first_lines:
            held = sum(branch.breadth for branch in self.branches if branch.state is not FINAL)
            shares, later = share_breadth(max(max_breadth(self.request) - held, 0), group)
            if later and shares:
                self.groups.insert(0, later)
            elif later:
                self.consider(440, b"")  # RFC 5393 section 5.3
            group = group[: len(shares)]
        new = [self.new_branch(target) for target in group]
        for branch, share in zip(new, shares, strict=False):
            branch.breadth = share
        self.branches += new
        for branch in new:
            self.begin(branch, now)

    def begin(self, branch: Branch, now: float) -> None:
        """Locate the target of a branch and send it."""
        services = self.services
        if self.call.branch_route and not services.routes.on_branch(self.call, branch):
            settle(branch, 480)
            self.consider(480, b"")
        else:
            self._locate(branch, now)

    def _locate(self, branch: Branch, now: float) -> None:
        services = self.services
        if services.sending.locate(self.call, branch, now):
            self._send(branch, now)
        else:
            branch.expires_at = now + services.layer.timers.b

    def _send(self, branch: Branch, now: float) -> None:
        """Send it to its hop or its next candidate, section 16.6 steps 10 and 11."""
        services = self.services
        if not services.sending.write(self.call, branch):
            settle(branch, 503)
            self.consider(503, b"")
            return
        assert branch.hop is not None
        branch.state = CALLING
        branch.tx = services.layer.request(branch.data, branch.hop, now, branch, branch=branch.id)
        wait = self.call.fr_timer or (
            services.settings.failover if branch.candidates or branch.spare else 0.0
        )
        if wait:
            branch.expires_at = now + wait
        elif self.is_invite:
            branch.expires_at = now + services.settings.timer_c

    def try_next(self, branch: Branch, now: float) -> bool:
        """Its address has failed: send it to the next one, if there is one."""
        if branch.cancel is not Cancel.NO or branch.given_up or not self.services.sending.again(branch, now):
            return False
        self._let_go(branch)
        self._send(branch, now)
        return branch.state is not FINAL

    def try_flow(self, branch: Branch, now: float) -> bool:
        """Its flow has failed: send it over another one of the same instance, RFC 5626 section 7."""
        if branch.cancel is not Cancel.NO or branch.given_up or not branch.next_flow():
            return False
        self._let_go(branch)
        branch.state = CALLING
        self._locate(branch, now)
        return branch.state is not FINAL

    def try_elsewhere(self, branch: Branch, now: float) -> bool:
        """Nobody was reached: the next address, else another flow."""
        return self.try_next(branch, now) or self.try_flow(branch, now)

    @staticmethod
    def _let_go(branch: Branch) -> None:
        if branch.tx is not None:
            branch.tx.context = None
            branch.tx = None

    # Cancel

    def cancel_others(self, winner: Branch | None, now: float) -> None:
        """Nothing more is wanted of the other branches, nor of the targets that were not tried."""
        self.groups = []
        self.no_answer_at = inf
        if self.is_invite:
            for branch in self.branches:
                if branch is not winner:
                    self.cancel(branch, now)

    def cancel(self, branch: Branch, now: float) -> None:
        """CANCEL it as soon as it has answered at all, section 9.1."""
        if branch.state is FINAL or branch.cancel is not Cancel.NO or not self.is_invite:
            return
        if branch.tx is None:  # not even sent
            settle(branch, 487)
            return
        branch.cancel = Cancel.WANTED
        if branch.state is PROCEEDING:
            self.cancel_now(branch, now)

    def cancel_now(self, branch: Branch, now: float) -> None:
        """It has answered: the CANCEL may leave."""
        branch.cancel = Cancel.SENT
        branch.expires_at = now + 64 * self.services.layer.timers.t1  # section 9.1
        self.send_cancel(branch, now)
        self.arm()

    def send_cancel(self, branch: Branch, now: float) -> None:
        """Send the CANCEL of a branch, for the first time or again after a takeover."""
        assert branch.tx is not None
        self.services.layer.request(build_cancel(branch.tx.request), branch.tx.hop, now)

    # Time

    def expire(self, branch: Branch, now: float) -> None:
        """Timer C or fr_timer of a branch, or the end of the wait for the effect of its CANCEL."""
        branch.expires_at = inf
        if branch.cancel is Cancel.NO and branch.state is PROCEEDING:
            self.timed_out = True  # section 16.8: timer C
            branch.given_up = True
            self.cancel(branch, now)
            return
        tx = branch.tx
        if branch.state is CALLING and self.try_elsewhere(branch, now):
            if tx is not None:
                tx.drop()
            return
        if tx is not None:
            tx.drop()
        settle(branch, 408)
        self.consider(408, b"")

    def arm(self) -> None:
        """One pending timer for all that this context waits for."""
        at = self.no_answer_at
        if self.trying_at < at:  # noqa: PLR1730 - per message: no call of min
            at = self.trying_at
        for branch in self.branches:
            if branch.expires_at < at:  # noqa: PLR1730
                at = branch.expires_at
        if self._timer is not None:
            if self._armed_at <= at < inf:
                return  # it looks again when it fires
            self.services.wheel.cancel(self._timer)
            self._timer = None
        self._armed_at = at
        if at < inf:
            self._timer = self.services.wheel.schedule(at, self.on_timer)


def settle(branch: Branch, status: int) -> None:
    """The branch has its final response, from its target or by our judgement."""
    branch.state = FINAL
    branch.status = status
    branch.expires_at = inf
