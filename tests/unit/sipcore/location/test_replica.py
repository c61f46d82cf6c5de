"""Sans-IO: what of a binding reaches the standby, and what cannot: its connection."""

import pytest

from sipcore.location.binding import Binding, Flag
from sipcore.message import Uri
from sipcore.role import Role
from sipcore.transport.layer import Hop
from tests.kit.replication import Node

AOR = b"sip:u@example.test"
URI = Uri.parse(AOR)


def pair() -> tuple[Node, Node]:
    a, b = Node("a"), Node("b", skew=500.0)
    a.become(Role.MASTER, 1)
    return a, b


def copy(a: Node, b: Node, now: float) -> None:
    (mine, *_), (theirs, *_) = a.journal.capabilities.values(), b.journal.capabilities.values()
    payload = mine.pack(AOR, now + a.skew)
    assert payload is not None
    theirs.apply(AOR, payload, 1, now + b.skew)


def binding(received: Hop | None, *, reg_id: int = 0, flags: int = 0) -> Binding:
    return Binding(
        b"sip:u@192.0.2.7:5060;transport=tcp",
        call_id=b"c",
        cseq=1,
        expires_at=1000.0,
        received=received,
        instance=b"<urn:uuid:1>" if reg_id else b"",
        reg_id=reg_id,
        params=b";audio",
        flags=flags,
    )


def test_the_newer_fields_and_the_age_reach_the_standby() -> None:
    a, b = pair()
    a.table.save(AOR, binding(Hop("198.51.100.7", 4000), reg_id=2, flags=Flag.NAT), 10.0)
    copy(a, b, 15.0)
    (there,) = b.table.lookup(AOR, 515.0)
    assert (there.reg_id, there.params, there.instance) == (2, b";audio", b"<urn:uuid:1>")
    assert there.key == b"<urn:uuid:1>;reg-id=2"
    assert there.updated_at == 510.0
    assert b.table.find(URI, 515.0) == [there]  # over UDP the way stays open


@pytest.mark.parametrize(
    ("transport", "reg_id", "flags", "reachable"),
    [("tcp", 0, 0, True), ("tls", 1, 0, False), ("tcp", 0, Flag.NAT, False), ("wss", 0, 0, False)],
)
def test_a_connection_does_not_move_with_its_binding(
    transport: str, reg_id: int, flags: int, reachable: bool
) -> None:
    a, b = pair()
    seen = Hop("198.51.100.7", 4000, 0, transport, flow=77)
    a.table.save(AOR, binding(seen, reg_id=reg_id, flags=flags), 10.0)
    assert [found.received for found in a.table.find(URI, 11.0)] == [seen]
    copy(a, b, 12.0)
    b.become(Role.MASTER, 2, 13.0)
    assert len(b.table.lookup(AOR, 513.0)) == 1
    assert [found.received for found in b.table.find(URI, 513.0)] == ([None] if reachable else [])
    b.table.save(AOR, binding(seen._replace(flow=5), reg_id=reg_id, flags=flags), 514.0)
    assert [found.received for found in b.table.find(URI, 515.0)] == [seen._replace(flow=5)]


def test_who_steps_down_has_lost_its_connections() -> None:
    a, _ = pair()
    a.table.save(AOR, binding(Hop("198.51.100.7", 4000, 0, "tls", 77), reg_id=1), 10.0)
    a.become(Role.BACKUP, 2, 20.0)
    a.become(Role.MASTER, 3, 30.0)
    assert a.table.find(URI, 31.0) == []
    assert len(a.table.lookup(AOR, 31.0)) == 1
