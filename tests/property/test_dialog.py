"""Random interleavings of what passes a dialog table: counts fit, profiles fit, nothing stays for ever."""

from collections import Counter

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sipcore.dialog.dialog import DELETED, EARLY, Dialog, EndReason, State
from sipcore.dialog.replica import DialogReplica
from sipcore.dialog.settings import DialogSettings, Side
from sipcore.replication.capability import Kind
from sipcore.role import Role
from tests.kit.sip_dialog import Desk

CALLS = st.sampled_from([b"call-1", b"call-2", b"call-3"])
TAGS = st.sampled_from([b"bob-1", b"bob-2"])
USERS = st.sampled_from(["alice", "bob"])
LIMIT = 2
SETTINGS = DialogSettings(
    max_dialogs=100,
    lifetime=300.0,
    early_timeout=200.0,
    pings=Side.CALLEE,
    session_expires=90,
    session_bye=True,
    profiles=("caller", "any"),
)


class Dialogs(RuleBasedStateMachine):
    """One node that is MASTER most of the time; messages come in any order, twice, or never."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(SETTINGS, now=1000.0)
        self.table = self.desk.table
        self.replica = DialogReplica(self.desk.gate, self.table)
        self.desk.journal.register(self.replica)
        self.standby: set[bytes] = set()  # keys that a peer would have now

    @rule(call=CALLS, cseq=st.integers(1, 3), branch=st.sampled_from([b"z9hG4bK-1", b"z9hG4bK-2"]))
    def invite(self, call: bytes, cseq: int, branch: bytes) -> None:
        self.desk.invite(call_id=call, cseq=cseq, branch=branch)

    @rule(call=CALLS, tag=TAGS, status=st.sampled_from([100, 180, 183, 200, 486]), timer=st.booleans())
    def respond(self, call: bytes, tag: bytes, status: int, timer: bool) -> None:
        headers = ((b"Session-Expires", b"90;refresher=uac"),) if timer else ()
        self.desk.respond(status, tag, call_id=call, headers=headers, asked=((b"Supported", b"timer"),))

    @rule(
        call=CALLS,
        tag=TAGS,
        method=st.sampled_from([b"ACK", b"BYE", b"UPDATE", b"INVITE", b"INFO"]),
        back=st.booleans(),
        cseq=st.integers(1, 5),
        status=st.sampled_from([0, 200, 481]),
    )
    def say(self, call: bytes, tag: bytes, method: bytes, back: bool, cseq: int, status: int) -> None:
        said = self.desk.say(method, call_id=call, tag=tag, back=back, cseq=cseq)
        if status and method in (b"UPDATE", b"INVITE"):
            self.desk.agree(said, status=status)

    @rule(call=CALLS, branch=st.sampled_from([b"z9hG4bK-1", b"z9hG4bK-2"]))
    def fail(self, call: bytes, branch: bytes) -> None:
        self.desk.fail(call_id=call, branch=branch)

    @rule(call=CALLS, user=USERS)
    def enter_with_limit(self, call: bytes, user: str) -> None:
        dialog = self._dialog(call)
        if dialog is not None:
            was_in = self.table.in_profile(dialog, "caller", user)
            room = self.table.profiles.size("caller", user) < LIMIT
            entered = self.table.enter_profile(dialog, "caller", user, LIMIT)
            assert entered is (was_in or (room and dialog.state is not DELETED))

    @rule(call=CALLS, user=USERS)
    def leave(self, call: bytes, user: str) -> None:
        dialog = self._dialog(call)
        if dialog is not None and dialog.state is not DELETED:
            self.table.leave_profile(dialog, "caller", user)

    @rule(call=CALLS, quiet=st.booleans())
    def end(self, call: bytes, quiet: bool) -> None:
        dialog = self._dialog(call)
        if dialog is not None:
            self.desk.keeper.end(dialog, EndReason.OPERATOR, self.desk.now, quiet=quiet)

    @rule(status=st.sampled_from([0, 200, 481, 500]), data=st.data())
    def answer(self, status: int, data: st.DataObject) -> None:
        if self.desk.mail.sent:
            index = data.draw(st.integers(0, len(self.desk.mail.sent) - 1))
            self.desk.mail.sent.pop(index).answer(status, self.desk.now)

    @rule(seconds=st.sampled_from([0.5, 7.0, 31.0, 70.0, 250.0]))
    def pass_time(self, seconds: float) -> None:
        self.desk.run(seconds)

    @rule(seconds=st.sampled_from([0.0, 20.0, 400.0]))
    def stand_by_and_come_back(self, seconds: float) -> None:
        desk, before = self.desk, self._live()
        desk.gate.change(Role.BACKUP, desk.gate.epoch + 1)
        self.replica.stand_by(desk.now)
        assert (self.table.dialogs, self.table.profiles.size("caller")) == ({}, 0)
        sent = len(desk.mail.sent)
        desk.run(seconds)
        assert len(desk.mail.sent) == sent, "a standby sends nothing"
        desk.mail.sent.clear()  # a silenced transaction tells nobody its end
        desk.gate.change(Role.MASTER, desk.gate.epoch + 1)
        self.replica.take_over(desk.now)
        assert self._live() == before

    @invariant()
    def counts_fit(self) -> None:
        dialogs = self.table.dialogs.values()
        assert self.table.states == {state: sum(d.state is state for d in dialogs) for state in State}
        assert len(self.table) == len(self._live(State.UNCONFIRMED))
        assert all(dialog.key == key for key, dialog in self.table.dialogs.items())

    @invariant()
    def profiles_fit(self) -> None:
        members: Counter[str] = Counter()
        for dialog in self.table.dialogs.values():
            if dialog.more is not None and dialog.state is not DELETED:
                members.update(value for name, value in dialog.more.profiles if name == "caller")
        assert dict(self.table.profiles.values("caller")) == dict(members)
        assert self.table.profiles.size("caller") == members.total()
        assert max(members.values(), default=0) <= LIMIT

    @invariant()
    def the_standby_hears_of_every_change(self) -> None:
        while (batch := self.desk.journal.flush(self.desk.now)) is not None:
            for kind, key, payload, _ in msgspec.msgpack.decode(batch[1]):
                assert kind == Kind.DIALOG
                (self.standby.discard if payload is None else self.standby.add)(bytes(key))
        known = {key for key, d in self.table.dialogs.items() if self.table.is_replicated(d)}
        assert self.standby == known

    def teardown(self) -> None:
        for _ in range(8):
            self.desk.run(400.0)
        assert self.table.dialogs == {}
        assert self.desk.wheel.pending == 0

    def _dialog(self, call: bytes) -> Dialog | None:
        return self.table.dialogs.get(call + b" alice-1")

    def _live(self, least: State = EARLY) -> set[bytes]:
        """What replication carries and has not ended."""
        return {
            key
            for key, d in self.table.dialogs.items()
            if d.state is not DELETED and (d.state >= least or d.more is not None)
        }


TestDialogs = Dialogs.TestCase
TestDialogs.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
