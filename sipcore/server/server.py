"""IO shell: the running SIP core: the fast path, start and stop, changes of role.

The fast path, per batch of datagrams: feed all, flush the journal to the peers, send what need not wait, hold
the rest until a standby has acknowledged. One handle of the event loop follows the timer wheel.
"""

import asyncio
import gc
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from math import inf
from pathlib import Path

import structlog

from sipcore.bus import Event
from sipcore.control.api import ControlApi
from sipcore.control.commands import RoleOrder
from sipcore.errors import ConfigError, StaleEpochError
from sipcore.files import Loaded
from sipcore.replication.link import LinkCallbacks
from sipcore.role import Role
from sipcore.server.accounting import Accounting
from sipcore.server.answers import Answers
from sipcore.server.assemble import assemble, promise, replication_link
from sipcore.server.ban_desk import BanDesk
from sipcore.server.ban_export import BanExport
from sipcore.server.bin_peers import BinPeers
from sipcore.server.garbage import Garbage
from sipcore.server.names import make_dns
from sipcore.server.registration import ban_brute_force, start_users, stop_users
from sipcore.server.reload import Reloads
from sipcore.server.scripting import Scripting
from sipcore.server.service import Service
from sipcore.server.sockets import make_transports
from sipcore.server.tracing import Tracing
from sipcore.transport.admission import Batch
from sipcore.transport.layer import Hop, Send
from sipcore.transport.transports import TransportEvents

log = structlog.get_logger(__name__)

STANDALONE_EPOCH = 1
HOUSEKEEPING_SECONDS = 30.0
TIMER_SLACK = 0.02  # seconds by which a timer may be late, so that the next datagrams bring it along
LOG_BAD_INPUT_SECONDS = 10.0  # at most one line about bad input in this time


