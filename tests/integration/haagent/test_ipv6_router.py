"""IO shell: a pair whose virtual router is of IPv6: elected, and handed over."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from haagent.lab.topology import VIP6, Lan
from tests.integration.haagent.pair import Pair
from tests.kit.capture import Capture

LINK_LOCAL = "fe80::51"


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with Lan() as lan:
        both = Pair(lan, tmp_path, vips=json.dumps([LINK_LOCAL, VIP6]))
        try:
            both.start()
            yield both
        finally:
            both.stop()


@pytest.mark.root
def test_an_ipv6_virtual_router_is_elected_and_handed_over(pair: Pair) -> None:
    assert VIP6 in pair.a.addresses()
    assert VIP6 not in pair.b.addresses()
    with Capture(pair.lan.hosts["client"]) as capture:
        pair.a.client.post("/v1/switchover")
        pair.until(lambda: pair.settled("b"), 3)
        time.sleep(0.3)
    assert VIP6 in pair.b.addresses()
    assert LINK_LOCAL in pair.b.addresses()
    assert VIP6 not in pair.a.addresses()
    adverts = capture.decode("vrrp", "ipv6.dst", "ipv6.hlim", "vrrp.prio", "vrrp.ipv6_addr")
    assert ["ff02::12", "255", "253", f"{LINK_LOCAL},{VIP6}"] in adverts
    assert capture.complaints("vrrp") == []
    for target in (LINK_LOCAL, VIP6):
        told = capture.decode(f"icmpv6.nd.na.target_address == {target}", "icmpv6.opt.linkaddr")
        assert ["02:88:00:00:00:0b"] in told
    assert "not the peer" not in pair.a.log + pair.b.log, "each knows the other by its link-local address"
