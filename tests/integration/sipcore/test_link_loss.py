"""A master whose cable is pulled cannot send any more, but nothing has ended for that."""

import asyncio
import time
from pathlib import Path

import pytest

from haagent.lab.topology import VIP, Lan, address
from sipcore.transport import udp
from sipcore.transport.layer import Hop
from sipcore.transport.udp import UdpListener
from tests.kit.core_pair import Pair
from tests.kit.sip_live import PATIENCE

pytestmark = pytest.mark.root


@pytest.mark.parametrize("stays", [True, False])
def test_no_way_to_a_phone_is_told_only_by_who_is_still_master_after_a_while(*, stays: bool) -> None:
    told: list[Hop] = []

    async def send() -> None:
        listener = UdpListener(
            address("a"), 5060, lambda batch: None, on_unsent=lambda data, hop: told.append(hop)
        )
        listener.start(asyncio.get_running_loop())
        listener.is_master = True
        listener.send(b"x" * 40, Hop("192.0.2.1", 5060))
        assert (told, listener.send_errors) == ([], 1)
        listener.is_master = stays
        await asyncio.sleep(udp.DOUBT + 0.3)
        listener.close()

    with Lan() as lan, lan.hosts["a"].entered():
        asyncio.run(send())
    assert bool(told) is stays


def test_an_answer_that_a_fenced_master_could_not_send_is_sent_by_the_next_one(tmp_path: Path) -> None:
    """As an agent's fence does it: what leaves with the virtual IP is dropped, and the core learns of it."""
    with Lan() as lan, Pair(lan, tmp_path) as pair:
        phones = pair.phones
        phones.call("1", "alice", "bob")
        drop = f"type filter hook output priority 0; ip saddr {VIP} drop;"
        fence = f"table ip fence {{ chain out {{ {drop} }}; }}"
        assert lan.hosts["a"].spawn(["nft", fence]).wait(PATIENCE) == 0
        phones.phone.reject("1", 486, time.monotonic())
        end = time.monotonic() + PATIENCE
        while not pair.a.counters()["send_errors"]:
            assert time.monotonic() < end, pair.a.log()
            phones.idle(0.01)
        time.sleep(0.3)  # for a wrong word to come to the standby
        assert pair.b.status()["transactions"] == 1
        pair.power_cut()
        assert phones.until("failed", call="1")["status"] == 486
        assert [event for event in phones.past if event["event"] == "duplicate_invite"] == []
