"""Sans-IO: calls that a takeover may hit anywhere: who is there, what they do when, what the wire loses."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sipcore.core import SipCore
from sipcore.location.binding import Binding
from sipcore.proxy import Call, Proxy, ProxySettings
from sipcore.transport.layer import Hop
from tests.kit.sip_names import Names, udp
from tests.kit.sip_pair import SETTINGS, VIP, Play, Script, SipPair
from tests.kit.sip_routes import Hook, HookedRoutes
from tests.kit.sip_sights import is_cancel
from tests.kit.sip_wire import Answering

ALICE = {"alice": (b"alice", "192.0.2.1", 1.0)}
BOB = ALICE | {"bob": (b"bob", "192.0.2.2", 1.0)}
FORKED = BOB | {"bob2": (b"bob", "192.0.2.3", 1.0)}
SERIAL = BOB | {"bob2": (b"bob", "192.0.2.3", 0.5)}


def call(play: Play) -> None:
    play.phones["alice"].call("1", b"alice", b"bob", play.now)


def cancel(play: Play) -> None:
    play.phones["alice"].cancel("1", play.now)


def caller_bye(play: Play) -> None:
    play.phones["alice"].bye("1", "caller", play.now)


def answer(play: Play) -> None:
    play.phones["bob"].answer("1", play.now)


def busy(play: Play) -> None:
    play.phones["bob"].reject("1", 486, play.now)


def callee_bye(play: Play) -> None:
    play.phones["bob"].bye("1", "callee", play.now)


def answer2(play: Play) -> None:
    play.phones["bob2"].answer("1", play.now)


def busy2(play: Play) -> None:
    play.phones["bob2"].reject("1", 486, play.now)


def callee2_bye(play: Play) -> None:
    play.phones["bob2"].bye("1", "callee", play.now)


@dataclass(frozen=True)
class Scenario:
    """Who is there, what they do when (seconds), how the proxy is set."""

    cast: dict[str, tuple[bytes, str, float]]
    script: Script
    settings: ProxySettings = SETTINGS
    prepare: Callable[[Play], None] | None = None
    crosses: bool = (
        False  # messages meet: which comes first, and whether a CANCEL still goes out, is a matter of moments
    )

    def seen(self, play: Play) -> tuple[object, object]:
        """What the phones say, and what each address was sent."""
        story, sights = play.story(), play.sights()
        if self.crosses:
            for events in story.values():  # an ACK that is lost comes again later than a BYE
                events[:] = [event for event in events if event[0] != "established"]
            for own in sights.values():
                own[:] = sorted([one for one in own if not is_cancel(one)], key=repr)
        return story, sights

    def play(self, pair: SipPair) -> Play:
        play = Play(pair, self.cast)
        if self.prepare is not None:
            self.prepare(play)
        play.run(self.script, until=80.0)
        return play


VOICEMAIL = b"sip:vm@192.0.2.9:5060"
WITH_VOICEMAIL = BOB | {"vm": (b"vm", "192.0.2.9", 1.0)}


def vm_answers(play: Play) -> None:
    play.phones["vm"].answer("1", play.now)


def each_core(play: Play, prepare: Callable[[SipCore], object]) -> None:
    for node in (play.pair.a, play.pair.b):
        prepare(node.core)


def arm(proxy: Proxy, call: Call) -> None:
    call.failure_route = "voicemail"
    call.values["told"] = "once"
    call.append_header(b"X-Edited", b"yes")


def to_voicemail(proxy: Proxy, call: Call) -> None:
    assert (call.deciding, call.values) == ("voicemail", {"told": "once"})
    proxy.append_branch(call, VOICEMAIL)
    proxy.relay(call, call.now)


def to_voicemail_later(proxy: Proxy, call: Call) -> None:
    def decide(now: float) -> None:
        call.now = now
        to_voicemail(proxy, call) if call.deciding else proxy.finish(call, now)

    proxy.wheel.schedule(call.now + 3.0, decide)


def failing_over(play: Play) -> None:
    each_core(play, lambda core: HookedRoutes(core, before=arm, failure=to_voicemail))


def deciding(play: Play) -> None:
    each_core(play, lambda core: HookedRoutes(core, before=arm, failure=to_voicemail_later))


def with_redirection(play: Play) -> None:
    play.wire.plug(Hop("192.0.2.8", 5060), Answering(302, (b"Contact", b"<sip:robert@192.0.2.2:5060>")))


def dns_answers(play: Play) -> None:
    for node in (play.pair.a, play.pair.b):
        names = node.core.proxy.sending.resolver
        assert isinstance(names, Names)
        names.answer(play.now)
    if play.pair.master is not None:
        play.pair.share(play.pair.master, play.now)


def with_slow_dns(play: Play) -> None:
    with_two_addresses(503)(play)
    for node in (play.pair.a, play.pair.b):
        names = node.core.proxy.sending.resolver
        assert isinstance(names, Names)
        names.slow.add(b"pbx.test")


def with_two_addresses(status: int) -> Callable[[Play], None]:
    """bob is behind a name: its first address is silent (0) or answers so, the second is his phone."""

    def prepare(play: Play) -> None:
        soon: Hook = lambda _, call: setattr(call, "fr_timer", 3.0)  # noqa: E731
        for node in (play.pair.a, play.pair.b):
            node.core.proxy.sending.resolver = Names(pbx_test=[udp("192.0.2.8"), udp("192.0.2.2")])
            HookedRoutes(node.core, before=soon)
        binding = Binding(b"sip:bob@pbx.test", call_id=b"b", cseq=2, expires_at=36000.0)
        play.pair.a.location.remove(
            b"sip:bob@example.test", b"sip:bob@192.0.2.2:5060", call_id=b"bob", cseq=2
        )
        play.pair.a.location.save(b"sip:bob@example.test", binding, 0.0)
        play.pair.share(play.pair.a, 0.0)
        if status:
            play.wire.plug(Hop("192.0.2.8", 5060), Answering(status))

    return prepare


def losing(*first: tuple[bytes, bytes, str]) -> Callable[[Play], None]:
    """The wire loses the first datagram to a host that begins so and has this in it, of each triple."""

    def prepare(play: Play) -> None:
        left = [*first]

        def lost(data: bytes, to: Hop) -> bool:
            for start, part, host in left:
                if to.host == host and data.startswith(start) and part in data:
                    left.remove((start, part, host))
                    return True
            return False

        play.wire.lost = lost

    return prepare


def redirected_to_voicemail(play: Play) -> None:
    with_redirection(play)
    failing_over(play)


def busy_forever(play: Play) -> None:
    play.phones["bob"].reject("1", 603, play.now)


IMPATIENT = replace(SETTINGS, no_answer=10.0)
SCENARIOS = {
    "answered, ended by the caller": Scenario(BOB, [(1, call), (11, answer), (21, caller_bye)]),
    "answered, ended by the callee": Scenario(BOB, [(1, call), (11, answer), (21, callee_bye)]),
    "cancelled": Scenario(BOB, [(1, call), (11, cancel)]),
    "busy": Scenario(BOB, [(1, call), (11, busy)]),
    "nobody there": Scenario(ALICE, [(1, call)]),
    "no answer": Scenario(BOB, [(1, call)], IMPATIENT),
    "forked, one answers": Scenario(FORKED, [(1, call), (11, answer2), (21, caller_bye)]),
    "forked, one busy, one answers": Scenario(
        FORKED, [(1, call), (11, busy), (16, answer2), (21, callee2_bye)]
    ),
    "forked, both busy": Scenario(FORKED, [(1, call), (11, busy), (16, busy2)]),
    "forked, cancelled": Scenario(FORKED, [(1, call), (11, cancel)]),
    "serial, the second answers after the first was busy": Scenario(
        SERIAL, [(1, call), (11, busy), (16, answer2), (26, caller_bye)]
    ),
    "serial, the second answers after the first did not": Scenario(
        SERIAL, [(1, call), (16, answer2), (26, caller_bye)], IMPATIENT
    ),
    "serial, cancelled at the second": Scenario(SERIAL, [(1, call), (11, busy), (16, cancel)]),
    "serial, nobody answers": Scenario(SERIAL, [(1, call)], IMPATIENT),
    "failure route, its target answers": Scenario(
        WITH_VOICEMAIL,
        [(1, call), (11, busy), (16, vm_answers), (26, caller_bye)],
        prepare=failing_over,
    ),
    "failure route, cancelled at its target": Scenario(
        WITH_VOICEMAIL, [(1, call), (11, busy), (16, cancel)], prepare=failing_over
    ),
    "failure route that takes its time": Scenario(
        WITH_VOICEMAIL,
        [(1, call), (11, busy), (20, vm_answers), (26, caller_bye)],
        prepare=deciding,
    ),
    "failure route, cancelled while it decides": Scenario(
        WITH_VOICEMAIL, [(1, call), (11, busy), (12.5, cancel)], prepare=deciding, crosses=True
    ),
    "answered, the 200 is lost": Scenario(
        BOB,
        [(1, call), (11, answer), (21, caller_bye)],
        prepare=losing((b"SIP/2.0 200", b"", "192.0.2.1"), (b"SIP/2.0 200", b"", VIP.host)),
    ),
    "answered, the ACK is lost on both ways": Scenario(
        BOB,
        [(1, call), (11, answer), (41, caller_bye)],
        prepare=losing((b"ACK", b"", VIP.host), (b"ACK", b"", "192.0.2.2")),
    ),
    "busy, the 486 and the ACKs are lost": Scenario(
        BOB,
        [(1, call), (11, busy)],
        prepare=losing((b"SIP/2.0 486", b"", VIP.host), (b"ACK", b"", "192.0.2.2"), (b"ACK", b"", VIP.host)),
    ),
    "ringing is lost": Scenario(
        BOB,
        [(1, call), (11, answer), (21, callee_bye)],
        prepare=losing((b"INVITE", b"", "192.0.2.2"), (b"SIP/2.0 100", b"", "192.0.2.1")),
    ),
    "cancelled, the CANCEL is lost on both ways": Scenario(
        BOB,
        [(1, call), (11, cancel)],
        prepare=losing((b"CANCEL", b"", VIP.host), (b"CANCEL", b"", "192.0.2.2")),
    ),
    "cancelled as it is answered": Scenario(BOB, [(1, call), (11, answer), (11, cancel)], crosses=True),
    "cancelled after it was answered": Scenario(
        BOB, [(1, call), (11, answer), (11.0015, cancel)], crosses=True
    ),
    "both ends hang up at once": Scenario(BOB, [(1, call), (11, answer), (21, caller_bye), (21, callee_bye)]),
    "the answer to the BYE is lost": Scenario(
        BOB,
        [(1, call), (11, answer), (21, caller_bye)],
        prepare=losing((b"SIP/2.0 200", b" BYE", "192.0.2.1")),
    ),
    "forked, both answer": Scenario(
        FORKED, [(1, call), (11, answer), (11.0005, answer2), (21, caller_bye)], crosses=True
    ),
    "forked, one declines for all": Scenario(FORKED, [(1, call), (11, busy_forever)]),
    "failure route, nobody answers before it": Scenario(
        WITH_VOICEMAIL, [(1, call), (16, vm_answers), (26, caller_bye)], IMPATIENT, failing_over
    ),
    "failure route after a 302": Scenario(
        WITH_VOICEMAIL | {"bob": (b"bob", "192.0.2.8", 1.0)},
        [(1, call), (11, vm_answers), (21, caller_bye)],
        prepare=redirected_to_voicemail,
    ),
    "redirected": Scenario(
        ALICE | {"bob0": (b"bob", "192.0.2.8", 1.0)}, [(1, call)], prepare=with_redirection
    ),
    "recursion on 302": Scenario(
        ALICE | {"bob0": (b"bob", "192.0.2.8", 1.0), "bob": (b"robert", "192.0.2.2", 1.0)},
        [(1, call), (11, answer), (21, caller_bye)],
        replace(SETTINGS, recurse=True),
        with_redirection,
    ),
    "two addresses, the first is silent": Scenario(
        BOB, [(1, call), (11, answer), (21, caller_bye)], prepare=with_two_addresses(0)
    ),
    "two addresses, after the DNS has taken its time": Scenario(
        BOB, [(1, call), (5, dns_answers), (11, answer), (21, caller_bye)], prepare=with_slow_dns
    ),
    "two addresses, the first is overloaded": Scenario(
        BOB, [(1, call), (11, answer), (21, caller_bye)], prepare=with_two_addresses(503)
    ),
}
