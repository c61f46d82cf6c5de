"""Sans-IO: INVITE transactions with their response contexts into records, and back on the new master."""

from math import inf

from sipcore.dialog.dialog import CONFIRMED_NA
from sipcore.errors import ParseError
from sipcore.message import Request, parse
from sipcore.proxy.branch import Branch, BranchState, Cancel
from sipcore.proxy.branch_id import loop_mark
from sipcore.proxy.call import Call
from sipcore.proxy.core import RECORD_ROUTED, Proxy
from sipcore.proxy.edits import HeaderEdit
from sipcore.proxy.forking import Target
from sipcore.proxy.response_context import ResponseContext
from sipcore.resolver.locate import Candidate
from sipcore.transaction.invite_client import InviteClient
from sipcore.transaction.invite_client import State as ClientState
from sipcore.transaction.invite_server import InviteServer
from sipcore.transaction.invite_server import State as ServerState
from sipcore.transaction.replica import WireBranch, WireCall, WireTarget, WireTransaction


class Takeover:
    """The proxy's INVITE transactions, as replication sees them."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._layer = proxy.layer

    def record(self, key: bytes, now: float) -> WireTransaction | None:
        """The INVITE server transaction of this key as it is now; None when there is none."""
        tx = self._layer.servers.get(key)
        if not isinstance(tx, InviteServer) or tx.ended:
            return None
        record = WireTransaction(
            request=tx.request.raw,
            source=tx.source,
            state=tx.state,
            status=tx.last_status,
            response=tx.last_response,
            ends_in=_remaining(tx.ends_at, now),
        )
        context = tx.context
        if isinstance(context, ResponseContext):
            record.answered = context.answered
            record.cancelled = context.cancelled
            record.timed_out = context.timed_out
            record.done = context.done
            record.best_status = context.best_status
            record.best = context.best
            record.branches = [_wire_branch(branch, now) for branch in context.branches]
            record.groups = [[_wire_target(target) for target in group] for group in context.groups]
            record.no_answer_in = _remaining(context.no_answer_at, now)
            record.call = _wire_call(context.call)
            record.challenges = context.challenges
        return record

    def record_keys(self) -> list[bytes]:
        """The keys of all INVITE server transactions."""
        return [key for key, tx in self._layer.servers.items() if isinstance(tx, InviteServer)]

    def close_all(self) -> None:
        """Wait for nothing any more."""
        for tx in self._layer.servers.values():
            if isinstance(tx.context, ResponseContext):
                tx.context.close()

    def resume(self, record: WireTransaction, now: float) -> None:
        """Go on where another node left off: what may have been lost is sent again at once."""
        request = parse(record.request)
        if not isinstance(request, Request):
            raise ParseError("A record without a request")
        tx = self._layer.resume_server(
            request, record.source, state=record.state, response=record.response, status=record.status
        )
        if not request.to_tag and not record.done and not record.answered:
            self._proxy.dialogs.on_invite(request, now)
        context = None
        if record.branches:
            context = ResponseContext(self._proxy, _call(self._proxy, record, tx, now), tx)
            self._resume_context(context, record, now)
        dialog = self._proxy.dialogs.find(request) if record.state is ServerState.ACCEPTED else None
        tx.resume(now, record.ends_in, acknowledged=dialog is None or dialog.state is not CONFIRMED_NA)
        if context is None:
            if record.state is ServerState.PROCEEDING:  # its route was waiting for something
                self._proxy.route(Call(request, record.source, tx, now), now)
        elif context.call.deciding and not context.done:
            self._proxy.routes.on_failure(context.call)

    def _resume_context(self, context: ResponseContext, record: WireTransaction, now: float) -> None:
        context.groups = [[*_targets(group)] for group in record.groups]
        context.answered = record.answered
        context.cancelled = record.cancelled
        context.timed_out = record.timed_out
        context.done = record.done
        context.best_status = record.best_status
        context.best = record.best
        context.no_answer_at = _deadline(record.no_answer_in, now)
        context.challenges = record.challenges
        for wire in record.branches:
            self._resume_branch(context, wire, now)
        context.arm()

    def _resume_branch(self, context: ResponseContext, wire: WireBranch, now: float) -> None:
        branch = Branch(context, Target(wire.uri, wire.route, wire.received, spare=_targets(wire.spare)))
        branch.id, branch.data, branch.hop = wire.id, wire.data, wire.hop
        branch.index, branch.breadth = wire.index, wire.breadth
        branch.candidates = [Candidate(*candidate) for candidate in wire.candidates]
        branch.edits = [HeaderEdit(*edit) for edit in wire.edits] or None
        branch.state = BranchState(wire.state)
        branch.status = wire.status
        branch.cancel = Cancel(wire.cancel)
        branch.given_up = wire.given_up
        branch.expires_at = _deadline(wire.expires_in, now)
        context.branches.append(branch)
        if wire.hop is None or wire.client_state is ClientState.TERMINATED:
            if branch.state is BranchState.CALLING:
                context.begin(branch, now)  # it was being located
            return
        tx = self._layer.resume_client(wire.data, wire.hop, state=wire.client_state, context=branch)
        branch.tx = tx
        tx.resume(now)
        if branch.cancel is Cancel.SENT and branch.state is BranchState.PROCEEDING:
            context.send_cancel(branch, now)


def _call(proxy: Proxy, record: WireTransaction, tx: InviteServer, now: float) -> Call:
    """The call of a record, with what follows from its request done again."""
    request = tx.request
    call = Call(request, record.source, tx, now)
    proxy.loose_route(call)
    call.mark = loop_mark(request)
    call.record_routed = request.method in RECORD_ROUTED and not request.to_tag
    wire = record.call
    if wire is not None:
        call.uri = wire.uri
        call.values = wire.values
        call.edits = [HeaderEdit(*edit) for edit in wire.edits]
        call.branch_route, call.failure_route = wire.branch_route, wire.failure_route
        call.reply_route, call.deciding = wire.reply_route, wire.deciding
        call.record_routed, call.record_params = wire.record_routed, wire.record_params
        call.path, call.destination, call.user = wire.path, wire.destination, wire.user
        call.fr_timer, call.fr_inv_timer, call.recurse = wire.fr_timer, wire.fr_inv_timer, wire.recurse
    return call


def _wire_call(call: Call) -> WireCall:
    return WireCall(
        uri=call.uri,
        values=call.values,
        edits=[*call.edits],
        branch_route=call.branch_route,
        failure_route=call.failure_route,
        reply_route=call.reply_route,
        deciding=call.deciding,
        record_routed=call.record_routed,
        record_params=call.record_params,
        path=call.path,
        destination=call.destination,
        fr_timer=call.fr_timer,
        fr_inv_timer=call.fr_inv_timer,
        recurse=call.recurse,
        user=call.user,
    )


def _wire_branch(branch: Branch, now: float) -> WireBranch:
    tx = branch.tx
    return WireBranch(
        id=branch.id,
        uri=branch.uri,
        hop=branch.hop,
        data=branch.data,
        state=branch.state,
        client_state=tx.state if isinstance(tx, InviteClient) else ClientState.TERMINATED,
        status=branch.status,
        cancel=branch.cancel,
        given_up=branch.given_up,
        expires_in=_remaining(branch.expires_at, now),
        route=branch.route,
        received=branch.received,
        index=branch.index,
        candidates=[*branch.candidates],
        breadth=branch.breadth,
        edits=[*(branch.edits or ())],
        spare=[_wire_target(target) for target in branch.spare],
    )


def _wire_target(target: Target) -> WireTarget:
    return WireTarget(*target[:4], [_wire_target(spare) for spare in target.spare])


def _targets(wires: list[WireTarget]) -> tuple[Target, ...]:
    return tuple(
        [Target(wire.uri, wire.route, wire.received, wire.q, _targets(wire.spare)) for wire in wires]
    )


def _remaining(at: float, now: float) -> float | None:
    return at - now if at < inf else None


def _deadline(remaining: float | None, now: float) -> float:
    return now + remaining if remaining is not None else inf
