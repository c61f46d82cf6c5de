"""Two cores on loopback that know of each other by BIN alone; and what strangers and bad peers can do."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.opensips_bin import contact
from tests.kit.sip_live import CoreProcess, LivePhones, free_port, wait_for

A, B = "127.0.0.1", "127.0.0.2"


class BinPair:
    """Core a tells core b, which nobody has made master."""

    def __init__(self, folder: Path) -> None:
        self.ports = free_port(A), free_port(B)
        port = free_port(A)
        tables = [
            f'listen = "{A}:{self.ports[0]}"\nreplicate_contacts_to = ["{B}:{self.ports[1]}"]\n'
            f'replicate_dialogs_to = ["{B}:{self.ports[1]}"]\n',
            f'listen = "{B}:{self.ports[1]}"\naccept_from = ["{A}"]\naccept_replicated_contacts = true\n'
            "accept_replicated_dialogs = true\n",
        ]
        self.a = CoreProcess(folder, node="a", address=A, port=port, more=f"[bin]\n{tables[0]}")
        self.b = CoreProcess(
            folder, node="b", address=B, port=port, standalone=False, more=f"[bin]\n{tables[1]}"
        )

    def contacts(self) -> list[str]:
        """What b has, as its operator sees it."""
        return [row["aor"] for row in self.b.client.get("/v1/location")]

    def calls(self) -> list[str]:
        """The calls that b holds or leads."""
        return [row["state"] for row in self.b.client.get("/v1/dialogs")]

    def tell(self, data: bytes, source: str) -> None:
        """A datagram to b."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((source, 0))
            sender.sendto(data, (B, self.ports[1]))

    def counted(self, name: str) -> int:
        """A counter of b."""
        return int(self.b.counters().get(name, 0))


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[BinPair]:
    pair = BinPair(tmp_path)
    with pair.a, pair.b:
        yield pair


def test_registrations_go_from_core_to_core_by_bin_and_serve_calls_there(pair: BinPair) -> None:
    with LivePhones((A, pair.a.port), "alice", "bob") as phones:
        phones.register("alice", "bob")
        wait_for(
            lambda: sorted(pair.contacts()) == ["sip:alice@example.test", "sip:bob@example.test"],
            "b has both contacts",
            pair.b.log,
        )
        phones.register("alice", expires=0)
        wait_for(lambda: pair.contacts() == ["sip:bob@example.test"], "alice is gone at b", pair.b.log)
        pair.b.role("MASTER", 2)
        with LivePhones((B, pair.b.port), "carol") as others:
            others.phone.call("x", b"carol", b"bob", time.monotonic())
            others.wire.wait(0.1)
            phones.until("ringing")
    assert pair.a.counters()["bin_contacts_sent"] >= 5
    assert pair.counted("bin_contacts_taken") >= 3


def test_calls_go_from_core_to_core_by_bin_and_can_be_ended_there(pair: BinPair) -> None:
    with LivePhones((A, pair.a.port), "alice", "bob") as phones:
        phones.register("alice", "bob")
        for name in ("x", "y"):
            phones.call(name, "alice", "bob")
            phones.phone.answer(name, time.monotonic())
            phones.until("answered", call=name)
            phones.until("established", call=name)
        wait_for(lambda: pair.calls() == ["CONFIRMED", "CONFIRMED"], "b has both calls", pair.b.log)
        phones.phone.bye("x", "caller", time.monotonic())
        phones.until("bye_received", call="x")
        wait_for(lambda: pair.calls() == ["CONFIRMED"], "the first is over at b", pair.b.log)
        pair.a.kill()
        pair.b.role("MASTER", 2)
        assert pair.b.client.delete("/v1/dialogs?all=true") == {"ending": 1}
        phones.until("bye_received", call="y")
        wait_for(lambda: pair.calls() == [], "the second is over", pair.b.log)
    assert pair.counted("bin_dialogs_taken") >= 4


def test_strangers_are_not_heard_and_bad_datagrams_are_counted(pair: BinPair) -> None:
    for _ in range(20):
        pair.tell(b"P4CK\0\0\0\0nonsense", A)
    pair.tell(b"P4CK\0\0\0\0nonsense", "127.0.0.3")
    wait_for(lambda: pair.counted("bin_malformed") == 20, "they are counted", pair.b.log)
    wait_for(lambda: pair.counted("bin_strangers") == 1, "the stranger is counted", pair.b.log)
    assert pair.b.log().count("bad BIN datagrams") == 1  # of 21 in ten seconds
    assert pair.contacts() == []


def test_beside_replication_the_master_takes_bin_and_its_standby_hears_of_it_from_the_master(
    tmp_path: Path,
) -> None:
    port, links = free_port(A), [f"{host}:{free_port(host)}" for host in (A, B)]
    bins = [free_port(host) for host in (A, B)]
    table = 'accept_from = ["127.0.0.3"]\naccept_replicated_contacts = true\n'
    master, standby = (
        CoreProcess(
            tmp_path, node=node, address=host, port=port, standalone=False, link=link,
            more=f'[bin]\nlisten = "{host}:{at}"\n{table}',
        )
        for node, host, link, at in (
            ("a", A, (links[0], links[1]), bins[0]), ("b", B, (links[1], links[0]), bins[1]),
        )
    )  # fmt: skip
    told = contact(1, 0.0, expires=int(time.time()) + 600, last_modified=int(time.time()))
    with master, standby, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.3", 0))
        master.role("MASTER", 1)
        wait_for(lambda: bool(standby.status()["synced"]), "they are in sync", standby.log)
        peer.sendto(told, (B, bins[1]))
        wait_for(lambda: standby.counters().get("bin_left_to_master") == 1, "it is left", standby.log)
        assert standby.client.get("/v1/location") == []
        peer.sendto(told, (A, bins[0]))
        wait_for(lambda: len(standby.client.get("/v1/location")) == 1, "the standby has it", master.log)
        assert master.client.get("/v1/location")[0]["aor"] == "sip:u@example.test"
