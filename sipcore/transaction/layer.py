"""Sans-IO: the transaction layer, RFC 3261 section 17: finds the transaction of a message, makes new ones."""

import re
from collections.abc import Callable
from typing import ClassVar

from sipcore.message import Request, Response, build_response, parse
from sipcore.timers import TimerWheel
from sipcore.transaction.invite_client import InviteClient
from sipcore.transaction.invite_client import State as ClientState
from sipcore.transaction.invite_server import InviteServer
from sipcore.transaction.invite_server import State as ServerState
from sipcore.transaction.key import client_key, server_key, server_key_of
from sipcore.transaction.machine import ClientTransaction, ServerTransaction, Transaction, TransactionUser
from sipcore.transaction.non_invite_client import NonInviteClient
from sipcore.transaction.non_invite_server import NonInviteServer
from sipcore.transaction.reunion import Reunion
from sipcore.transaction.timers import TimerValues
from sipcore.transaction.traffic import OTHER, Traffic
from sipcore.transport.layer import Hop, Send, default_port, may_answer, receive_fixup, response_hop

__all__ = ["ClientTransaction", "ServerTransaction", "TransactionLayer", "TransactionUser"]

Observer = Callable[[ServerTransaction, float], None]
Address = tuple[str, int]
_OUR_BRANCH = re.compile(rb"\r\nVia: [^\r]*?;branch=([^;, \t\r]++)")
RETRY_AFTER = 5  # seconds, when there are too many transactions


