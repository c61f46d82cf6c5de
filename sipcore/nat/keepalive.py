"""Sans-IO: pings that keep the way to phones behind NAT open, and notice phones that are gone.

A turn takes one interval and is cut into slots of 50 ms; a contact has its slot by hash, so that pings leave
evenly, also after a takeover. Only the MASTER pings. With OPTIONS any final response is a sign of life;
`max_lost` pings in a row without one remove the contact (E_UL_CONTACT_DELETE). A phone that registers again
has shown that it is there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Protocol
from zlib import crc32

from sipcore.bus import Event
from sipcore.location.binding import NAT, Binding
from sipcore.location.table import SHARDS, LocationTable
from sipcore.message import NameAddr, Response, build_request
from sipcore.role import Role
from sipcore.timers import Timer, TimerWheel
from sipcore.transport.layer import Hop, Send

SLOT = 0.05  # seconds
FILL_STEP = 0.01  # seconds between two shards of the table that are looked through after a takeover
UDP_PING = b"\r\n\r\n"
STREAM_PING = b"\r\n"  # RFC 5626 section 3.5.1: what a phone takes as the answer to its own ping

Done = Callable[[int, Response | None, float], None]
Name = tuple[bytes, bytes]  # AOR and key of a binding


class PingMethod(StrEnum):
    """What is sent."""

    OFF = "off"
    CRLF = "crlf"  # four bytes that no phone answers
    OPTIONS = "options"  # a request that each phone answers, somehow


class Originates(Protocol):
    """Who sends requests of our own (the proxy)."""

    def originate(
        self, request: bytes, next_uri: bytes, now: float, done: Done | None = None, hop: Hop | None = None
    ) -> None:
        """Send it in a transaction; `done(status, response, now)`, response None when none came."""


@dataclass(frozen=True, slots=True)
class KeepaliveSettings:
    """Times in seconds."""

    method: PingMethod = PingMethod.CRLF
    interval: float = 30.0
    max_lost: int = 3  # 0: a contact is never removed
    everyone: bool = False  # also contacts that are not behind NAT
    sender: bytes = b"sip:keepalive@localhost"
    salt: bytes = b""  # random: Call-IDs are never those of another process


class Ping:
    """What is known of one contact that is pinged."""

    __slots__ = ("last_seen", "lost", "name", "rtt", "sent_at", "serial")

    def __init__(self, name: Name, last_seen: float) -> None:
        self.name = name
        self.last_seen = last_seen  # when it registered or answered
        self.rtt: float | None = None  # of the last answer, seconds
        self.lost = 0  # pings in a row
        self.serial = 0  # of the ping that is on its way; 0: none
        self.sent_at = 0.0


class Keepalive:
    """Pings the contacts of the location table; hears of them by its bus."""

    def __init__(
        self,
        settings: KeepaliveSettings,
        location: LocationTable,
        wheel: TimerWheel,
        originator: Originates,
        outbox: list[Send],
    ) -> None:
        self.settings = settings
        self.sent = 0
        self.answered = 0
        self.removed = 0  # contacts that did not answer
        self._location = location
        self._wheel = wheel
        self._originator = originator
        self._outbox = outbox
        self._pings: dict[Name, Ping] = {}
        self._slots: list[dict[Name, None]] = [{} for _ in range(max(round(settings.interval / SLOT), 1))]
        self._at = 0  # slots since time 0 that have had their turn
        self._timer: Timer | None = None
        self._filling: Timer | None = None
        self._serial = 0
        bus = location.bus
        bus.subscribe(Event.E_UL_CONTACT_INSERT, self._on_contact)
        bus.subscribe(Event.E_UL_CONTACT_UPDATE, self._on_contact)
        bus.subscribe(Event.E_UL_CONTACT_DELETE, self._on_delete)

    def __len__(self) -> int:
        return len(self._pings)

    def ping_of(self, aor: bytes, key: bytes) -> Ping | None:
        """What is known of a contact; None: it is not pinged."""
        return self._pings.get((aor, key))

    def on_role(self, role: Role, now: float) -> None:
        """A MASTER pings what is registered; a BACKUP sends nothing."""
        for timer in (self._timer, self._filling):
            if timer is not None:
                self._wheel.cancel(timer)
        self._timer = self._filling = None
        self._pings.clear()
        for slot in self._slots:
            slot.clear()
        if role is Role.MASTER and self.settings.method is not PingMethod.OFF:
            self._at = _slots_until(now)
            self._timer = self._wheel.schedule(now + SLOT, self._turn)
            self._fill(0, now)

    # Which contacts

    def _fill(self, shard: int, now: float) -> None:
        for aor, record in self._location.shard(shard):
            for binding in record.bindings.values():
                if binding.is_live(now):
                    self._on_contact(aor, binding)
        self._filling = None
        if shard + 1 < SHARDS:
            self._filling = self._wheel.schedule(now + FILL_STEP, lambda now: self._fill(shard + 1, now))

    def _on_contact(self, aor: bytes, binding: Binding | None) -> None:
        if self._timer is None or binding is None:
            return
        name = aor, binding.key
        if not self._wants(binding):
            self._forget(name)
            return
        ping = self._pings.get(name)
        if ping is None:
            self._pings[name] = Ping(name, binding.updated_at)
            self._slots[self._slot(name)][name] = None
        else:
            ping.last_seen = max(ping.last_seen, binding.updated_at)
            ping.lost = 0

    def _wants(self, binding: Binding) -> bool:
        if self.settings.method is PingMethod.OPTIONS:
            return bool(binding.flags & NAT) or self.settings.everyone
        received = binding.received  # over a WebSocket the empty line would be a broken message
        return (
            received is not None
            and received.transport not in ("ws", "wss")
            and (bool(binding.flags & NAT) or self.settings.everyone)
        )

    def _on_delete(self, aor: bytes, binding: Binding | None) -> None:
        if binding is not None:
            self._forget((aor, binding.key))

    def _forget(self, name: Name) -> None:
        if self._pings.pop(name, None) is not None:
            self._slots[self._slot(name)].pop(name, None)

    def _slot(self, name: Name) -> int:
        return crc32(name[1], crc32(name[0])) % len(self._slots)

    # The turn

    def _turn(self, now: float) -> None:
        last = _slots_until(now)
        for at in range(max(self._at + 1, last - len(self._slots) + 1), last + 1):
            for name in list(self._slots[at % len(self._slots)]):
                self._ping(name, now)
        self._at = last
        self._timer = self._wheel.schedule((last + 1) * SLOT, self._turn)

    def _ping(self, name: Name, now: float) -> None:
        record = self._location.record(name[0])
        binding = record.bindings.get(name[1]) if record is not None else None
        ping = self._pings.get(name)
        if binding is None or ping is None or not binding.is_reachable(now):
            return
        if self.settings.method is PingMethod.CRLF:
            if binding.received is not None:
                self.sent += 1
                data = UDP_PING if binding.received.transport == "udp" else STREAM_PING
                self._outbox.append(Send(data, binding.received))
            return
        if ping.serial and self._lose(ping, binding):  # the one before is still unanswered
            return
        self._send_options(ping, binding, now)

    def _send_options(self, ping: Ping, binding: Binding, now: float) -> None:
        self._serial = serial = self._serial + 1
        ping.serial, ping.sent_at = serial, now
        self.sent += 1
        path = binding.path
        next_uri = NameAddr.parse(path[0]).uri if path else binding.uri
        self._originator.originate(
            self._options(binding, serial),
            next_uri,
            now,
            lambda status, response, now: self._on_done(ping, serial, response, now),
            binding.received,
        )

    def _options(self, binding: Binding, serial: int) -> bytes:
        token = blake2b(b"%d" % serial, key=self.settings.salt[:64], digest_size=12).hexdigest().encode()
        headers = (
            *((b"Route", value) for value in binding.path),
            (b"Max-Forwards", b"70"),
            (b"From", b"<%b>;tag=%b" % (self.settings.sender, token[:8])),
            (b"To", b"<%b>" % binding.uri),
            (b"Call-ID", token),
            (b"CSeq", b"1 OPTIONS"),
        )
        return build_request(b"OPTIONS", binding.uri, headers=headers)

    def _on_done(self, ping: Ping, serial: int, response: Response | None, now: float) -> None:
        if ping.serial != serial or self._pings.get(ping.name) is not ping:
            return
        if response is not None:
            ping.serial = ping.lost = 0
            ping.last_seen, ping.rtt = now, now - ping.sent_at
            self.answered += 1
            return
        record = self._location.record(ping.name[0])
        binding = record.bindings.get(ping.name[1]) if record is not None else None
        if binding is not None:
            self._lose(ping, binding)

    def _lose(self, ping: Ping, binding: Binding) -> bool:
        """One ping more without an answer; True when that removed the contact."""
        ping.serial = 0
        ping.lost += 1
        if not self.settings.max_lost or ping.lost < self.settings.max_lost:
            return False
        self.removed += 1
        aor, key = ping.name
        self._location.remove(aor, key, call_id=binding.call_id, cseq=binding.cseq)
        return True


def _slots_until(now: float) -> int:
    return int(now / SLOT + 1e-3)  # a time loses a little when it is divided
