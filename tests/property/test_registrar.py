"""Sans-IO: random REGISTERs against a naive registrar that is a dict and reads like RFC 3261 section 10.3."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.bus import Event
from sipcore.location.binding import Binding
from sipcore.message import Request, Response, parse
from sipcore.registrar import MaxContactsPolicy, Registrar, RegistrarSettings
from sipcore.role import Role
from sipcore.transport.layer import Hop
from tests.kit.replication import Node

AOR = b"sip:alice@example.test"
MIN, MAX, DEFAULT, LIMIT = 60, 1000, 500, 3
CALL_IDS = ("c1", "c2")

contact = st.tuples(
    st.integers(0, 4),  # which URI
    st.sampled_from([None, 0, 10, 60, 700, 5000]),  # expires parameter
    st.sampled_from([0, 0, 1, 2]),  # reg-id
)
register = st.tuples(
    st.lists(contact, min_size=0, max_size=4),
    st.sampled_from([None, 0, 59, 300]),  # Expires
    st.sampled_from(CALL_IDS),
    st.integers(1, 6),  # CSeq
    st.booleans(),  # Contact: *
    st.sampled_from([0, 1, 50, 400]),  # seconds that pass before it
)
Step = tuple[list[tuple[int, int | None, int]], int | None, str, int, bool, int]


@dataclass
class Naive:
    """By identity: URI, expiry, Call-ID, CSeq, time of the refresh; what is gone is remembered."""

    replace: bool
    contacts: dict[str, tuple[str, float, str, int, float]] = field(default_factory=dict)
    gone: dict[str, tuple[float, str, int]] = field(default_factory=dict)

    def live(self, now: float) -> dict[str, tuple[str, float, str, int, float]]:
        return {key: value for key, value in self.contacts.items() if value[1] > now}

    def ordered(self, key: str, call_id: str, cseq: int, now: float) -> bool:
        known = self.contacts.get(key)
        if known is not None and known[1] > now:
            return known[2] != call_id or cseq >= known[3]
        gone = self.gone.get(key)
        return gone is None or gone[0] <= now or gone[1] != call_id or cseq >= gone[2]

    def register(self, step: Step, now: float) -> int:
        given_, header, call_id, cseq, star, _ = step
        live = self.live(now)
        if star:
            if given_ or header != 0:
                return 400
            if any(value[2] == call_id and cseq < value[3] for value in live.values()):
                return 400
            for key in live:
                self._remove(key, call_id, cseq)
            return 200
        seconds = [e if e is not None else header if header is not None else DEFAULT for _, e, _ in given_]
        wanted = [
            (f"i;{reg}" if reg else f"u{n}", f"u{n}", s)
            for (n, _, reg), s in zip(given_, seconds, strict=True)
        ]
        made = [reg for (_, _, reg), s in zip(given_, seconds, strict=True) if s]
        if len(made) > 1 and any(made):
            return 400
        result: dict[str, tuple[str, float] | None] = {}
        for key, uri, s in wanted:
            if 0 < s < MIN:
                return 423
            if not self.ordered(key, call_id, cseq, now):
                return 400
            result[key] = (uri, now + min(s, MAX)) if s else None
        after = {key for key in live if key not in result} | {key for key, v in result.items() if v}
        surplus = len(after) - LIMIT
        kept = sorted((live[key][4], key) for key in live if key not in result)
        if surplus > 0 and (not self.replace or surplus > len(kept)):
            return 403
        for key, value in result.items():
            if value is not None:
                self.contacts[key] = (value[0], value[1], call_id, cseq, now)
                self.gone.pop(key, None)
            elif key in live:
                self._remove(key, call_id, cseq)
        if surplus > 0:
            for _, key in kept[:surplus]:
                self._remove(key, call_id, cseq)
        return 200

    def _remove(self, key: str, call_id: str, cseq: int) -> None:
        value = self.contacts.pop(key)
        self.gone[key] = (value[1], call_id, cseq)


class Real:
    """The registrar and what its events add up to."""

    def __init__(self, policy: MaxContactsPolicy) -> None:
        self.node = Node("a")
        self.node.become(Role.MASTER, 1)
        limits = RegistrarSettings(
            frozenset({b"example.test"}),
            min_expires=MIN,
            max_expires=MAX,
            default_expires=DEFAULT,
            max_contacts=LIMIT,
            max_contacts_policy=policy,
        )
        self.registrar = Registrar(limits, self.node.table, None)
        self.status = 0
        self.by_events: set[bytes] = set()
        self.registered = False
        self.updates = 0
        for event in Event:
            self.node.bus.subscribe(event, lambda aor, subject, event=event: self.hear(event, subject))  # type: ignore[misc] # a default

    def hear(self, event: Event, subject: Binding | None) -> None:
        if event is Event.E_UL_AOR_INSERT:
            assert not self.registered
            self.registered = True
        elif event is Event.E_UL_AOR_DELETE:
            assert self.registered
            assert not self.by_events
            self.registered = False
        elif subject is not None and event is Event.E_UL_CONTACT_INSERT:
            assert subject.key not in self.by_events
            self.by_events.add(subject.key)
        elif subject is not None and event is Event.E_UL_CONTACT_UPDATE:
            assert subject.key in self.by_events
            self.updates += 1
        elif subject is not None:
            self.by_events.remove(subject.key)

    def respond(self, data: bytes, status: int, now: float, hold: bool = False) -> None:
        response = parse(data)
        assert isinstance(response, Response)
        self.status = response.status
        if status == 200:
            assert len(response.values(b"contact")) == len(self.node.table.lookup(AOR, now))

    def register(self, step: Step, now: float) -> int:
        given_, header, call_id, cseq, star, _ = step
        lines = [f"Contact: {_contact(*each)}" for each in given_]
        lines += ["Contact: *"] if star else []
        lines += [f"Expires: {header}"] if header is not None else []
        text = "\r\n".join(
            (
                "REGISTER sip:example.test SIP/2.0",
                "Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1",
                "To: <sip:alice@example.test>",
                "From: <sip:alice@example.test>;tag=1",
                f"Call-ID: {call_id}",
                f"CSeq: {cseq} REGISTER",
                *lines,
                "",
                "",
            )
        )
        request = parse(text.encode())
        assert isinstance(request, Request)
        self.registrar.on_request(request, Hop("192.0.2.7", 5060), self, now)
        return self.status

    def live(self, now: float) -> dict[str, tuple[str, float]]:
        return {
            f"i;{b.reg_id}" if b.reg_id else b.uri.decode()[4:].partition("@")[0]: (
                b.uri.decode()[4:].partition("@")[0],
                b.expires_at,
            )
            for b in self.node.table.lookup(AOR, now)
        }


def _contact(number: int, expires: int | None, reg_id: int) -> str:
    text = f"<sip:u{number}@192.0.2.7>"
    text += f';+sip.instance="<urn:uuid:i>";reg-id={reg_id}' if reg_id else ""
    return text + (f";expires={expires}" if expires is not None else "")


@settings(deadline=None)
@given(st.lists(register, max_size=12), st.sampled_from(list(MaxContactsPolicy)))
def test_the_registrar_does_what_a_dict_does(steps: list[Step], policy: MaxContactsPolicy) -> None:
    naive, real = Naive(policy is MaxContactsPolicy.REPLACE_OLDEST), Real(policy)
    now = 1.0
    for step in steps:
        now += step[5] + 0.125  # two contacts are never equally old, but those of one REGISTER
        real.node.wheel.advance(now)
        assert real.register(step, now) == naive.register(step, now)
        live = {key: value[:2] for key, value in naive.live(now).items()}
        assert real.live(now) == live
        assert real.registered == bool(real.by_events)
        assert len(real.by_events) >= len(live)  # a contact ends up to a second after its time
    end = int(now) + 2 * MAX
    for second in range(int(now), end):
        real.node.wheel.advance(float(second))
    assert (real.by_events, real.registered, real.node.table.contacts) == (set(), False, 0)
