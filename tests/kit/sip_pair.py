"""Two SIP cores behind one virtual IP, in virtual time: the master can die at any datagram.

Sans-IO as everything here: the pair is one node of tests.kit.sip_wire, plugged in at the VIP.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from sipcore.auth.digest import DigestAuth
from sipcore.core import SipCore
from sipcore.dialog.settings import DialogSettings
from sipcore.dialog.table import DialogTable
from sipcore.location.binding import Binding
from sipcore.location.moved_replica import FlowReplica
from sipcore.location.replica import LocationReplica
from sipcore.location.table import LocationTable
from sipcore.phone.agent import Phone
from sipcore.proxy import Listener, ProxySettings
from sipcore.proxy.sending import Locates
from sipcore.registrar import Registrar, RegistrarSettings
from sipcore.replication.journal import Journal
from sipcore.role import Role, RoleGate
from sipcore.timers import TimerWheel
from sipcore.transaction.timers import TimerValues
from sipcore.transport.admission import Admission
from sipcore.transport.ban_replica import BanReplica
from sipcore.transport.bans import BanList
from sipcore.transport.layer import Hop, Send
from sipcore.transport.pike import PikeSettings
from sipcore.transport.source import AllowList
from tests.kit.sip_channel import Channel
from tests.kit.sip_sights import Sight, sights
from tests.kit.sip_wire import SipWire

VIP = Hop("192.0.2.100", 5060)
DOMAIN = b"example.test"
SETTINGS = ProxySettings(domains=(DOMAIN,), listeners=(Listener(VIP.host, VIP.port),))


class Crash(Enum):
    """What the master still did with the datagram at which it died."""

    DEAF = 0  # nothing
    FORGETFUL = 1  # what need not wait was sent; the standby heard nothing
    SILENT = 2  # the standby heard all; no answer that waited for it was sent
    COMPLETE = 3  # all was done
    MUTE = 4  # the standby heard all; nothing was sent


class Node:
    """One core with its tables."""

    def __init__(
        self,
        name: str,
        settings: ProxySettings = SETTINGS,
        now: float = 0.0,
        *,
        resolver: Locates | None = None,
        auth: DigestAuth | None = None,
        dialog: DialogSettings | None = None,
    ) -> None:
        self.gate = RoleGate(name)
        self.wheel = TimerWheel(now=now)
        self.journal = Journal(self.gate)
        self.location = LocationTable(self.gate, self.wheel, self.journal)
        self.dialogs = DialogTable(self.wheel, self.journal, dialog)
        self.registrar = registrar = Registrar(RegistrarSettings(frozenset({DOMAIN})), self.location, None)
        self.core = SipCore(
            settings,
            self.gate,
            self.location,
            registrar,
            self.dialogs,
            self.journal,
            wheel=self.wheel,
            resolver=resolver,
            auth=auth,
        )
        self.journal.register(LocationReplica(self.location))
        self.journal.register(FlowReplica(self.location.moved, self.journal))
        nobody = AllowList(())
        self.admission = Admission(nobody, BanList(nobody), PikeSettings())
        self.journal.register(BanReplica(self.admission, self.journal))

    def flush(self, now: float) -> None:
        """Pack what has changed."""
        while self.journal.flush(now) is not None:
            pass


@dataclass
class SipPair:
    """Node a is master and node b its standby, until a crash or `switch_over`."""

    settings: ProxySettings = SETTINGS
    crash_at: int = -1  # which datagram or timer (counted from 0) the master dies at
    crash: Crash = Crash.DEAF
    gap: float = 0.05  # seconds from the crash to the takeover
    resolver: Locates | None = None
    dialog: DialogSettings | None = None
    outbox: list[Send] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.a = Node("a", self.settings, resolver=self.resolver, dialog=self.dialog)
        self.b = Node("b", self.settings, resolver=self.resolver, dialog=self.dialog)
        self.channel = Channel(self.a.journal, self.b.journal, 0.0)
        self.master: Node | None = self.a
        self.crashed = False
        self.steps = 0  # inputs that the master had so far
        self._take_over_at: float | None = None
        self.a.core.on_role(Role.MASTER, 1, 0.0)

    @property
    def standby(self) -> Node:
        """The node that is not the first master."""
        return self.b

    # A node of the wire

    @property
    def deadline(self) -> float | None:
        """The next timer of the master, or the takeover."""
        return self._take_over_at if self.master is None else self.master.core.deadline

    def feed(self, data: bytes, source: Hop, now: float) -> None:
        """A datagram for the VIP; lost while nobody has it."""
        if (node := self.master) is not None:
            self._step(node, lambda: node.core.feed(data, source, now), now)

    def on_timer(self, now: float) -> None:
        """A timer of the master, or the takeover."""
        if (node := self.master) is not None:
            self._step(node, lambda: node.core.on_timer(now), now, timer=True)
        elif self._take_over_at is not None and self._take_over_at <= now:
            self._take_over_at = None
            self.master = self.b
            self.b.core.on_role(Role.MASTER, self.b.gate.epoch + 2, now)
            self.outbox += self.b.core.take()
            self.b.flush(now)

    def switch_over(self, now: float) -> None:
        """Planned: the master hands over to the other node, which has heard everything."""
        old = self.master
        assert old is not None
        new = self.b if old is self.a else self.a
        epoch = old.gate.epoch + 1
        old.core.on_role(Role.BACKUP, epoch, now)
        new.core.on_role(Role.MASTER, epoch, now)
        self.master = new
        self.share(new, now)

    def die(self, now: float) -> None:
        """The master is gone at once."""
        self.master = None
        self.crashed = True
        self._take_over_at = now + self.gap

    # Steps

    def _step(self, node: Node, act: Callable[[], None], now: float, *, timer: bool = False) -> None:
        mine = self.steps == self.crash_at
        if mine and self.crash is Crash.DEAF and not timer:
            self.steps += 1
            self.die(now)
            return
        act()
        quiet = timer and not node.core.outbox
        if not mine or quiet:
            self.share(node, now)
        else:
            sends = node.core.take()
            node.flush(now)
            if self.crash is not Crash.FORGETFUL:
                self.channel.carry(now)
            if self.crash is not Crash.MUTE:
                self.outbox += [send for send in sends if not send.hold or self.crash is Crash.COMPLETE]
            self.die(now)
        if not quiet:
            self.steps += 1

    def share(self, node: Node, now: float) -> None:
        """Send what the node has to say: to its peer, then to the phones."""
        node.flush(now)
        if not self.crashed:
            self.channel.carry(now)
        self.outbox += node.core.take()


Script = list[tuple[float, Callable[["Play"], object]]]


class Play:
    """Phones behind the pair that follow a script.

    `cast` names the phones: name -> (user, IP address, q); two phones of one user are forked to.
    """

    def __init__(self, pair: SipPair, cast: dict[str, tuple[bytes, str, float]]) -> None:
        self.pair = pair
        self.wire = SipWire()
        self.wire.plug(VIP, pair)
        self.phones: dict[str, Phone] = {}
        for name, (user, host, q) in cast.items():
            self.phones[name] = phone = self._phone(name, user, host)
            uri = b"sip:%b@%b:5060" % (user, host.encode())
            binding = Binding(uri, call_id=name.encode(), cseq=1, expires_at=36000.0, q=q)
            pair.a.location.save(b"sip:%b@%b" % (user, DOMAIN), binding, 0.0)
            self.wire.plug(Hop(host, 5060), phone)
        pair.a.core.on_timer(0.0)
        pair.share(pair.a, 0.0)

    @property
    def now(self) -> float:
        """The time of all clocks."""
        return self.wire.now

    def run(self, script: Script, until: float) -> None:
        """Follow the script (seconds from now), then let time pass until the end."""
        begin = self.now
        for at, act in script:
            self.wire.run(begin + at - self.now)
            act(self)
        self.wire.run(begin + until - self.now)

    def sights(self) -> dict[str, list[Sight]]:
        """Per address: which messages it was sent."""
        seen: dict[str, list[bytes]] = {}
        for _, to, data in self.wire.seen:
            seen.setdefault(to, []).append(data)
        return {to: sights(datagrams) for to, datagrams in seen.items() if to != f"{VIP.host}:{VIP.port}"}

    def story(self) -> dict[str, list[tuple[object, ...]]]:
        """Per phone: each event with its status; a provisional response that came again counts once.

        The answer to a CANCEL stands last: its transaction and that of the INVITE are not in step.
        """
        told: dict[str, list[tuple[object, ...]]] = {}
        for name, phone in self.phones.items():
            events = told.setdefault(name, [])
            for event in phone.events:
                short = (event["event"], event.get("id"), event.get("status"))
                if event["event"] != "progress" or short not in events:
                    events.append(short)
            events.sort(key=lambda event: event[0] == "cancel_answered")
        return told

    @staticmethod
    def _phone(name: str, user: bytes, host: str) -> Phone:
        return Phone(
            local=Hop(host, 5060),
            proxy=VIP,
            domain=DOMAIN,
            passwords={user: b""},
            seed=name.encode(),
            timers=TimerValues(),
            now=0.0,
        )
