"""IO shell: calls in every named state at once, and what each phone was sent; with a takeover or without.

Each state: whom alice calls, what happens before the master dies, while nobody has the address, and after it.
"""

import time
from collections.abc import Iterator
from typing import NamedTuple

from haagent.lab.topology import VIP
from sipcore.message import Request, Response, Uri, parse
from sipcore.phone.agent import Event
from sipcore.phone.link import Link
from sipcore.transport.layer import Hop
from tests.kit.core_pair import PORT, Pair
from tests.kit.sip_live import PATIENCE, LivePhones
from tests.kit.sip_sights import sights

Step = tuple[str, str]  # a phone, and what it does or is told
Steps = tuple[Step, ...]

ROUTES = """
from sipcore.script import *

@request_route
async def main(call: Call) -> None:
    if await has_totag(call):
        await loose_route(call)
        await relay(call)
        return
    await record_route(call)
    if call.rU == "mailed":
        await t_on_failure(call, "voicemail")
    await append_branch(call, "{bob}")
    if call.rU in ("forked", "serial"):
        await append_branch(call, "{carol}", q=1.0 if call.rU == "forked" else 0.5)
    await relay(call)

@failure_route("voicemail")
async def voicemail(call: Call) -> None:
    await append_branch(call, "{dave}")
    await relay(call)
"""


class State(NamedTuple):
    """Where a call is when its master dies."""

    called: str
    before: Steps = ()
    meanwhile: Steps = ()
    after: Steps = ()


CALL: Step = ("alice", "call")
RINGS: Step = ("bob", "ringing")
CALLED: Steps = (CALL, RINGS, ("alice", "progress"))
BYE: Steps = (("alice", "bye"), ("alice", "bye_answered"))
ANSWERED: Steps = (("alice", "answered"), ("bob", "established"), *BYE)
CAROL: Steps = (("carol", "answer"), ("alice", "answered"), ("carol", "established"), *BYE)
DAVE: Steps = (("dave", "answer"), ("alice", "answered"), ("dave", "established"), *BYE)
STATES = {
    "before 100": State("bob", (), (CALL,), (RINGS, ("bob", "answer"), *ANSWERED)),
    "ringing": State("bob", CALLED, (), (("bob", "answer"), *ANSWERED)),
    "forked ringing": State("forked", (*CALLED, ("carol", "ringing"), ("alice", "progress")), (), CAROL),
    "between branches": State("serial", CALLED, (("bob", "486"),), (("carol", "ringing"), *CAROL)),
    "2xx in flight": State("bob", CALLED, (("bob", "answer"),), ANSWERED),
    "CANCEL in flight": State(
        "bob", CALLED, (("alice", "cancel"),), (("bob", "cancelled"), ("alice", "failed"))
    ),
    "486 in flight": State("bob", CALLED, (("bob", "486"),), (("alice", "failed"),)),
    "486 before voicemail": State("mailed", CALLED, (("bob", "486"),), (("dave", "ringing"), *DAVE)),
    "302 before voicemail": State("mailed", CALLED, (("bob", "302"),), (("dave", "ringing"), *DAVE)),
    "voicemail rings": State("mailed", (*CALLED, ("bob", "486"), ("dave", "ringing")), (), DAVE),
    "up": State("bob", (*CALLED, ("bob", "answer"), ("alice", "answered"), ("bob", "established")), (), BYE),
    "BYE in flight": State(
        "bob",
        (*CALLED, ("bob", "answer"), ("alice", "answered"), ("bob", "established")),
        (("alice", "bye"),),
        (("bob", "bye_received"), ("alice", "bye_answered")),
    ),
    "ACK lost": State(
        "bob", (*CALLED, ("alice", "loses"), ("bob", "answer"), ("alice", "answered")), (), ANSWERED[1:]
    ),
}  # fmt: skip


