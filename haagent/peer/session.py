"""Sans-IO: what the node knows of its peer over the channel: heartbeat, fast hello, tripwire."""

from haagent.effects import ClosePeer, Effect, NodeRole, SendHello, SendPeer
from haagent.peer.channel import PeerChannel
from haagent.peer.messages import MAX_TEXT, Bye, Health, Hello, Message
from haagent.settings import PeerSettings

MAX_HEARTBEAT = 0.1  # seconds
FRESH = 1.9  # heartbeats; see PeerSession.is_fresh
HELLOS_MISSED = 3
SILENCE = 2.0  # seconds without a word after which the connection is given up


class PeerSession:
    """The peer as the channel shows it; `known` is what it said last, also after the connection has gone."""

    def __init__(self, settings: PeerSettings, advert_interval: float) -> None:
        self._settings = settings
        self._channel: PeerChannel | None = None
        self._heartbeat = min(advert_interval, MAX_HEARTBEAT)
        self._next_heartbeat = 0.0
        self._next_hello = 0.0
        self._hello_heard: float | None = None
        self._said_hello = False
        self._bye = False
        self.known: Hello | None = None
        self.heard = 0.0

    @property
    def connected(self) -> bool:
        """An authenticated connection stands, and the peer has said who it is."""
        return self._channel is not None and self._channel.authenticated and self._said_hello

    @property
    def epoch(self) -> int:
        """The highest epoch that the peer told."""
        return self.known.epoch if self.known is not None else 0

    @property
    def deadlines(self) -> list[float]:
        """When `on_timer` has something to do."""
        if self._channel is None:
            return []
        times = [self.heard + SILENCE]
        if self._said_hello:
            times.append(self._next_heartbeat)
            if self._settings.hello:
                times.append(self._next_hello)
        if (at := self._hello_deadline) is not None:
            times.append(at)
        return times

    def is_fresh(self, now: float) -> bool:
        """Whether what the peer says is of now.

        The window is under two advertisement intervals.  When a machine dies, VRRP fires two intervals plus
        Skew_Time after its death at the earliest, so a heartbeat sent before it is never fresh by then: two
        paths do not make the detection of a death later.
        """
        return self.connected and now < self.fresh_until

    @property
    def hello_heard(self) -> float | None:
        """When the last fast hello came; None while none is expected."""
        return self._hello_heard

    @property
    def fresh_until(self) -> float:
        """The end of what was heard last."""
        return self.heard + FRESH * self._heartbeat

    def says(self, now: float, role: NodeRole) -> bool:
        """Whether the peer says now that it has this role."""
        return self.is_fresh(now) and self.known is not None and self.known.role is role

    def is_source(self, address: int) -> bool:
        """Whether advertisements from this address are the peer's."""
        return self.known is not None and address in self.known.sources

    def note_release(self) -> None:
        """The peer's priority 0 came over VRRP before the channel told."""
        if self.known is not None:
            self._update(Health(NodeRole.FAULT, self.known.epoch, self.known.priority, False, False))

    # Connection

    def on_connected(self, nonce: bytes, now: float) -> list[Effect]:
        """Greet; whatever was before is gone."""
        self._channel = PeerChannel(self._settings.key, nonce)
        self._said_hello, self._bye, self._hello_heard = False, False, None
        self.heard = now
        return [SendPeer(self._channel.greeting())]

    def on_bytes(self, data: bytes, now: float, hello: Hello) -> tuple[list[Effect], list[Message]]:
        """What to send and what came in; `hello` is what we say of ourselves."""
        channel = self._channel
        if channel is None:
            return [], []
        messages = channel.receive(data)
        effects: list[Effect] = []
        if channel.greeted and not self._said_hello:
            self._said_hello = True
            self._next_heartbeat = self._next_hello = now
            effects += self.say(hello)
        for message in messages:
            self.heard = now
            if isinstance(message, Hello | Health):
                self._update(message)
            elif isinstance(message, Bye):
                self._bye = True
        if channel.closed is not None:
            effects += self.close(channel.closed)
        return effects, messages

    def on_closed(self) -> bool:
        """Forget the connection; whether that is the death of a process that did not say goodbye."""
        died = self.connected and not self._bye
        self._channel = None
        return died

    def close(self, reason: str) -> list[Effect]:
        """Close on purpose, so that the peer does not take it for our death."""
        if self._channel is None:
            return []
        effects = [*self.say(Bye(reason[:MAX_TEXT])), ClosePeer(reason)]
        self._channel = None
        return effects

    def say(self, message: Message) -> list[Effect]:
        """Send a message, if there is a session."""
        data = self._channel.seal(message) if self._channel is not None else b""
        return [SendPeer(data)] if data else []

    # Time

    def on_hello(self, datagram: bytes, now: float) -> None:
        """A datagram on the hello port."""
        if self._channel is not None and self._settings.hello and self._channel.is_hello(datagram):
            self._hello_heard = now

    def on_stall(self, now: float) -> None:
        """Our own clock jumped: what we did not hear proves nothing."""
        if self._hello_heard is not None:
            self._hello_heard = now
        self.heard = max(self.heard, now - FRESH * self._heartbeat)

    def hellos_missed(self, now: float) -> bool:
        """Three fast hellos are missing; true once per silence."""
        at = self._hello_deadline
        if at is None or now < at:
            return False
        self._hello_heard = None
        return True

    def on_timer(self, now: float, health: Health) -> list[Effect]:
        """Heartbeat and fast hello when they are due; a silent connection is given up."""
        if self._channel is None:
            return []
        if now >= self.heard + SILENCE:
            return self.close(f"silent for {SILENCE:g} s")
        if not self._said_hello:
            return []
        effects: list[Effect] = []
        if now >= self._next_heartbeat:
            effects += self.beat(health, now)
        if self._settings.hello and now >= self._next_hello:
            self._next_hello = max(self._next_hello, now - self._settings.hello) + self._settings.hello
            effects.append(SendHello(self._channel.hello()))
        return effects

    def beat(self, health: Health, now: float) -> list[Effect]:
        """Say how we are now; the next heartbeat counts from here."""
        self._next_heartbeat = now + self._heartbeat
        return self.say(health)

    @property
    def _hello_deadline(self) -> float | None:
        if self._hello_heard is None or self._settings.hello is None:
            return None
        return self._hello_heard + HELLOS_MISSED * self._settings.hello

    def _update(self, said: Hello | Health) -> None:
        if isinstance(said, Hello):
            self.known = said
        elif self.known is not None:
            self.known = Hello(
                self.known.node,
                self.known.addresses,
                said.role,
                max(said.epoch, self.known.epoch),
                said.priority,
                said.ready,
                said.synced,
                said.penalty,
                self.known.addresses6,
            )
