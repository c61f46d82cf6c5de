"""Sans-IO: the SIP core of one node: its layers put together, datagrams in, datagrams out."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain

from sipcore.auth.digest import DigestAuth
from sipcore.default_routes import DefaultRoutes, Registers
from sipcore.dialog.keeper import Keeper
from sipcore.dialog.replica import DialogReplica
from sipcore.dialog.table import DialogTable
from sipcore.errors import ParseError
from sipcore.location.table import LocationTable
from sipcore.message import Request, build_response, parse
from sipcore.proxy import Proxy, ProxySettings
from sipcore.proxy.branch import has_other_way
from sipcore.proxy.branch_id import own_tag
from sipcore.proxy.sending import Locates
from sipcore.proxy.takeover import Takeover
from sipcore.replication.capability import Capability
from sipcore.replication.journal import Journal
from sipcore.role import Role, RoleGate
from sipcore.timers import TimerWheel
from sipcore.transaction.answers import AnswerReplica
from sipcore.transaction.layer import (
    ClientTransaction,
    ServerTransaction,
    TransactionLayer,
    reply_hop,
    with_received,
)
from sipcore.transaction.replica import TransactionReplica
from sipcore.transaction.timers import TimerValues
from sipcore.transport.layer import Hop, Send, may_answer

MAX_QUEUE = 256  # datagrams that a BACKUP keeps
MAX_AGE = 0.5  # seconds that it keeps them


class SipCore:
    """Registrar, proxy, dialogs and transactions of one node behind `feed`, `on_timer`, `deadline`, `take`.

    After each batch of `feed`, and after `on_timer` and `on_role`, the shell flushes the journal, takes
    what is to be sent and lets the answers with `hold` wait for the standby. `wheel` is the one that
    location and dialogs use too. The replication link needs `capabilities` beside that of the location
    table; the core registers its own in the journal. `auth` says who our users are (404 or 480), and
    challenges them if the settings ask for it. `proxy.routes` decide what becomes of a request: those of
    `default_routes`, until others are put there.
    """

    def __init__(  # noqa: PLR0917 - the parts, in the order in which the shell makes them
        self,
        settings: ProxySettings,
        gate: RoleGate,
        location: LocationTable,
        registrar: Registers,
        dialogs: DialogTable,
        journal: Journal,
        *,
        wheel: TimerWheel,
        auth: DigestAuth | None = None,
        timers: TimerValues | None = None,
        resolver: Locates | None = None,
    ) -> None:
        self.gate = gate
        self.location, self.registrar = location, registrar
        self.dialogs = dialogs
        self.wheel = wheel
        self.outbox: list[Send] = []
        self.layer = TransactionLayer(
            wheel=wheel, outbox=self.outbox, timers=timers, limit=settings.max_transactions
        )
        self.proxy = proxy = Proxy(
            settings, self.layer, location, dialogs=dialogs, journal=journal, auth=auth, resolver=resolver
        )
        self.layer.user = proxy
        proxy.routes = DefaultRoutes(proxy, registrar)
        self._introduce()
        self.keeper = Keeper(dialogs, gate, proxy.originator, proxy.cancel_invite)
        self._transactions = TransactionReplica(gate, Takeover(self.proxy))
        self._dialogs = DialogReplica(gate, dialogs)
        self._answers = AnswerReplica(gate, journal, self.layer)
        self.capabilities: tuple[Capability, ...] = (self._dialogs, self._transactions, self._answers)
        for capability in self.capabilities:
            journal.register(capability)
        self.followers: list[Callable[[Role, float], None]] = []  # who else hears of a new role, last
        self._queue: deque[tuple[float, bytes, Hop]] = deque()
        self._is_master = gate.is_master
        self.received = self.bad = self.transport_errors = 0  # datagrams; not SIP; messages that came back
        self.aged_out = self.muted = 0  # what came to a BACKUP and had no time to wait; what it did not send

    def _introduce(self) -> None:
        """The parts that are asked or told things by parts of a lower level."""
        self.dialogs.is_us = self.proxy.is_us
        self.dialogs.heir = self.location.moved.heir
        self.location.moved.followers.append(self.layer.on_flow_moved)
        self.layer.reunion.has_other_way = has_other_way

    @property
    def deadline(self) -> float | None:
        """When to call `on_timer`."""
        return self.wheel.deadline

    @property
    def counters(self) -> dict[str, int]:
        """What was counted since the start, by name."""
        own = {"received": self.received, "bad_datagrams": self.bad, "aged_out": self.aged_out}
        own["transport_errors"] = self.transport_errors
        own["muted"] = self.muted
        own["failed_takeovers"] = self._transactions.failed
        own |= {
            "dialogs_refused": self.dialogs.refused,
            "dialog_byes_sent": self.keeper.byes,
            "dialog_pings_sent": self.keeper.pings,
        }
        return own | self.proxy.counters

    def feed(self, data: bytes, source: Hop, now: float) -> None:
        """One datagram. A BACKUP answers nothing and keeps it for a moment: it may be about to be MASTER."""
        self.received += 1
        if not self._is_master:
            self._wait(data, source, now)
            return
        try:
            message = parse(data)
            self.layer.receive(message, source, now)
        except ParseError as error:
            self._refuse(error, source, now)

    def on_timer(self, now: float) -> None:
        """The deadline has come."""
        self.wheel.advance(now)
        if self._queue:
            self._age(now)

    def on_transport_error(self, data: bytes, hop: Hop, now: float) -> None:
        """What could not be sent to `hop`: no connection, none to be had, its buffer full."""
        self.transport_errors += 1
        if self._is_master:
            self.layer.on_transport_error(data, hop, now)

    def on_flow_closed(self, hop: Hop, now: float) -> None:
        """The connection `hop.flow` has ended, whoever ended it; `hop` is its peer, or an alias of it."""
        self.location.on_flow_closed(hop.flow, now)
        if self._is_master:
            self.layer.on_flow_closed(hop, now)

    def take(self) -> list[Send]:
        """What is to be sent now, in order; it is yours."""
        sends = self.outbox.copy()
        self.outbox.clear()
        return sends

    def on_role(self, role: Role, epoch: int, now: float) -> None:
        """Take a role. A MASTER goes on with what the standby held; a BACKUP falls silent and holds it.

        Raises StaleEpochError for an epoch older than the one that the core has.
        """
        before = self.gate.role
        old_epoch = self.gate.epoch
        self.gate.change(role, epoch)
        if role is before:
            return
        self._is_master = role is Role.MASTER
        self.location.on_role(role, now)
        self.layer.active = self._is_master
        if role is Role.MASTER:
            self.proxy.stateless.on_takeover(now)
            if self.location.contacts or len(self._dialogs) or len(self._transactions):
                self.layer.reunion.begin(now)
                self.location.reunion_until = self.layer.reunion.until
            self._dialogs.take_over(now)
            self._transactions.take_over(now)
            self._answers.take_over(now)
            self._feed_queue(now)
        else:
            self._dialogs.stand_by(now)
            self._transactions.stand_by(old_epoch, now)
            self._answers.stand_by(now)
            self.layer.silence()
        for follower in self.followers:
            follower(role, now)

    def gone_flows(self) -> Iterator[Hop]:
        """The connections of the dead master: of contacts, calls and transactions; read in small steps."""
        seen: set[Hop] = set()
        ends = (hop for dialog in list(self.dialogs.dialogs.values()) for hop in dialog.hops())
        sources = (tx.source for tx in list(self.layer.servers.values()))
        for hop in chain(self.location.gone(), ends, sources):
            if hop.flow and hop not in seen:
                seen.add(hop)
                yield hop

    @property
    def dialog_count(self) -> int:
        """Dialogs that this node leads or, as a standby, holds."""
        return len(self._dialogs)

    @property
    def transaction_count(self) -> int:
        """Transactions that this node leads or, as a standby, holds."""
        return len(self.layer) + len(self._transactions)

    def dialog_rows(self, now: float) -> list[dict[str, object]]:
        """The dialogs, for an operator."""
        return self._dialogs.rows(now)

    def profile_sizes(self) -> dict[str, dict[str, int]]:
        """Profile -> value -> dialogs, for an operator."""
        return self._dialogs.profile_sizes()

    def transaction_rows(self) -> list[dict[str, object]]:
        """The transactions that are under way, for an operator."""
        rows: list[dict[str, object]] = []
        transactions: list[ServerTransaction | ClientTransaction] = list(self.layer.servers.values())
        transactions += self.layer.clients.values()
        for tx in transactions:
            request = tx.request
            rows.append(
                {
                    "side": "server" if isinstance(tx, ServerTransaction) else "client",
                    "method": request.method.decode("ascii", "replace"),
                    "call_id": request.call_id.decode("utf-8", "replace"),
                    "cseq": request.cseq,
                    "uri": request.uri.decode("utf-8", "replace"),
                    "hop": f"{tx.hop.host}:{tx.hop.port}",
                }
            )
        return rows

    def _refuse(self, error: ParseError, source: Hop, now: float) -> None:
        self.bad += 1
        self.layer.traffic.on_unreadable(error.reason)
        request = error.partial
        if not isinstance(request, Request) or not may_answer(source):
            return
        with suppress(ParseError):  # a Via line with too many values stays as it is
            with_received(request, source)
        data = build_response(request, error.status, error.reason.encode(), to_tag=own_tag(request))
        self.outbox.append(Send(data, reply_hop(request, source)))

    def _wait(self, data: bytes, source: Hop, now: float) -> None:
        self._age(now)
        if len(self._queue) == MAX_QUEUE:
            self._queue.popleft()
            self.aged_out += 1
        self._queue.append((now, data, source))

    def _age(self, now: float) -> None:
        queue = self._queue
        while queue and queue[0][0] < now - MAX_AGE:
            queue.popleft()
            self.aged_out += 1

    def _feed_queue(self, now: float) -> None:
        self._age(now)
        waiting, self._queue = self._queue, deque()
        for _, data, source in waiting:
            self.received -= 1  # it was counted when it came
            self.feed(data, source, now)
