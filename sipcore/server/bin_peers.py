"""IO shell: BIN datagrams to and from OpenSIPS 1.10 and 1.11; without the table [bin] it does nothing."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from ipaddress import ip_address

import structlog

from sipcore.config import SipcoreConfig
from sipcore.dialog.replica import DialogReplica
from sipcore.errors import BinError, ConfigError
from sipcore.interop.bin.contact import MODULE as CONTACTS
from sipcore.interop.bin.contacts import BinContacts
from sipcore.interop.bin.dialog import MODULE as DIALOGS
from sipcore.interop.bin.dialogs import BinDialogs
from sipcore.interop.bin.naming import Naming
from sipcore.interop.bin.wire import BinReader
from sipcore.replication.capability import Kind
from sipcore.server.assemble import Parts

log = structlog.get_logger(__name__)

LOG_SECONDS = 10.0  # at most one line about bad datagrams in this time
SWEEP_SECONDS = 1.0
SWEEP_SHARDS = 8  # of 256 in each sweep

Module = BinContacts | BinDialogs


class BinPeers(asyncio.DatagramProtocol):
    """The socket, who may speak to it, and which module of the datagrams is whose."""

    def __init__(self, config: SipcoreConfig, parts: Parts, flush: Callable[[float], None]) -> None:
        self._config = config.bin
        self._gate, self._journal = parts.gate, parts.journal
        self._flush = flush
        self._is_alone = config.replication is None
        self._counts: Counter[str] = Counter()
        self._takes: dict[bytes, tuple[Module, Kind]] = {}
        self._sends: list[tuple[Module, Sequence[tuple[str, int]]]] = []
        self._modules: list[Module] = []
        self._transport: asyncio.DatagramTransport | None = None
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._logged_at = -LOG_SECONDS
        self._sources: frozenset[str] = frozenset()
        if self._config is not None:
            self._sources = self._config.sources
            self._introduce(config, parts)

    def _introduce(self, config: SipcoreConfig, parts: Parts) -> None:
        table = self._config
        assert table is not None
        naming = _naming(config, use_domain=table.use_domain)
        to_contacts = [peer.pair for peer in table.replicate_contacts_to]
        to_dialogs = [peer.pair for peer in table.replicate_dialogs_to]
        core = parts.core
        replica = next(part for part in core.capabilities if isinstance(part, DialogReplica))
        self._contacts = BinContacts(parts.location, naming, sends=bool(to_contacts))
        self._dialogs = BinDialogs(parts.gate, core.dialogs, replica, naming, sends=bool(to_dialogs))
        self._modules = [self._contacts, self._dialogs]
        self._sends = [(self._contacts, to_contacts), (self._dialogs, to_dialogs)]
        if table.accept_replicated_contacts:
            self._takes[CONTACTS] = (self._contacts, Kind.CONTACT)
        if table.accept_replicated_dialogs:
            self._takes[DIALOGS] = (self._dialogs, Kind.DIALOG)

    async def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Listen."""
        if self._config is None:
            return
        host, port = self._config.listen.pair
        try:
            self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(host, port))
        except OSError as error:
            raise ConfigError(f"bin.listen: {host}:{port}: {error.strerror}") from error
        if self._takes and self._is_alone:
            self._sweep()

    def stop(self) -> None:
        """Send and take nothing more."""
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    @property
    def counters(self) -> dict[str, int]:
        """What was counted since the start, by name."""
        counted = self._counts.copy()
        for module in self._modules:
            counted.update(module.counts)
        return dict(counted)

    def after_batch(self, now: float) -> None:
        """Tell the peers what has changed; a BACKUP sends nothing."""
        for module, peers in self._sends:
            datagrams = module.take(now)
            if self._transport is not None and self._gate.is_master:
                for datagram in datagrams:
                    for peer in peers:
                        self._transport.sendto(datagram, peer)

    # What asyncio calls

    def error_received(self, exc: Exception) -> None:
        """A peer is not there, or cannot be reached: BIN knows no retransmission."""
        self._counts["bin_send_errors"] += 1

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take it in, if it may and if it is one."""
        if str(ip_address(addr[0])) not in self._sources:
            self._note("bin_strangers", addr[0], "not a configured peer")
        elif not self._gate.is_master and not self._is_alone:
            self._counts["bin_left_to_master"] += 1  # which tells this standby by the replication channel
        else:
            self._take(data, addr[0])

    def _take(self, data: bytes, host: str) -> None:
        now = time.monotonic()
        try:
            reader = BinReader(data)
            if reader.module not in self._takes:
                self._note("bin_not_accepted", host, f"module {reader.module!r} is not accepted")
                return
            module, kind = self._takes[reader.module]
            key = module.on_packet(reader, now)
        except BinError as error:
            self._note("bin_malformed", host, str(error))
            return
        if key is not None:
            self._journal.touch(kind, key)
            self._flush(now)

    def _note(self, counter: str, host: str, reason: str) -> None:
        self._counts[counter] += 1
        now = time.monotonic()
        if now - self._logged_at >= LOG_SECONDS:
            self._logged_at = now
            log.warning("bad BIN datagrams", source=host, reason=reason, **{counter: self._counts[counter]})

    def _sweep(self) -> None:
        now = time.monotonic()
        self._contacts.sweep(now, SWEEP_SHARDS)
        self._dialogs.sweep(now)
        self._sweep_timer = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)


def _naming(config: SipcoreConfig, *, use_domain: bool) -> Naming:
    hosts = [(f"[{at.address}]" if ":" in at.address else at.address, at) for at in config.listen]
    sockets = tuple(f"{at.transport}:{host}:{at.port}".encode() for host, at in hosts)
    return Naming(config.domains[0].lower().encode(), sockets, _wall, use_domain)


def _wall(now: float) -> float:
    return time.time() - time.monotonic() + now
