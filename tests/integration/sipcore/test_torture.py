"""RFC 4475 messages, and accidents to them, against a running core: it answers or drops, never dies."""

import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.sip_live import CoreProcess, LivePhones, wait_for

MESSAGES = sorted((Path(__file__).parents[2] / "conformance" / "rfc4475" / "data").glob("*.dat"))


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreProcess]:
    with CoreProcess(tmp_path_factory.mktemp("torture")) as running:
        yield running


def throw(core: CoreProcess, datagrams: list[bytes]) -> None:
    """Send them all, and wait until all were read."""
    before = read(core)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attacker:
        for number, datagram in enumerate(datagrams):
            attacker.sendto(datagram, (core.address, core.port))
            if number % 50 == 49:
                wait_until_read(core, before + number + 1)
    wait_until_read(core, before + len(datagrams))


def wait_until_read(core: CoreProcess, count: int) -> None:
    wait_for(lambda: read(core) >= count, "it reads on", core.log)


def read(core: CoreProcess) -> int:
    """Datagrams so far; empty ones and line ends alone are keepalives."""
    counters = core.counters()
    return int(counters["received"] + counters["keepalives"])


def assert_alive(core: CoreProcess) -> None:
    """It serves a phone, and nothing that came has broken it inside."""
    with LivePhones((core.address, core.port), "alice") as phones:
        phones.register("alice")
        phones.phone.options("alive", b"alice", time.monotonic())
        assert phones.until("options_answered")["status"] == 200
    assert core.counters()["failures"] == 0, core.log()


def test_every_message_of_the_rfc_is_survived(core: CoreProcess) -> None:
    assert len(MESSAGES) >= 49
    throw(core, [path.read_bytes() for path in MESSAGES])
    assert_alive(core)


def test_cut_turned_and_doubled_messages_are_survived(core: CoreProcess) -> None:
    dice = random.Random(4475)
    datagrams = [mutated(dice, dice.choice(MESSAGES).read_bytes()) for _ in range(1500)]
    throw(core, datagrams)
    assert_alive(core)


def mutated(dice: random.Random, data: bytes) -> bytes:
    """The message with one to four small accidents."""
    for _ in range(dice.randint(1, 4)):
        at, end = sorted(dice.choices(range(len(data) + 1), k=2))
        data = dice.choice(
            [
                data[:at],
                data[:at] + data[end:],
                data[:end] + data[at:],
                data[:at] + bytes([dice.randrange(256)]) + data[at + 1 :],
                data.replace(b"\r\n", b"\n", 1),
                data.replace(b":", b": " * dice.randint(1, 20), 1),
            ]
        )[:60000]
    return data