class Server:
    """One running SIP core: its sockets, its control API, its link to the peers."""

    def __init__(self, loaded: Loaded) -> None:
        now = time.monotonic()
        self._config = loaded.config
        self._parts = assemble(loaded, now)
        self._core = self._parts.core
        self._gate = self._parts.gate
        self._transports = make_transports(
            loaded.config, TransportEvents(self._on_batch, self._on_unsent, self._on_flows_closed)
        )
        ban_brute_force(loaded.config, self._parts.auth, self._transports.admission.bans)
        self._dns = make_dns(loaded.config, self._parts.resolver, self._on_answered)
        callbacks = LinkCallbacks[Send](self._send, self._on_newer_master, self._on_sync, promise)
        admission = self._transports.admission
        self._link = replication_link(loaded, self._parts, admission, callbacks)
        admission.bus.subscribe(Event.E_PIKE_BLOCKED, self._on_blocked)
        self._export = BanExport(self._transports.admission.bans, self._transports.ports)
        self._tracing = Tracing(loaded, now)
        self._watchers = self._tracing.tap.watchers
        self._reloads = Reloads()
        self._scripting = Scripting(loaded.config, self._parts, self._flush, [self._transports.admission.bus])
        self._scripting.add_to(self._reloads)
        self._accounting = Accounting(loaded.config, self._parts, self._flush, self._reloads)
        self._bin = BinPeers(loaded.config, self._parts, self._flush)
        self._reloads.add("certificates", self._transports.reload)
        self._answers = self._make_answers(now)
        self._api = ControlApi(self._answers)
        self._garbage = Garbage()
        self._service = Service()
        self._timer: asyncio.TimerHandle | None = None
        self._due = inf  # when the timer wheel has something to do
        self._seen = self._bad_seen = 0  # datagrams at the last housekeeping, bad ones at the last log line
        self._bad_logged_at = -LOG_BAD_INPUT_SECONDS

    def _make_answers(self, now: float) -> Answers:
        return Answers(
            self._config,
            self._parts,
            self._link,
            self._transports,
            self.change_role,
            tracing=self._tracing,
            bans=BanDesk(
                self._transports.admission, self._config.bans.duration, self._export.text, self._flush
            ),
            reload=self._reloads.run,
            flush=self._flush,
            scripting=self._scripting,
            accounting=self._accounting,
            bin_peers=self._bin,
            started_at=now,
        )

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reloads.run)
        try:
            await self._start(loop)
            await stop.wait()
        finally:
            await self._stop()

    async def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._link is not None:
            try:
                await self._link.start()
            except OSError as error:
                listen = self._link.settings.listen
                raise ConfigError(f"replication.listen: {listen[0]}:{listen[1]}: {error.strerror}") from error
        await self._bin.start(loop)
        await self._tracing.start()
        start_users(self._parts.auth, loop, self._on_answered)
        self._answers.ready = True
        await self._api.start(Path(self._config.run_dir) / "control.sock")
        self._transports.start(loop)
        if self._config.bans.export == "nftables":
            self._export.start()
        if self._config.standalone:
            self.change_role(RoleOrder(Role.MASTER, STANDALONE_EPOCH, "standalone"))
        self._housekeeping()
        self._service.ready(self._gate.role.name)
        log.info("ready", node=self._config.node, role=self._gate.role.name, pid=os.getpid())

    async def _stop(self) -> None:
        """The event streams close first, so that an agent hands over while the rest is still served."""
        self._answers.ready = False
        self._service.stopping()
        await self._api.stop()
        await self._accounting.stop()
        if self._link is not None:
            await self._link.stop()
        self._bin.stop()
        self._transports.close()
        await self._export.stop()
        await self._scripting.stop()
        await self._dns.stop()
        await self._tracing.stop()
        stop_users(self._parts.auth)
        if self._timer is not None:
            self._timer.cancel()
        log.info("stopped", node=self._config.node)

    # The fast path

    def _on_batch(self, batch: Batch) -> None:
        now = time.monotonic()
        if self._watchers:
            self._tracing.tap.received(batch, now)
        feed = self._core.feed
        for data, source in batch:
            try:
                feed(data, source, now)
            except Exception:  # one message must not cost the others
                self._answers.failures += 1
                self._note_bad_input(now, source, broken=True)
        if self._core.bad != self._bad_seen:
            self._note_bad_input(now, batch[-1][1], broken=False)
        if self._due <= now:
            self._fire(now)
        self._flush(now)
        self._answers.batch_messages.observe(len(batch))
        self._answers.batch_seconds.observe(time.monotonic() - now)

    def _flush(self, now: float) -> None:
        """Tell the peers what changed, then send: what promises something only when a standby has it."""
        sends = self._core.take()
        if self._link is not None:
            self._link.send_batch(now)
            held = [send for send in sends if send.hold]
            if held:
                self._send([send for send in sends if not send.hold])
                sends = self._link.hold(held, now)
        self._send(sends)
        self._scripting.after_batch(now)
        self._accounting.after_batch()
        self._bin.after_batch(now)
        self._dns.ask()
        self._arm()

    def _on_unsent(self, unsent: list[tuple[bytes, Hop]]) -> None:
        now = time.monotonic()
        for data, hop in unsent:
            self._core.on_transport_error(data, hop, now)
        self._flush(now)

    def _on_flows_closed(self, hops: list[Hop]) -> None:
        now = time.monotonic()
        for hop in hops:
            self._core.on_flow_closed(hop, now)
        self._flush(now)
        self._garbage.on_ended(len(hops))

    def _send(self, sends: Sequence[Send]) -> None:
        if not self._gate.is_master:  # the last line of defence: what waited for the standby is its own now
            self._core.muted += len(sends)
            return
        if self._watchers:
            self._tracing.tap.sent(sends, time.monotonic())
        self._transports.send_all(sends)

    def _arm(self) -> None:
        """Timers that are due go with the next datagrams; if none come the loop's own timer brings them."""
        deadline, timer = self._core.wheel.deadline, self._timer
        if deadline is None:
            self._due = inf
            return
        self._due = deadline
        latest = deadline + TIMER_SLACK
        if timer is not None:
            if timer.when() <= latest:
                return
            timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(latest, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = time.monotonic()
        self._fire(now)
        self._flush(now)

    def _fire(self, now: float) -> None:
        try:
            self._core.on_timer(now)
        except Exception:  # the other timers go on
            self._answers.failures += 1
            log.exception("timer failed")

    def _on_blocked(self, _source: bytes, _count: int | None) -> None:
        if self._link is not None:  # the peers hear of it, also when nothing else comes that is let in
            asyncio.get_running_loop().call_soon(self._on_answered)

    def _on_answered(self) -> None:
        self._flush(time.monotonic())

    # What the control API and the link ask for

    def change_role(self, order: RoleOrder) -> None:
        """Take a role: the core first, then the peers and whoever follows the events."""
        now = time.monotonic()
        was_master = self._gate.is_master
        self._core.on_role(order.role, order.epoch, now)
        self._transports.on_role(is_master=self._gate.is_master)
        self._scripting.on_role(is_master=self._gate.is_master)
        self._flush(now)
        if self._gate.is_master and not was_master:
            self._transports.reset(self._core.gone_flows())
        if self._link is not None:
            self._link.on_role()
        self._api.announce("role")
        self._service.status(f"{order.role.name}, epoch {order.epoch}: {order.reason}")
        log.info("role changed", role=order.role.name, epoch=order.epoch, reason=order.reason)

    def _on_newer_master(self, epoch: int) -> None:
        with suppress(StaleEpochError):
            self.change_role(RoleOrder(Role.BACKUP, epoch, f"a peer is master with epoch {epoch}"))

    def _on_sync(self, _synced: bool) -> None:
        self._api.announce("sync")

    # Keeping clean

    def _housekeeping(self) -> None:
        """The cyclic collector runs only when nobody waits, and each time only over what is new."""
        received = self._core.received
        if gc.isenabled() or received == self._seen or not self._gate.is_master:
            gc.disable()
            gc.collect()
            gc.freeze()
        self._seen = received
        asyncio.get_running_loop().call_later(HOUSEKEEPING_SECONDS, self._housekeeping)

    def _note_bad_input(self, now: float, source: Hop, *, broken: bool) -> None:
        self._bad_seen = self._core.bad
        if now - self._bad_logged_at < LOG_BAD_INPUT_SECONDS:
            return
        self._bad_logged_at = now
        counted = {"bad_datagrams": self._core.bad, "failures": self._answers.failures}
        if broken:
            log.exception("datagram failed", source=f"{source.host}:{source.port}", **counted)
        else:
            log.warning("bad datagrams", source=f"{source.host}:{source.port}", **counted)
