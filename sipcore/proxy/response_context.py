"""Sans-IO: the response context, RFC 3261 section 16.7: best response, failure route, the caller's CANCEL.

Deviations: the caller does not wait for branches that are cancelled and have never answered (OpenSIPS does
the same); their CANCEL follows when they do, section 9.1.
"""

from math import inf

from sipcore.message import Response, build_response
from sipcore.proxy.best_response import MAX_CHALLENGES, challenges, rank, relayed, with_challenges
from sipcore.proxy.branch import Branch, Cancel
from sipcore.proxy.branch_id import own_tag
from sipcore.proxy.call import Call
from sipcore.proxy.client_side import CALLING, FINAL, PROCEEDING, ClientSide, Services, settle
from sipcore.proxy.forking import Target, serial_groups
from sipcore.proxy.nat import pass_response
from sipcore.proxy.recursion import redirected
from sipcore.proxy.settings import Header
from sipcore.resolver.locate import Candidate
from sipcore.transaction.layer import ServerTransaction


class ResponseContext(ClientSide):
    """All branches of one request, and the answer that they add up to."""

    __slots__ = ("answered", "best", "best_status", "cancelled", "challenges", "done", "tx")

    def __init__(self, services: Services, call: Call, tx: ServerTransaction) -> None:
        super().__init__(services, call)
        self.tx = tx
        self.best_status = 0
        self.best = b""  # b"": one that we make ourselves
        self.challenges: list[tuple[bytes, bytes]] = []  # of all 401 and 407
        self.answered = False  # a 2xx has gone to the caller
        self.cancelled = False  # the caller has changed its mind
        self.done = False  # the final response has gone
        tx.context = self
        call.context = self

    def start(self, groups: list[list[Target]], now: float) -> None:
        """Call the first group; from a failure route: go on with the groups that it has chosen."""
        if self.call.deciding:
            if len(self.branches) >= self.services.settings.max_branches:
                self.finish(now)
                return
            self._forget_failure()
        elif not self.is_invite:
            timers = self.services.layer.timers
            self.trying_at = now + timers.t2 - timers.t1  # RFC 4320 section 4.1: when timer E has grown to T2
        if self.done or self.cancelled:
            return
        self.groups += groups
        self.next_group(now)

    # Inputs

    def on_response(self, branch: Branch, response: Response, now: float) -> None:
        """A response of one branch; the numbers are those of the steps in section 16.7."""
        call = self.call
        if (branch.received is not None or call.destination) and self.services.settings.nat_tests:
            response = pass_response(call, branch, response)
        if call.reply_route and response.status > 100:
            told = self._through_route(response, now)
            if told is None:
                return
            response = told
        status = response.status
        if status < 200:
            self._on_provisional(branch, response, now)
            return
        first = branch.state is not FINAL
        if status == 430 and first and self.try_flow(branch, now):
            return
        settle(branch, status)
        if status < 300:
            self._on_success(branch, response, now)
        elif first:
            if status == 503 and self.try_next(branch, now):
                return
            self._on_failure(branch, response, now)
        self.step(now)

    def on_mangled(self, branch: Branch, status: int, now: float) -> None:
        """Only our Via is left: it MUST NOT be forwarded (step 3); a final one ends its branch as a 502."""
        if status >= 200 and branch.state is not FINAL:
            settle(branch, 502)
            self.consider(502, b"")
            self.step(now)

    def on_timeout(self, branch: Branch, now: float) -> None:
        """No response in time: as if a 408 had come, section 16.8."""
        if branch.state is not FINAL and not (branch.state is CALLING and self.try_elsewhere(branch, now)):
            settle(branch, 408)
            self.consider(408, b"")
            self.step(now)

    def on_transport_error(self, branch: Branch, now: float) -> None:
        """It could not be sent: as if a 503 had come, section 16.9; RFC 5626 section 5.3.1 for a flow."""
        if branch.state is FINAL or self.try_elsewhere(branch, now):
            return
        status = 503
        if branch.received is not None and branch.received.flow:
            status = 430 if branch.received == self.call.info.flow else 480
        settle(branch, status)
        self.consider(status, b"")
        self.step(now)

    def on_located(self, branch: Branch, candidates: list[Candidate], now: float) -> None:
        """The resolver has found where the target of a branch is."""
        if branch.state is not FINAL and branch.tx is None:
            branch.candidates = candidates
            self._send(branch, now)
            self.step(now)

    def on_cancel(self, now: float) -> None:
        """The caller cancels, section 16.10."""
        if self.done or self.answered:
            return
        self.cancelled = True
        self.groups = []
        for branch in self.branches:
            self.cancel(branch, now)
        self.step(now)

    def on_timer(self, now: float) -> None:
        """Timer C, fr_timer, the no-answer timer, the time for 100, or the end of the wait for a CANCEL."""
        self._timer = None
        if self.trying_at <= now:
            self.trying_at = inf
            self.tx.respond(build_response(self.request, 100), 100, now)
        if self.no_answer_at <= now:
            self.no_answer_at = inf
            if self.call.deciding:
                self.finish(now)
                return
            self.timed_out = True
            for branch in self.branches:
                branch.given_up = branch.state is not FINAL
                self.cancel(branch, now)
        for branch in self.branches.copy():
            if branch.expires_at <= now:
                self.expire(branch, now)
        self.step(now)

    def finish(self, now: float) -> None:
        """The failure route has nothing better: the best response goes to the caller."""
        self.call.deciding = ""
        if not self.done:
            self._answer(now)
            self.arm()

    def reply(self, status: int, data: bytes, now: float) -> None:
        """The routes answer themselves; what still rings is cancelled."""
        self.call.deciding = ""
        if self.done or self.answered:
            return
        self.groups = []
        for branch in self.branches:
            self.cancel(branch, now)
        self._finish(status, data, now)
        self.arm()

    def abandon(self, now: float) -> None:
        """The server transaction has ended; what rings still (the caller is gone) is cancelled."""
        for branch in self.branches:
            self.cancel(branch, now)
            if branch.cancel is Cancel.SENT and branch.state is not FINAL and branch.tx is not None:
                self.services.layer.drop_at(branch.tx, branch.expires_at)
        self.close()

    def close(self) -> None:
        """Nothing is waited for any more."""
        self.done = True
        self.groups = []
        self.call.context = None  # the cyclic collector is off
        for branch in self.branches:
            branch.context = None
            if branch.tx is None or (branch.state is not FINAL and branch.cancel is not Cancel.NO):
                continue  # its transaction ends by itself; a CANCEL that it waits for: Proxy.on_response
            branch.tx.context = None
            if branch.state is not FINAL:
                branch.tx.drop()
            branch.tx = None
        self.branches = []
        self.no_answer_at = self.trying_at = inf
        self.arm()

    # Steps

    def _through_route(self, response: Response, now: float) -> Response | None:
        self.call.now = now
        told = self.services.routes.on_reply(self.call, response)
        return told if told is not None or response.status < 200 else response

    def _on_provisional(self, branch: Branch, response: Response, now: float) -> None:
        status = response.status
        if branch.state is FINAL:
            return
        branch.state = PROCEEDING
        if branch.cancel is Cancel.WANTED:
            self.cancel_now(branch, now)
        if not self.is_invite:
            branch.expires_at = inf  # it lives: timer F ends it
            return  # RFC 4320 section 4.1: nothing but 100, and that in its time
        if branch.cancel is Cancel.NO and (
            status > 100 or self.call.fr_timer or branch.candidates or branch.spare
        ):
            branch.expires_at = now + self.services.settings.timer_c  # 2
        if status == 100:  # 5: hop by hop
            return
        branch.status = status
        if not self.done and not self.answered and not branch.given_up:
            self._relay(branch, response, now)

    def _on_success(self, branch: Branch, response: Response, now: float) -> None:
        if self.done and not self.answered:
            if self.is_invite:
                self.services.on_late(response, now)
            return
        if self.answered and not self.is_invite:
            return
        self.answered = True
        self.no_answer_at = inf
        self.call.deciding = ""
        self._relay(branch, response, now)  # 5: each 2xx to INVITE goes on at once
        self.cancel_others(branch, now)  # 10

    def _on_failure(self, branch: Branch, response: Response, now: float) -> None:
        status = response.status
        if branch.given_up and status == 487:
            self.consider(408, b"")
        elif status >= 400 or not self._recurse(response):
            if status in (401, 407) and len(self.challenges) < MAX_CHALLENGES:
                self.challenges += challenges(response)
            self.consider(status, relayed(response))
        if status >= 600:  # 5
            self.cancel_others(branch, now)

    def _recurse(self, response: Response) -> bool:
        """4: try the targets of a 3xx; True when it need not go to the caller."""
        call, settings = self.call, self.services.settings
        wanted = settings.recurse if call.recurse is None else call.recurse
        room = settings.max_branches - len(self.branches) - sum(map(len, self.groups))
        if not wanted or self.done or self.answered or self.cancelled or room < 1:
            return False
        known = {branch.uri for branch in self.branches} | {t.uri for group in self.groups for t in group}
        targets, complete = redirected(response, known)
        self.groups[:0] = serial_groups(targets, room) if targets else []
        return bool(targets) and complete and len(targets) <= room

    def _relay(self, branch: Branch, response: Response, now: float) -> None:
        headers: tuple[Header, ...] = ()
        if self.is_invite or self.request.method == b"UPDATE":
            headers = self.services.dialogs.on_response(response, now, self.request, branch.hop)
        self.tx.respond(relayed(response, headers), response.status, now, hold=self.is_invite)

    def step(self, now: float) -> None:
        """Go on to the next group, or answer when there is nothing more to wait for."""
        waiting = self.branches
        if len(waiting) != 1 or waiting[0].state is FINAL or waiting[0].cancel is Cancel.WANTED:
            waiting = [b for b in waiting if b.state is not FINAL and b.cancel is not Cancel.WANTED]
        if self.answered:
            self.groups = []
            self.done = self.done or not waiting
            if self.done and not self.is_invite:
                self.close()
        elif not self.done and self.groups and all(branch.given_up for branch in waiting):
            self.next_group(now)
            return
        elif not self.done and not waiting and (self.cancelled or not self.call.deciding):
            self._decide(now)
        if self.is_invite:
            self.services.touch(self.tx)
        self.arm()

    def new_branch(self, target: Target) -> Branch:
        """A branch of this context."""
        return Branch(self, target)

    def consider(self, status: int, data: bytes) -> None:
        """Keep the better response, section 16.7 step 6; b"" stands for one that we make ourselves."""
        if not self.best_status or rank(status, data) < rank(self.best_status, self.best):
            self.best_status = status
            self.best = data

    def _decide(self, now: float) -> None:
        call = self.call
        if not call.failure_route or self.cancelled:
            self._answer(now)
            return
        call.deciding, call.failure_route = call.failure_route, ""
        call.now = now
        self.no_answer_at = now + 64 * self.services.layer.timers.t1
        self.services.routes.on_failure(call)

    def _forget_failure(self) -> None:
        self.call.deciding = ""
        self.best_status, self.best = 0, b""  # the failure route has seen it
        self.challenges.clear()
        self.timed_out = False

    def _answer(self, now: float) -> None:
        status, data = self.best_status or 408, self.best
        if self.cancelled and status != 487 and status < 600:
            status, data = 487, b""
        elif status == 503:
            status, data = 500, b""  # the overload is not ours
        elif self.timed_out and not data:
            status = 408
        elif status in (401, 407) and data and len(self.challenges) > 1:
            data = with_challenges(data, self.challenges)
        if not data and status == 408 and not self.is_invite:
            self.tx.drop()  # RFC 4320 section 4.2
            self.close()
            return
        self._finish(status, data, now)

    def _finish(self, status: int, data: bytes, now: float) -> None:
        self.done = True
        self.no_answer_at = inf
        self.call.deciding = ""
        data = data or build_response(self.request, status, to_tag=own_tag(self.request))
        self.tx.respond(data, status, now, hold=self.is_invite)
        if not self.is_invite:
            self.close()


def has_way_back(response: Response) -> bool:
    """Whether there is a Via under ours, in a line of its own or in ours."""
    head, line = response.head, response.first_lines[b"via"]
    # as nearly always: on the line under ours
    return head[(head.index(line) + 1) % len(head)].startswith(b"Via: ") or response.has_more_than_one(b"via")
