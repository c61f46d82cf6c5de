"""IO shell: the composition root of the SIP core: puts the parts together, runs them on one loop.

The fast path, per batch of datagrams: feed all, flush the journal to the peers, send what need not wait, hold
the rest until a standby has acknowledged. One handle of the event loop follows the timer wheel.
"""

import asyncio
import fcntl
import gc
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import structlog

from sipcore import logs
from sipcore.auth.credentials import UsersFile
from sipcore.auth.digest import DigestAuth
from sipcore.auth.nonce import Nonces
from sipcore.config import SipcoreConfig
from sipcore.control.api import ControlApi
from sipcore.control.commands import Json, RoleOrder, location_rows
from sipcore.core import SipCore
from sipcore.dialog.table import DialogTable
from sipcore.errors import ConfigError, StaleEpochError
from sipcore.files import Loaded, load_config
from sipcore.location.replica import LocationReplica
from sipcore.location.table import LocationTable
from sipcore.proxy import ProxySettings
from sipcore.registrar.save import Registrar, RegistrarSettings
from sipcore.replication.journal import Journal
from sipcore.replication.link import LinkCallbacks, LinkSettings, ReplicationLink
from sipcore.replication.semi_sync import SemiSync
from sipcore.role import Role, RoleGate
from sipcore.timers import TimerWheel
from sipcore.transport.layer import Hop, Send
from sipcore.transport.udp import Batch, UdpListener

log = structlog.get_logger(__name__)

STANDALONE_EPOCH = 1
HOUSEKEEPING_SECONDS = 30.0
LOG_BAD_INPUT_SECONDS = 10.0  # at most one line about bad input in this time
FAILED = 1
WRONG_USAGE = 2


def main(path: Path) -> int:
    """Run the SIP core until SIGTERM; the exit code of the `run` command."""
    try:
        loaded = load_config(path)
        logs.configure(loaded.config.log.format, loaded.config.log.level)
        with lock(Path(loaded.config.run_dir)):
            asyncio.run(Server(loaded).run())
    except ConfigError as error:
        sys.stderr.write(f"sipcore: {error}\n")
        return WRONG_USAGE
    return 0


def lock(run_dir: Path) -> IO[str]:
    """Be the only core on this run_dir; the lock ends with the process."""
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        held = (run_dir / "core.lock").open("a+")
    except OSError as error:
        raise ConfigError(f"run_dir: {run_dir}: {error.strerror}") from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.seek(0)
        other = held.read().strip() or "unknown"
        held.close()
        raise ConfigError(f"run_dir: {run_dir} is in use by another SIP core (pid {other})") from error
    held.truncate(0)
    held.write(f"{os.getpid()}\n")
    held.flush()
    return held


