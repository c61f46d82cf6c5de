"""Sans-IO: pings in virtual time: evenly, by the master alone, and who does not answer is gone."""

from collections.abc import Callable

from sipcore.bus import Event
from sipcore.location.binding import Binding, Flag
from sipcore.message import Request, Response, build_response, parse
from sipcore.nat.keepalive import UDP_PING, Keepalive, KeepaliveSettings, PingMethod
from sipcore.role import Role
from sipcore.transport.layer import Hop, Send
from tests.kit.replication import Node

AOR = b"sip:u@x"
Done = Callable[[int, Response | None, float], None]


class Yard:
    """A location table, its pings, and phones that answer with this status (0: not at all)."""

    def __init__(self, settings: KeepaliveSettings) -> None:
        self.node = Node("a")
        self.status = 200
        self.asked: list[tuple[float, Request, bytes, Hop | None]] = []
        self.outbox: list[Send] = []
        self.now = 0.0
        self.keepalive = Keepalive(settings, self.node.table, self.node.wheel, self, self.outbox)
        self.become(Role.MASTER, 1)

    def become(self, role: Role, epoch: int) -> None:
        self.node.become(role, epoch, self.now)
        self.keepalive.on_role(role, self.now)

    def originate(
        self, request: bytes, next_uri: bytes, now: float, done: Done | None = None, hop: Hop | None = None
    ) -> None:
        start, _, rest = request.partition(b"\r\n")
        message = parse(start + b"\r\nVia: SIP/2.0/UDP 192.0.2.100;branch=z9hG4bK1\r\n" + rest)
        assert isinstance(message, Request)
        assert done is not None
        self.asked.append((now, message, next_uri, hop))
        if self.status:
            response = parse(build_response(message, self.status, to_tag=b"t"))
            assert isinstance(response, Response)
            done(self.status, response, now + 0.25)

    def save(self, uri: bytes, aor: bytes = AOR, *, nat: bool = True, port: int = 4000) -> None:
        received = Hop("198.51.100.7", port) if nat else None
        flags = Flag.NAT if nat else 0
        binding = Binding(
            uri, call_id=b"c", cseq=1, expires_at=self.now + 3600, received=received, flags=flags
        )
        self.node.table.save(aor, binding, self.now)

    def run(self, seconds: float) -> None:
        ticks = round(self.now * 100)
        for tick in range(ticks + 1, ticks + round(seconds * 100) + 1):
            self.now = tick / 100
            self.node.wheel.advance(self.now)


def test_four_bytes_go_to_contacts_behind_nat_once_in_an_interval() -> None:
    yard = Yard(KeepaliveSettings(interval=10.0))
    yard.save(b"sip:u@10.0.0.1")
    yard.save(b"sip:u@192.0.2.5", nat=False)
    yard.run(40.0)
    assert yard.outbox == [Send(UDP_PING, Hop("198.51.100.7", 4000))] * 4


def test_pings_of_many_contacts_are_spread_over_the_interval() -> None:
    yard = Yard(KeepaliveSettings(interval=10.0))
    for number in range(2000):
        yard.save(b"sip:u@h%d" % number, b"sip:%d@x" % number, port=number + 1)
    sizes = []
    for _ in range(20):
        yard.outbox.clear()
        yard.run(0.5)
        sizes.append(len(yard.outbox))
    assert sum(sizes) == 2000
    assert max(sizes) < 160  # 100 is the mean


def test_an_options_ping_is_a_request_that_a_phone_can_answer_and_gives_its_time() -> None:
    yard = Yard(KeepaliveSettings(PingMethod.OPTIONS, interval=10.0, sender=b"sip:k@example.test"))
    yard.status = 404
    yard.save(b"sip:u@10.0.0.1")
    yard.run(20.0)
    (at, first, next_uri, hop), (later, second, *_) = yard.asked
    assert (first.method, first.uri, next_uri) == (b"OPTIONS", b"sip:u@10.0.0.1", b"sip:u@10.0.0.1")
    assert hop == Hop("198.51.100.7", 4000)
    assert first.call_id != second.call_id
    assert abs(later - at - 10.0) < 0.1
    ping = yard.keepalive.ping_of(AOR, b"sip:u@10.0.0.1")
    assert ping is not None
    assert (ping.lost, ping.rtt) == (0, 0.25)
    assert ping.last_seen == later + 0.25


def test_a_phone_that_answers_nothing_is_removed_after_so_many_pings() -> None:
    yard = Yard(KeepaliveSettings(PingMethod.OPTIONS, interval=10.0, max_lost=3))
    gone: list[bytes] = []
    yard.node.bus.subscribe(Event.E_UL_CONTACT_DELETE, lambda aor, subject: gone.append(aor))
    yard.status = 0
    yard.save(b"sip:u@10.0.0.1")
    yard.run(39.0)
    assert (yard.keepalive.removed, gone) == (0, []) or len(yard.asked) == 3
    yard.run(10.0)
    assert (yard.keepalive.removed, gone, len(yard.asked)) == (1, [AOR], 3)
    assert yard.node.table.lookup(AOR, yard.now) == []
    assert len(yard.keepalive) == 0


def test_a_new_register_and_an_answer_forgive_what_was_lost() -> None:
    yard = Yard(KeepaliveSettings(PingMethod.OPTIONS, interval=10.0, max_lost=2))
    yard.status = 0
    yard.save(b"sip:u@10.0.0.1")
    for _ in range(6):
        yard.run(9.0)
        yard.save(b"sip:u@10.0.0.1")
    assert yard.keepalive.removed == 0
    yard.status = 200
    yard.run(100.0)
    assert (yard.keepalive.removed, len(yard.keepalive)) == (0, 1)


def test_with_no_limit_nobody_is_removed() -> None:
    yard = Yard(KeepaliveSettings(PingMethod.OPTIONS, interval=5.0, max_lost=0))
    yard.status = 0
    yard.save(b"sip:u@10.0.0.1")
    yard.run(100.0)
    assert (yard.keepalive.removed, len(yard.asked) > 15) == (0, True)


def test_a_backup_sends_nothing_and_a_new_master_spreads_what_it_took_over() -> None:
    yard = Yard(KeepaliveSettings(interval=10.0))
    for number in range(500):
        yard.save(b"sip:u@h%d" % number, b"sip:%d@x" % number, port=number + 1)
    yard.become(Role.BACKUP, 2)
    yard.run(20.0)
    assert yard.outbox == []
    yard.become(Role.MASTER, 3)
    yard.run(5.0)
    assert len(yard.keepalive) == 500
    assert len(yard.outbox) < 300
    yard.run(11.0)
    assert {send.hop.port for send in yard.outbox} == set(range(1, 501))


def test_removed_contacts_and_those_that_moved_out_of_the_nat_are_not_pinged() -> None:
    yard = Yard(KeepaliveSettings(interval=5.0))
    yard.save(b"sip:u@a")
    yard.save(b"sip:u@b")
    yard.node.table.remove(AOR, b"sip:u@a", call_id=b"c", cseq=2)
    yard.save(b"sip:u@b", nat=False)
    yard.run(20.0)
    assert (yard.outbox, len(yard.keepalive)) == ([], 0)