class Recorder:
    """A link that remembers what came and went; `loses` counts ACKs that it drops."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.came: list[bytes] = []
        self.went: list[bytes] = []
        self.loses = 0
        self.errors = self.connects = 0
        self.socket = link.socket

    def reconnect(self) -> bool:
        return self._link.reconnect()

    def send(self, data: bytes, hop: Hop) -> None:
        self.went.append(data)
        if self.loses and data.startswith(b"ACK"):
            self.loses -= 1
        else:
            self._link.send(data, hop)

    def receive(self) -> Iterator[tuple[bytes, Hop]]:
        for data, source in self._link.receive():
            self.came.append(data)
            yield data, source

    def close(self) -> None:
        self._link.close()


class Stage:
    """Four phones behind a pair, and the calls of the table."""

    def __init__(self, local: str) -> None:
        names = ("alice", "bob", "carol", "dave")
        self._phones = {name: LivePhones((VIP, PORT), *names, local=local) for name in names}
        self._recorders = {name: Recorder(phones.wire.link) for name, phones in self._phones.items()}
        for name, phones in self._phones.items():
            phones.wire.link = self._recorders[name]

    @property
    def routes(self) -> str:
        """The script that leads to these phones."""
        ends = {name: phones.wire.socket.getsockname() for name, phones in self._phones.items()}
        return ROUTES.format(**{name: f"sip:{name}@{host}:{port}" for name, (host, port) in ends.items()})

    def run(self, pair: Pair, *, takeover: bool) -> None:
        """Bring all calls to their states, have the master die (or not), and end them."""
        self._all("before")
        if takeover:
            pair.a.kill()
        self._all("meanwhile")
        if takeover:
            pair.move_vip()
            pair.b.role("MASTER", 2)
        self._all("after")

    def seen(self) -> dict[tuple[str, str], list[tuple[object, ...]]]:
        """Per call and phone: what it was sent, with names for tags and numbers for branches."""
        calls = {
            message.call_id: (message.first(b"x-call-id") or b"").decode()
            for message in map(parse, self._recorders["alice"].went)
            if message.method == b"INVITE" and isinstance(message, Request)
        }
        owner: dict[bytes, str] = {}
        for name, recorder in self._recorders.items():
            for message in map(parse, recorder.went):
                if isinstance(message, Response) and message.to_tag:
                    owner.setdefault(message.to_tag, name)
        found: dict[tuple[str, str], list[tuple[object, ...]]] = {}
        for name, recorder in self._recorders.items():
            for call_id, call in calls.items():
                own = [data for data in recorder.came if parse(data).call_id == call_id]
                if own:
                    found[call, name] = _named(sights(own), owner)
        return found

    def close(self) -> None:
        """Close the sockets."""
        for recorder in self._recorders.values():
            recorder.close()

    def _all(self, part: str) -> None:
        for call, state in STATES.items():
            for who, what in getattr(state, part):
                self._step(call, who, what, state.called)

    def _step(self, call: str, who: str, what: str, called: str) -> None:
        phones, now = self._phones[who], time.monotonic()
        phone = phones.phone
        if what == "call":
            phone.call(call, b"alice", called.encode(), now)
        elif what == "loses":
            self._recorders[who].loses += 1
        elif what == "answer":
            assert phone.answer(call, now)
        elif what.isdigit():
            assert phone.reject(call, int(what), now)
        elif what == "cancel":
            assert phone.cancel(call, now)
        elif what == "bye":
            assert phone.bye(call, "caller", now)
        else:
            self._until(call, who, what)
        phones.wire.flush()

    def _until(self, call: str, who: str, event: str) -> Event:
        end = time.monotonic() + 2 * PATIENCE
        own = self._phones[who].phone.events
        while time.monotonic() < end:
            for found in own:
                if found["event"] == event and found.get("id") == call:
                    own.remove(found)
                    return found
            for phones in self._phones.values():
                phones.wire.wait(0.002)
        events = {name: phones.phone.events for name, phones in self._phones.items()}
        raise AssertionError(f"{call}: {who} did not hear {event}: {events}")


def _named(seen: list[tuple[object, ...]], owner: dict[bytes, str]) -> list[tuple[object, ...]]:
    branches: dict[object, int] = {}
    named: list[tuple[object, ...]] = []
    for first, second, *rest in seen:
        tag = rest[1]
        assert isinstance(tag, bytes)
        who = owner.get(tag, "us" if tag else "")
        if isinstance(first, int):
            named.append((first, second, rest[0], who))
        else:
            assert isinstance(second, bytes)
            number = branches.setdefault(rest[2], len(branches))
            named.append((first, Uri.parse(second).user, rest[0], who, number))
    provisional = sorted((one for one in named if isinstance(one[0], int) and one[0] < 200), key=repr)
    return provisional + [one for one in named if one not in provisional]
