"""IO shell: what the running SIP core answers to the control API."""

import os
import time
from collections.abc import Callable, Mapping, Sequence

from sipcore.config import SipcoreConfig
from sipcore.control.commands import Json, RoleOrder, location_rows
from sipcore.control.dialogs import DialogChoice, NotMasterError, profile_rows
from sipcore.dialog.dialog import EndReason
from sipcore.message.limits import exceeded
from sipcore.replication.link import ReplicationLink
from sipcore.server.accounting import Accounting
from sipcore.server.assemble import Parts
from sipcore.server.ban_desk import BanDesk
from sipcore.server.bin_peers import BinPeers
from sipcore.server.histogram import Histogram
from sipcore.server.scripting import Scripting
from sipcore.server.sockets import transport_counters
from sipcore.server.tracing import Tracing
from sipcore.transport.layer import Send
from sipcore.transport.transports import Transports

BATCH_SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)
BATCH_MESSAGES = (1, 2, 4, 8, 16, 32, 64)


class Answers:
    """Reads the parts of one core; `ready` and `failures` are the server's to set."""

    def __init__(
        self,
        config: SipcoreConfig,
        parts: Parts,
        link: ReplicationLink[Send] | None,
        transports: Transports,
        change_role: Callable[[RoleOrder], None],
        *,
        tracing: Tracing,
        bans: BanDesk,
        reload: Callable[[], Sequence[Json]],
        flush: Callable[[float], None],
        scripting: Scripting,
        accounting: Accounting,
        bin_peers: BinPeers,
        started_at: float,
    ) -> None:
        self._config = config
        self._parts = parts
        self._link = link
        self._transports = transports
        self.change_role = change_role
        self._tracing = tracing
        self.tap = tracing.tap
        self.bans = bans.rows
        self.ban = bans.ban
        self.unban = bans.unban
        self.exported_bans = bans.text
        self.reload = reload
        self._flush = flush
        self._scripting = scripting
        self._accounting = accounting
        self._bin = bin_peers
        self._started_at = started_at
        self.batch_seconds = Histogram(BATCH_SECONDS)
        self.batch_messages = Histogram(BATCH_MESSAGES)
        self.ready = False
        self.failures = 0  # datagrams and timers that broke the core

    def status(self) -> Json:
        """The state in one object."""
        link = self._link
        return {
            "node": self._config.node,
            "pid": os.getpid(),
            "role": self._parts.gate.role.name,
            "epoch": self._parts.gate.epoch,
            "ready": self.ready,
            "synced": link is None or link.synced,
            "alone": link is None or link.alone,
            "replication": link.peers(time.monotonic()) if link is not None else {},
            "uptime": round(time.monotonic() - self._started_at, 1),
            "contacts": self._parts.location.contacts,
            "dialogs": self._parts.core.dialog_count,
            **self._parts.core.dialogs.counts,
            "transactions": self._parts.core.transaction_count,
            "connections": self._transports.streams.table.by_transport,
            "bans": len(self._transports.admission.bans),
            "traffic": {
                **self._parts.core.layer.traffic.rows(),
                "batch_seconds": self.batch_seconds.rows(),
                "batch_messages": self.batch_messages.rows(),
            },
            "counters": self._counters(),
            "traces": len(self.tap.watchers),
            "stores": self._scripting.stores.status(),
            "cdrs_waiting": self._accounting.waiting,
            "form": "python",
        }

    def script(self) -> Json:
        """The routing script and its key-value stores."""
        return self._scripting.status()

    def location(self, aor: str | None) -> Sequence[Json]:
        """The registered contacts."""
        return location_rows(self._parts.location, aor, time.monotonic(), self._parts.keepalive)

    def dialogs(self) -> Sequence[Json]:
        """The calls."""
        return self._parts.core.dialog_rows(time.monotonic())

    def end_dialogs(self, call_id: str, query: Mapping[str, str]) -> Json:
        """End calls by Call-ID, from=URI or all=true, a few at once and the others in the seconds after."""
        choice = DialogChoice.parse(call_id, query)
        if not self._parts.gate.is_master:
            raise NotMasterError("this node is BACKUP: ask the master")
        now = time.monotonic()
        chosen = choice.among(self._parts.core.dialogs.dialogs.values())
        self._parts.core.keeper.end_all(chosen, EndReason.OPERATOR, now)
        self._flush(now)
        return {"ending": len(chosen)}

    def profiles(self, name: str | None) -> Sequence[Json]:
        """The sizes of the dialog profiles."""
        return profile_rows(self._parts.core.profile_sizes(), name)

    def transactions(self) -> Sequence[Json]:
        """The transactions that are under way."""
        return self._parts.core.transaction_rows()

    def resolver(self) -> Sequence[Json]:
        """What is known of the DNS."""
        return self._parts.resolver.cache.rows(time.monotonic())

    def forget_names(self, domain: str | None) -> int:
        """Forget what is known of the DNS, of one domain or all."""
        return self._parts.resolver.cache.clear(domain)

    def replication(self) -> Json:
        """The links to the peers."""
        if self._link is None:
            return {"configured": False}
        return {"configured": True, **self._link.status(time.monotonic())}

    async def verify(self) -> Json:
        """All that this node and its peers hold, compared."""
        if self._link is None:
            return {"equal": False, "reason": "no [replication] is configured", "peers": {}}
        return await self._link.verify()

    def _counters(self) -> dict[str, int]:
        return {
            **self._parts.core.counters,
            **self._parts.resolver.counters,
            "contacts_expired": self._parts.location.expired,
            "pings_sent": self._parts.keepalive.sent,
            "pings_answered": self._parts.keepalive.answered,
            "contacts_unanswered": self._parts.keepalive.removed,
            "auth_failures": self._parts.auth.failures.total,
            "auth_unavailable": self._parts.auth.unavailable,
            "failures": self.failures,
            **{f"over_{name}": count for name, count in exceeded.items()},
            **transport_counters(self._transports),
            **self._tracing.counters,
            **self._scripting.counters,
            **self._accounting.counters,
            **self._bin.counters,
        }