class TransactionLayer:
    """The transactions of one node.

    What is to be sent is appended to `outbox` (the same list for ever: take its content, then clear it).
    `user` may be set after the layer was made, as the two know each other. `observer` is called after an
    INVITE server transaction has moved, also when it has ended.
    """

    def __init__(
        self,
        *,
        user: TransactionUser | None = None,
        wheel: TimerWheel,
        outbox: list[Send],
        timers: TimerValues | None = None,
        observer: Observer | None = None,
        limit: int = 100_000,
    ) -> None:
        if user is not None:
            self.user = user
        self.wheel = wheel
        self.outbox = outbox
        self.timers = timers or TimerValues()
        self.observer = observer
        self.limit = limit  # server transactions; a request above it gets 503
        self.overloaded = 0  # requests that got it
        self.active = True  # False on a BACKUP: nothing may be sent
        self.on_answered: Callable[[ServerTransaction], None] | None = None  # see `answered`
        self.given: dict[bytes, bytes] = {}  # answers of the master before this one, by key of their request
        self.traffic = Traffic()
        self.servers: dict[bytes, ServerTransaction] = {}
        self.clients: dict[bytes, ClientTransaction] = {}
        self.reunion = Reunion(self)
        self._connected: dict[Address, dict[bytes, ClientTransaction]] = {}  # those that use a connection

    user: TransactionUser
    _INVITE_OF: ClassVar[dict[bytes, bytes]] = {b"ACK": b"INVITE"}

    def __len__(self) -> int:
        return len(self.servers) + len(self.clients)

    def receive(self, message: Request | Response, source: Hop, now: float) -> None:
        """A message from the network; `source` is where it came from and the listener it came to."""
        if isinstance(message, Response):
            self.traffic.responses[message.status // 100] += 1
            tx = self.clients.get(client_key(message.branch, message.method))
            if tx is None:
                self.user.on_response(None, message, now)
            else:
                tx.on_response(message, now)
        else:
            self._receive_request(message, source, now)

    def request(
        self, data: bytes, hop: Hop, now: float, context: object = None, *, branch: bytes = b""
    ) -> ClientTransaction:
        """Send a request (never an ACK) in a transaction of its own; our Via, with its branch, is on top.

        `branch` for who knows it.
        """
        method = data[: data.index(b" ")]
        key = client_key(branch or top_branch(data), method)
        tx: ClientTransaction
        if method == b"INVITE":
            tx = InviteClient(self, key, hop, data=data)
        else:
            tx = NonInviteClient(self, key, hop, method=method, data=data)
        tx.context = context
        self._add_client(tx)
        tx.start(now)
        return tx

    def resume_server(
        self, request: Request, source: Hop, *, state: ServerState, response: bytes, status: int
    ) -> InviteServer:
        """Make an INVITE server transaction as another node left it; `resume` on it sets it going."""
        key = server_key(request, b"INVITE")
        hop = reply_hop(request, source)
        tx = InviteServer(self, key, hop, request=request, source=source, state=state)
        tx.last_response = response
        tx.last_status = status
        tx.hold = True
        self.servers[key] = tx
        if source.flow:
            self.reunion.expect(tx)
        return tx

    def resume_client(
        self, data: bytes, hop: Hop, *, state: ClientState, context: object = None
    ) -> InviteClient:
        """Make an INVITE client transaction as another node left it; `resume` on it sets it going."""
        key = client_key(top_branch(data), b"INVITE")
        tx = InviteClient(self, key, hop, data=data, state=state)
        tx.context = context
        self._add_client(tx)
        return tx

    def on_transport_error(self, data: bytes, hop: Hop, now: float) -> None:
        """What could not be sent: its transaction hears of it, sections 8.1.3.1 and 17.2.4.

        Unless its phone has connected anew, or is about to.
        """
        tx: Transaction | None
        if data.startswith(b"SIP/2.0 "):
            response = parse(data)
            tx = self.servers.get(server_key_of(response.top_via, response.method))
        elif b"\r\nVia: " not in data:
            return  # a keepalive
        else:
            method = data[: data.index(b" ")]
            tx = self.clients.get(client_key(top_branch(data), self._INVITE_OF.get(method, method)))
        if tx is None:
            return
        if hop.flow and tx.hop.flow and tx.hop.flow != hop.flow:
            tx.send_again()
        elif not self.reunion.waits(tx, now):
            tx.on_transport_error(now)

    def on_flow_closed(self, hop: Hop, now: float) -> None:
        """A connection has ended: what waits for an answer over it has failed, section 8.1.3.1.

        Who rings already goes on: its answer may come over a new connection.
        """
        waiting = self._connected.get((hop.host, hop.port))
        for tx in list(waiting.values()) if waiting is not None else ():
            used = tx.hop
            if used.transport != hop.transport:
                continue
            if used.flow == hop.flow or (not used.flow and used.name in ("", hop.name)):
                tx.on_transport_error(now)

    def on_flow_moved(self, old: Hop, new: Hop) -> None:
        """A phone has connected anew: its CANCEL, its ACK go over the new connection."""
        waiting = self._connected.get((old.host, old.port))
        for tx in list(waiting.values()) if waiting is not None else ():
            if tx.hop.flow == old.flow:
                self._forget_connected(tx)
                tx.hop = new
                self._add_client(tx)
        self.reunion.on_flow_moved(old, new)

    def drop_at(self, tx: Transaction, at: float) -> None:
        """End a transaction that nobody waits for any more at this time."""
        self.wheel.schedule(at, lambda _: tx.drop())

    def silence(self) -> None:
        """Forget every transaction: no timer fires, nothing is sent any more."""
        self.active = False
        self.reunion.end()
        for tx in (*self.servers.values(), *self.clients.values()):
            tx.drop()

    def lives(self, tx: Transaction) -> bool:
        """Whether it has not ended."""
        return self.servers.get(tx.key) is tx or self.clients.get(tx.key) is tx

    def forget(self, tx: Transaction) -> None:
        """Called by a transaction that has ended."""
        table = self.servers if isinstance(tx, ServerTransaction) else self.clients
        if table.get(tx.key) is tx:
            del table[tx.key]
            if tx.reliable and table is self.clients:
                self._forget_connected(tx)
        tx.context = None  # breaks the circle of transaction and user: the cyclic collector is off

    def moved(self, tx: ServerTransaction, now: float) -> None:
        """Called by an INVITE server transaction after each step."""
        if self.observer is not None:
            self.observer(tx, now)

    def answered(self, tx: ServerTransaction) -> None:
        """Called by a transaction other than INVITE that has its final answer and may have to repeat it."""
        if self.on_answered is not None:
            self.on_answered(tx)

    def _add_client(self, tx: ClientTransaction) -> None:
        self.clients[tx.key] = tx
        if tx.reliable:
            self._connected.setdefault((tx.hop.host, tx.hop.port), {})[tx.key] = tx

    def _forget_connected(self, tx: Transaction) -> None:
        address = tx.hop.host, tx.hop.port
        waiting = self._connected.get(address)
        if waiting is not None:
            waiting.pop(tx.key, None)
            if not waiting:
                del self._connected[address]

    def _receive_request(self, request: Request, source: Hop, now: float) -> None:
        method = request.method
        counts = self.traffic.requests
        counts[method if method in counts else OTHER] += 1
        key = server_key(request, self._INVITE_OF.get(method, method))
        tx = self.servers.get(key)
        if tx is not None:
            self.traffic.retransmissions += method != b"ACK"
            hop = tx.hop
            if source.flow != hop.flow and source.host == hop.host:  # the phone has connected anew
                tx.hop = reply_hop(request, source)
            tx.on_request(request, source, now)
            return
        invite = self.servers.get(server_key(request, b"INVITE")) if method == b"CANCEL" else None
        request = with_received(request, source)
        if method == b"ACK":
            self.user.on_request(request, source, None, now)
            return
        hop = reply_hop(request, source)
        if self.given and key in self.given:
            self.traffic.retransmissions += 1
            self.outbox.append(Send(self.given[key], hop))
            return
        if len(self.servers) >= self.limit and method != b"CANCEL":
            self._refuse(request, hop)
            return
        kind = InviteServer if method == b"INVITE" else NonInviteServer
        tx = self.servers[key] = kind(self, key, hop, request=request, source=source)
        if method == b"CANCEL":
            self.user.on_cancel(request, source, tx, invite, now)
        else:
            self.user.on_request(request, source, tx, now)

    def _refuse(self, request: Request, hop: Hop) -> None:
        self.overloaded += 1
        headers = ((b"Retry-After", b"%d" % RETRY_AFTER),)  # section 21.5.4
        self.outbox.append(Send(build_response(request, 503, to_tag=b"overload", headers=headers), hop))


def with_received(request: Request, source: Hop) -> Request:
    """The request with `received` and `rport` in its top Via where needed, section 18.2.1, RFC 3581."""
    via, line = request.top_via, request.first_lines.get(b"via", b"")
    if line.endswith(b";rport") and via.host and b"," not in line and b"received" not in via.params:
        # as most phones write it
        host, port = source.host.encode(), b"%d" % source.port
        via.params[b"rport"], via.params[b"received"] = port, host
        request.put_via_line(line + b"=%b;received=%b" % (port, host))
        return request
    text = receive_fixup(request, source)
    if text is not None:
        request.put_top_via(request.top_via, text)
    return request


def reply_hop(request: Request, source: Hop) -> Hop:
    """Where responses to a request go, section 18.2.2; to its source when the Via asks for nonsense.

    Over a connection: back over it, and if it is gone to the source's address at the port of sent-by.
    """
    if source.flow:
        port = request.top_via.port or default_port(source.transport)
        return Hop(source.host, port, source.listener, source.transport, source.flow)
    via = request.top_via
    if b"rport" in via.params and b"maddr" not in via.params:
        return source  # what with_received has written there
    hop = response_hop(via, source.listener)
    if hop.host != source.host and not may_answer(hop):
        return source
    return hop._replace(transport=source.transport)


def top_branch(data: bytes) -> bytes:
    """The branch of our own top Via in a request that we wrote: that of the first Via line."""
    found = _OUR_BRANCH.search(data)
    assert found is not None
    return found[1]