class Server:
    """One running SIP core: its sockets, its control API, its link to the peers."""

    def __init__(self, loaded: Loaded) -> None:
        config = loaded.config
        now = time.monotonic()
        self._config = config
        self._started_at = now
        self._gate = RoleGate(config.node)
        self._wheel = TimerWheel(now=now)
        self._journal = Journal(self._gate, incarnation=secrets.randbits(63))
        self._location = LocationTable(self._gate, self._wheel, self._journal)
        self._core = self._assemble(loaded)
        self._listeners = [
            _listener(listen.address, listen.port, self._on_batch, index)
            for index, listen in enumerate(config.listen)
        ]
        self._link = self._make_link(loaded)
        if self._link is None:
            self._journal.capabilities.clear()  # nobody listens: nothing is kept
        self._api = ControlApi(self)
        self._ready = False
        self._timer: asyncio.TimerHandle | None = None
        self._seen = 0  # datagrams at the last housekeeping
        self._failures = 0  # datagrams and timers that broke the core
        self._bad_seen = 0
        self._bad_logged_at = -LOG_BAD_INPUT_SECONDS

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
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
        self._ready = True
        await self._api.start(Path(self._config.run_dir) / "control.sock")
        for listener in self._listeners:
            listener.start(loop)
        if self._config.standalone:
            self.change_role(RoleOrder(Role.MASTER, STANDALONE_EPOCH, "standalone"))
        self._housekeeping()
        log.info("ready", node=self._config.node, role=self._gate.role.name, pid=os.getpid())

    async def _stop(self) -> None:
        """The event streams close first, so that an agent hands over while the rest is still served."""
        self._ready = False
        await self._api.stop()
        if self._link is not None:
            await self._link.stop()
        for listener in self._listeners:
            listener.close()
        if self._timer is not None:
            self._timer.cancel()
        log.info("stopped", node=self._config.node)

    # The fast path

    def _on_batch(self, batch: Batch) -> None:
        now = time.monotonic()
        feed = self._core.feed
        for data, source in batch:
            try:
                feed(data, source, now)
            except Exception:  # one message must not cost the others
                self._failures += 1
                self._note_bad_input(now, source, broken=True)
        if self._core.bad != self._bad_seen:
            self._note_bad_input(now, batch[-1][1], broken=False)
        self._flush(now)

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
        self._arm()

    def _send(self, sends: Sequence[Send]) -> None:
        listeners = self._listeners
        for data, hop, _hold in sends:
            listeners[hop.listener].send(data, hop)

    def _arm(self) -> None:
        deadline, timer = self._core.deadline, self._timer
        if deadline is None or (timer is not None and timer.when() <= deadline):
            return
        if timer is not None:
            timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = time.monotonic()
        try:
            self._core.on_timer(now)
        except Exception:  # the other timers go on
            self._failures += 1
            log.exception("timer failed")
        self._flush(now)

    # What the control API and the link ask for

    def change_role(self, order: RoleOrder) -> None:
        """Take a role: the core first, then the peers and whoever follows the events."""
        now = time.monotonic()
        self._core.on_role(order.role, order.epoch, now)
        self._flush(now)
        if self._link is not None:
            self._link.on_role()
        self._api.announce("role")
        log.info("role changed", role=order.role.name, epoch=order.epoch, reason=order.reason)

    def _on_newer_master(self, epoch: int) -> None:
        with suppress(StaleEpochError):
            self.change_role(RoleOrder(Role.BACKUP, epoch, f"a peer is master with epoch {epoch}"))

    def _on_sync(self, _synced: bool) -> None:
        self._api.announce("sync")

    def status(self) -> Json:
        """The state in one object."""
        link = self._link
        return {
            "node": self._config.node,
            "pid": os.getpid(),
            "role": self._gate.role.name,
            "epoch": self._gate.epoch,
            "ready": self._ready,
            "synced": link is None or link.synced,
            "alone": link is None or link.alone,
            "uptime": round(time.monotonic() - self._started_at, 1),
            "contacts": self._location.contacts,
            "dialogs": self._core.dialog_count,
            "transactions": self._core.transaction_count,
            "counters": {
                **self._core.counters,
                "contacts_expired": self._location.expired,
                "failures": self._failures,
                "send_errors": sum(listener.send_errors for listener in self._listeners),
                "receive_errors": sum(listener.receive_errors for listener in self._listeners),
            },
            "form": "python",
        }

    def location(self, aor: str | None) -> Sequence[Json]:
        """The registered contacts."""
        return location_rows(self._location, aor, time.monotonic())

    def dialogs(self) -> Sequence[Json]:
        """The calls."""
        return self._core.dialog_rows(time.monotonic())

    def transactions(self) -> Sequence[Json]:
        """The transactions that are under way."""
        return self._core.transaction_rows()

    def replication(self) -> Json:
        """The links to the peers."""
        if self._link is None:
            return {"configured": False}
        return {"configured": True, **self._link.status(time.monotonic())}

    # Putting together, keeping clean

    def _assemble(self, loaded: Loaded) -> SipCore:
        config = loaded.config
        domains = tuple(domain.lower().encode() for domain in config.domains)
        auth = DigestAuth(
            config.auth.realm.encode(),
            Nonces(loaded.secret, wall_offset=time.time() - time.monotonic()),
            UsersFile(config.auth.users_file, config.auth.realm),
        )
        limits = config.registrar
        settings = RegistrarSettings(
            frozenset(domains),
            int(limits.min_expires),
            int(limits.max_expires),
            int(limits.default_expires),
            limits.max_contacts,
        )
        return SipCore(
            _proxy_settings(config, domains),
            self._gate,
            self._location,
            Registrar(settings, self._location, auth),
            DialogTable(self._wheel, self._journal, config.dialog.lifetime),
            self._journal,
            wheel=self._wheel,
            auth=auth,
        )

    def _make_link(self, loaded: Loaded) -> ReplicationLink[Send] | None:
        replication = loaded.config.replication
        if replication is None:
            return None
        self._journal.register(LocationReplica(self._location))
        settings = LinkSettings(
            loaded.config.node,
            loaded.replication_key,
            replication.listen.pair,
            tuple(peer.pair for peer in replication.peers),
            SemiSync(replication.semi_sync),
            replication.budget,
        )
        callbacks = LinkCallbacks[Send](self._send, self._on_newer_master, self._on_sync)
        return ReplicationLink(settings, self._journal, callbacks)

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
        counted = {"bad_datagrams": self._core.bad, "failures": self._failures}
        if broken:
            log.exception("datagram failed", source=f"{source.host}:{source.port}", **counted)
        else:
            log.warning("bad datagrams", source=f"{source.host}:{source.port}", **counted)


def _listener(address: str, port: int, on_batch: Callable[[Batch], None], index: int) -> UdpListener:
    try:
        return UdpListener(address, port, on_batch, listener=index)
    except OSError as error:
        raise ConfigError(f"listen[{index}]: {address}:{port}: {error.strerror}") from error


def _proxy_settings(config: SipcoreConfig, domains: tuple[bytes, ...]) -> ProxySettings:
    return ProxySettings(
        domains=domains,
        listeners=tuple((listen.address, listen.port) for listen in config.listen),
        timer_c=config.proxy.timer_c,
        no_answer=config.proxy.no_answer,
        max_branches=config.proxy.max_branches,
    )
