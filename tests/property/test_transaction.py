"""The four transaction machines: any input in any state."""

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import ClassVar, Protocol, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.message import Response, build_response
from sipcore.transaction import invite_client, invite_server, non_invite_client, non_invite_server
from tests.kit.sip_messages import parsed_request, parsed_response, request
from tests.kit.transaction_user import HERE, PEER, Recorder

VIA = b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-x"
INVITE = request(b"INVITE", via=VIA)
OPTIONS = request(b"OPTIONS", via=VIA)
ACK = parsed_request(request(b"ACK", via=VIA))
STATUS = {"RESPONSE_1XX": 180, "RESPONSE_2XX": 200, "RESPONSE_300_699": 486, "RESPONSE_200_699": 404}

# Each arrow of RFC 3261 figures 5 to 8 with RFC 6026: which states may follow which.
LEGAL = {
    "invite client": {
        "CALLING": "CALLING PROCEEDING ACCEPTED COMPLETED TERMINATED",
        "PROCEEDING": "PROCEEDING ACCEPTED COMPLETED",
        "ACCEPTED": "ACCEPTED TERMINATED",
        "COMPLETED": "COMPLETED TERMINATED",
        "TERMINATED": "",
    },
    "invite server": {
        "PROCEEDING": "PROCEEDING ACCEPTED COMPLETED TERMINATED",
        "ACCEPTED": "ACCEPTED TERMINATED",
        "COMPLETED": "COMPLETED CONFIRMED TERMINATED",
        "CONFIRMED": "CONFIRMED TERMINATED",
        "TERMINATED": "",
    },
    "non-invite client": {
        "TRYING": "TRYING PROCEEDING COMPLETED TERMINATED",
        "PROCEEDING": "PROCEEDING COMPLETED TERMINATED",
        "COMPLETED": "TERMINATED",
        "TERMINATED": "",
    },
    "non-invite server": {
        "TRYING": "TRYING PROCEEDING COMPLETED",
        "PROCEEDING": "PROCEEDING COMPLETED TERMINATED",
        "COMPLETED": "COMPLETED TERMINATED",
        "TERMINATED": "",
    },
}
ARROWS = {
    "invite client": [(s.name, row[1].name) for (s, _), row in invite_client.InviteClient.TABLE.items()],
    "invite server": [(s.name, row[1].name) for (s, _), row in invite_server.InviteServer.TABLE.items()],
    "non-invite client": [
        (s.name, row[1].name) for (s, _), row in non_invite_client.NonInviteClient.TABLE.items()
    ],
    "non-invite server": [
        (s.name, row[1].name) for (s, _), row in non_invite_server.NonInviteServer.TABLE.items()
    ],
}


@pytest.mark.parametrize("machine", LEGAL)
def test_every_state_is_followed_by_those_of_the_figure(machine: str) -> None:
    legal = {(state, after) for state, followers in LEGAL[machine].items() for after in followers.split()}
    assert set(ARROWS[machine]) == legal


class Machine(Protocol):
    """What the four have in common for `test_each_state_takes_each_input...`."""

    TABLE: ClassVar[Mapping[tuple[IntEnum, IntEnum], tuple[object, IntEnum]]]
    state: IntEnum

    def feed(self, given: IntEnum, now: float, message: object = None) -> None: ...

    def drop(self) -> None: ...


def client(data: bytes) -> Callable[[Recorder], object]:
    return lambda user: user.layer.request(data, HERE, 0.0)


def server(data: bytes) -> Callable[[Recorder], object]:
    def make(user: Recorder) -> object:
        user.layer.receive(parsed_request(data), PEER, 0.0)
        assert user.last_tx is not None
        user.last_tx.last_response = b"SIP/2.0 "
        return user.last_tx

    return make


MACHINES: dict[str, tuple[Callable[[Recorder], object], type[IntEnum], type[IntEnum], bytes]] = {
    "invite client": (client(INVITE), invite_client.State, invite_client.Input, INVITE),
    "invite server": (server(INVITE), invite_server.State, invite_server.Input, INVITE),
    "non-invite client": (client(OPTIONS), non_invite_client.State, non_invite_client.Input, OPTIONS),
    "non-invite server": (server(OPTIONS), non_invite_server.State, non_invite_server.Input, OPTIONS),
}
PAIRS = [
    (name, state, given)
    for name, (_, states, inputs, _) in MACHINES.items()
    for state in states
    for given in inputs
]


