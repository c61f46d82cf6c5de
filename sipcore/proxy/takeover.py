"""Sans-IO: INVITE transactions with their response contexts into records, and back on the new master."""

from math import inf

from sipcore.errors import ParseError
from sipcore.message import Request, parse
from sipcore.proxy.branch import loop_mark
from sipcore.proxy.core import Proxy
from sipcore.proxy.forking import Target
from sipcore.proxy.forward import Forwarded
from sipcore.proxy.record_route import route_information
from sipcore.proxy.response_context import Branch, BranchState, Cancel, ResponseContext
from sipcore.transaction.invite_client import InviteClient
from sipcore.transaction.invite_client import State as ClientState
from sipcore.transaction.invite_server import InviteServer
from sipcore.transaction.replica import WireBranch, WireTarget, WireTransaction


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
            record.groups = [[WireTarget(*target) for target in group] for group in context.groups]
            record.no_answer_in = _remaining(context.no_answer_at, now)
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
        info = route_information(request, self._proxy.is_us)
        tx = self._layer.resume_server(
            request, record.source, state=record.state, response=record.response, status=record.status
        )
        if not request.to_tag and not record.done and not record.answered:
            self._proxy.dialogs.on_invite(request, now)
        if record.branches:
            context = ResponseContext(self._proxy, tx, [], info=info, mark=loop_mark(request))
            self._resume_context(context, record, now)
        tx.resume(now, record.ends_in)

    def _resume_context(self, context: ResponseContext, record: WireTransaction, now: float) -> None:
        context.groups = [[Target(t.uri, t.route, t.received, t.q) for t in group] for group in record.groups]
        context.answered = record.answered
        context.cancelled = record.cancelled
        context.timed_out = record.timed_out
        context.done = record.done
        context.best_status = record.best_status
        context.best = record.best
        context.no_answer_at = _deadline(record.no_answer_in, now)
        for wire in record.branches:
            self._resume_branch(context, wire, now)
        context.arm()

    def _resume_branch(self, context: ResponseContext, wire: WireBranch, now: float) -> None:
        branch = Branch(context, wire.uri, Forwarded(wire.id, wire.data, wire.hop))
        branch.state = BranchState(wire.state)
        branch.status = wire.status
        branch.cancel = Cancel(wire.cancel)
        branch.given_up = wire.given_up
        branch.expires_at = _deadline(wire.expires_in, now)
        context.branches.append(branch)
        if wire.hop is None or wire.client_state is ClientState.TERMINATED:
            return
        tx = self._layer.resume_client(wire.data, wire.hop, state=wire.client_state, context=branch)
        branch.tx = tx
        tx.resume(now)
        if branch.cancel is Cancel.SENT and branch.state is BranchState.PROCEEDING:
            context.send_cancel(branch, now)


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
    )


def _remaining(at: float, now: float) -> float | None:
    return at - now if at < inf else None


def _deadline(remaining: float | None, now: float) -> float:
    return now + remaining if remaining is not None else inf
