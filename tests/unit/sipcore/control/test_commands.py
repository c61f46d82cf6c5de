"""The bodies that the control API accepts, and what it answers."""

import json

import pytest

from sipcore.control.commands import BadRequestError, event_line, location_rows, parse_role
from sipcore.location.binding import Binding
from sipcore.location.table import LocationTable
from sipcore.replication.journal import Journal
from sipcore.role import Role, RoleGate
from sipcore.timers import TimerWheel


def test_a_role_order_is_read() -> None:
    order = parse_role(b'{"role":"MASTER","epoch":7,"reason":"master down timer"}')
    assert (order.role, order.epoch, order.reason) == (Role.MASTER, 7, "master down timer")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "body"),
        (b'{"role":"FAULT","epoch":1}', "FAULT"),
        (b'{"role":"MASTER","epoch":-1}', "epoch"),
        (b'{"role":"MASTER"}', "epoch"),
        (b'{"role":"MASTER","epoch":1,"force":true}', "force"),
        (b"\xff\xfe", "body"),
    ],
)
def test_another_body_is_refused_with_the_reason(body: bytes, said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        parse_role(body)


def test_the_first_event_is_the_bare_status_and_the_others_have_a_name() -> None:
    assert json.loads(event_line(None, {"role": "MASTER"})) == {"role": "MASTER"}
    assert json.loads(event_line("role", {"role": "MASTER"})) == {"event": "role", "role": "MASTER"}


def table() -> LocationTable:
    gate = RoleGate("a")
    gate.change(Role.MASTER, 3)
    found = LocationTable(gate, TimerWheel(), Journal(gate))
    for user in (b"alice", b"bob"):
        binding = Binding(b"sip:" + user + b"@192.0.2.1", call_id=b"c", cseq=1, expires_at=60.0)
        found.save(b"sip:" + user + b"@example.test", binding, 0.0)
    return found


def test_the_location_shows_all_contacts_or_those_of_one_address() -> None:
    aors = {row["aor"] for row in location_rows(table(), None, 0.0)}
    assert aors == {"sip:alice@example.test", "sip:bob@example.test"}
    (row,) = location_rows(table(), "bob@EXAMPLE.test", 10.0)
    assert (row["contact"], row["expires"], row["epoch"]) == ("sip:bob@192.0.2.1", 50.0, 3)
    assert location_rows(table(), "sip:carol@example.test", 0.0) == []


def test_an_address_that_is_no_uri_is_refused() -> None:
    with pytest.raises(BadRequestError, match="sip:"):
        location_rows(table(), "sip:", 0.0)