@pytest.mark.parametrize(
    ("name", "state", "given_input"), PAIRS, ids=[f"{n}-{s.name}-{i.name}" for n, s, i in PAIRS]
)
def test_each_state_takes_each_input_by_its_row_or_without_any_effect(
    name: str, state: IntEnum, given_input: IntEnum
) -> None:
    make, _, _, data = MACHINES[name]
    user = Recorder()
    tx = cast(Machine, make(user))
    user.outbox.clear()
    user.told.clear()
    tx.state = state
    if state.name == "TERMINATED":
        tx.drop()
    row = tx.TABLE.get((state, given_input))
    message: object = ACK if name == "invite server" else response(data, given_input)
    if name == "non-invite server":
        tx.feed(given_input, 1.0)
    else:
        tx.feed(given_input, 1.0, message)
    assert tx.state is (row[1] if row else state)
    if row is None:
        assert (user.outbox, user.told) == ([], [])
    assert (len(user.layer) == 0) is (tx.state.name == "TERMINATED")


@given(st.lists(st.sampled_from(list(invite_client.Input)), max_size=12))
def test_an_invite_client_follows_its_table_whatever_comes(inputs: list[invite_client.Input]) -> None:
    user = Recorder()
    tx = user.layer.request(INVITE, HERE, 0.0)
    assert isinstance(tx, invite_client.InviteClient)
    for given_input in inputs:
        row = tx.TABLE.get((tx.state, given_input))
        before = tx.state
        tx.feed(given_input, 1.0, response(INVITE, given_input))
        assert tx.state is (row[1] if row else before)
        check_table(user, ended=tx.state is invite_client.TERMINATED)


@given(st.lists(st.sampled_from(list(non_invite_client.Input)), max_size=12))
def test_a_client_follows_its_table_whatever_comes(inputs: list[non_invite_client.Input]) -> None:
    user = Recorder()
    tx = user.layer.request(OPTIONS, HERE, 0.0)
    assert isinstance(tx, non_invite_client.NonInviteClient)
    for given_input in inputs:
        row = tx.TABLE.get((tx.state, given_input))
        before = tx.state
        tx.feed(given_input, 1.0, response(OPTIONS, given_input))
        assert tx.state is (row[1] if row else before)
        check_table(user, ended=tx.state is non_invite_client.TERMINATED)


@given(st.lists(st.sampled_from(list(invite_server.Input)), max_size=12))
def test_an_invite_server_follows_its_table_whatever_comes(inputs: list[invite_server.Input]) -> None:
    user = Recorder()
    user.layer.receive(parsed_request(INVITE), PEER, 0.0)
    tx = user.last_tx
    assert isinstance(tx, invite_server.InviteServer)
    for given_input in inputs:
        row = tx.TABLE.get((tx.state, given_input))
        before = tx.state
        tx.feed(given_input, 1.0, ACK)
        assert tx.state is (row[1] if row else before)
        check_table(user, ended=tx.state is invite_server.TERMINATED)


@given(st.lists(st.sampled_from(list(non_invite_server.Input)), max_size=12))
def test_a_server_follows_its_table_whatever_comes(inputs: list[non_invite_server.Input]) -> None:
    user = Recorder()
    user.layer.receive(parsed_request(OPTIONS), PEER, 0.0)
    tx = user.last_tx
    assert isinstance(tx, non_invite_server.NonInviteServer)
    for given_input in inputs:
        row = tx.TABLE.get((tx.state, given_input))
        before = tx.state
        tx.feed(given_input, 1.0)
        assert tx.state is (row[1] if row else before)
        check_table(user, ended=tx.state is non_invite_server.TERMINATED)


@given(st.lists(st.tuples(st.floats(0.0, 12.0), st.sampled_from([100, 180, 200, 404, 486])), max_size=8))
def test_an_invite_client_ends_in_time_and_is_passed_on_at_most_one_failure(
    arrivals: list[tuple[float, int]],
) -> None:
    user = Recorder()
    user.layer.request(INVITE, HERE, 0.0)
    for wait, status in arrivals:
        user.now += wait
        user.wheel.advance(user.now)
        user.layer.receive(
            parsed_response(build_response(parsed_request(INVITE), status, to_tag=b"t")), PEER, user.now
        )
    failures = [told for told in user.told if told in ("404", "486", "timeout")]
    assert len(failures) <= 1
    final = failures or "200" in user.told
    for _ in range(40):
        user.now += 1.0
        user.wheel.advance(user.now)
    assert bool(len(user.layer)) is (not final and bool(user.told) and user.told[-1] in ("100", "180"))


def response(data: bytes, given_input: IntEnum) -> Response | None:
    status = STATUS.get(given_input.name)
    return parsed_response(build_response(parsed_request(data), status, to_tag=b"t")) if status else None


def check_table(user: Recorder, *, ended: bool) -> None:
    assert len(user.layer) == (0 if ended else 1)
    assert not (ended and user.wheel.pending)
